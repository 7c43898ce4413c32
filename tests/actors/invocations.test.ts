/** Calls of tools that a client asks for itself, in both dialects, over a real gateway. */
import '../../actors/trap.ts'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { inUpstream } from '../support/upstream-client.ts'
import { WITH_TOKEN } from '../support/upstream.ts'
import { until } from '../support/wait.ts'

interface Scene {
  root: string
  house: TestGateway
}

const invoked = suite<Scene>('invocations')

invoked.before.each((scene) => {
  scene.root = mkdtempSync(join(tmpdir(), 'openclaw-invoked-'))
})

invoked.after.each(async ({ house, root }) => {
  await house.stop()
  rmSync(root, { recursive: true, force: true })
})

async function open(scene: Scene, config: object = {}, store = openMemory()): Promise<TestClient> {
  const agents = { defaults: { workspace: scene.root } }
  const env = { PATH: process.env['PATH'] }
  scene.house = await startTestGateway({ config: { agents, ...config }, store, env })
  const client = scene.house.client()
  await client.connect()
  return client
}

const invoke = async (client: TestClient, params: object): Promise<Frame['payload']> =>
  (await client.request('tools.invoke', params)).payload

const callsIn = ({ house }: Scene) =>
  readRecords(house.store).filter(({ event }) => event.type === 'call.requested')

invoked(
  'TI20 a tool is run by the rules of its session, and its result is the answer',
  async (scene) => {
    const client = await open(scene, { tools: { ask: [], deny: ['web_fetch'] } })

    const done = await invoke(client, { name: 'exec', arguments: { command: 'echo here' } })
    const denied = await invoke(client, { name: 'web_fetch', arguments: { url: 'http://x' } })

    assert.equal(
      [done['status'], done['text'], done['rule'], done['isError']],
      ['done', 'here\n[exit code 0]', 'tools.allow: *', false],
    )
    assert.equal(
      [denied['status'], denied['fault'], denied['rule'], denied['isError']],
      ['refused', 'denied', 'tools.deny: web_fetch', true],
    )
    const told = readRecords(scene.house.store).filter(({ stream }) => stream.startsWith('run:'))
    assert.equal(told, [])
  },
)

invoked(
  'TP9 a channel’s rules hold for its sessions, whoever calls a tool there',
  async (scene) => {
    const irc = { enabled: false, tools: { deny: ['exec'] } }
    const client = await open(scene, { tools: { ask: [] }, channels: { irc } })
    const wish = { name: 'exec', arguments: { command: 'echo here' } }

    const there = await invoke(client, { ...wish, sessionKey: 'irc:direct:ann' })
    const elsewhere = await invoke(client, { ...wish, sessionKey: 'discord:direct:ann' })

    assert.equal([there['status'], there['rule']], ['refused', 'channels.irc.tools.deny: exec'])
    assert.is(elsewhere['status'], 'done')
  },
)

invoked('TI21 what is asked for waits for a person, and is told who refused it', async (scene) => {
  const client = await open(scene)
  const wish = { name: 'write', arguments: { path: 'a', content: 'b' } }
  for (const [decision, status] of [
    ['deny', 'refused'],
    ['allow-once', 'done'],
  ] as const) {
    const answer = invoke(client, wish)
    const approvalId = await until(async () => {
      const { payload } = await client.request('approval.list')
      const waiting = payload['approvals'] as { approvalId: string; status: string }[]
      return waiting.find((each) => each.status === 'requested')?.approvalId ?? null
    }, 'question')
    await client.request('approval.resolve', { approvalId, decision })

    const ended = await answer
    assert.equal([ended['status'], ended['callId']], [status, approvalId])
  }
  assert.is(readFileSync(join(scene.root, 'a'), 'utf8'), 'b')
})

invoked(
  'TI22 a client that wants nobody to be asked is told that somebody must be',
  async (scene) => {
    const client = await open(scene)

    const ended = await invoke(client, {
      name: 'exec',
      arguments: { command: 'touch a' },
      ask: false,
    })

    assert.equal(
      [ended['status'], ended['fault'], ended['rule']],
      ['refused', 'approval', 'tools.ask: exec'],
    )
    assert.throws(() => readFileSync(join(scene.root, 'a')), /ENOENT/)
    const asked = readRecords(scene.house.store).filter(({ stream }) =>
      stream.startsWith('approval:'),
    )
    assert.equal(asked, [])
  },
)

invoked(
  'TI23 a key is one call, also after a restart; with other arguments it is a conflict',
  async (scene) => {
    const store = openMemory()
    const shared = { ...store, close: () => Promise.resolve() }
    const tools = { ask: [] }
    const client = await open(scene, { tools }, shared)
    const wish = { name: 'exec', arguments: { command: 'echo x >> a' }, idempotencyKey: 'k' }
    const both = await Promise.all([invoke(client, wish), invoke(client, wish)])
    const other = await client.request('tools.invoke', {
      ...wish,
      arguments: { command: 'echo y' },
    })
    await scene.house.stop()

    const again = await invoke(await open(scene, { tools }, shared), wish)

    assert.equal([both[1], again], [both[0], both[0]])
    assert.is(other.error?.code, 'IDEMPOTENCY_CONFLICT')
    assert.is(readFileSync(join(scene.root, 'a'), 'utf8'), 'x\n')
    assert.is(callsIn(scene).length, 1)
  },
)

invoked(
  'TI24 upstream’s clients are told without `confirm` that a person is needed, and ask with it',
  (scene) =>
    inUpstream(
      async (world) => {
        scene.house = { ...world, stop: () => Promise.resolve() }
        const { enter } = world
        const boss = await enter()
        const wish = { name: 'exec', args: { command: 'echo here' } }
        const bare = await boss.get('tools.invoke', wish)
        const id = await boss.post('tools.invoke', { ...wish, confirm: true })
        const { payload } = await boss.event('exec.approval.requested')
        await boss.get('exec.approval.resolve', { id: payload['id'], decision: 'allow-once' })

        const done = (await boss.answer(id)).payload

        assert.equal(
          [bare['ok'], bare['requiresApproval'], (bare['error'] as { code: string }).code],
          [false, true, 'requires_approval'],
        )
        assert.equal(
          [done['ok'], done['output']],
          [true, { content: [{ type: 'text', text: 'here\n[exit code 0]' }] }],
        )
      },
      { config: { ...WITH_TOKEN, agents: { defaults: { workspace: scene.root } } } },
    ),
)

invoked.run()
