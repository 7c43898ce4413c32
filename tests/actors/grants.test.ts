/** Calls that a person allowed from then on, over the wire: honoured for the same call and no other. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Grants } from '../../actors/grants.ts'
import type { Tool } from '../../actors/tools/tool.ts'
import type { GrantPlace } from '../../machines/grant.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import type { TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openTestKernel, readRecords } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'
import { UpstreamClient } from '../support/upstream-client.ts'
import { WITH_TOKEN } from '../support/upstream.ts'

interface Scene {
  mock: LLMock
  root: string
  store: Store // outlives its gateways
  house: TestGateway | null
}

const grants = suite<Scene>('grants')

grants.before.each(async (scene) => {
  scene.house = null
  scene.root = mkdtempSync(join(tmpdir(), 'openclaw-grants-'))
  for (const name of ['work', 'other', 'state', 'elsewhere']) mkdirSync(join(scene.root, name))
  scene.store = { ...openMemory(), close: () => Promise.resolve() }
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
  // Whoever says a command has it asked for.
  scene.mock.on({}, ({ messages }) => {
    const { role, content } = messages.at(-1) ?? {}
    if (role === 'tool') return { content: JSON.stringify(content) }
    return { toolCalls: [{ name: 'exec', arguments: JSON.stringify({ command: content }) }] }
  })
})

grants.after.each(async ({ mock, house, root }) => {
  await house?.stop()
  await mock.stop()
  rmSync(root, { recursive: true, force: true })
})

/** Starts a gateway over what the ones before it left. */
async function open(scene: Scene, changes: object = {}, state = 'state'): Promise<TestClient> {
  await scene.house?.stop()
  const providers = { one: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k1' } }
  const defaults = { model: 'one/small', workspace: join(scene.root, 'work') }
  scene.house = await startTestGateway({
    config: { ...WITH_TOKEN, models: { providers }, agents: { defaults }, ...changes },
    store: scene.store,
    stateDir: join(scene.root, state),
    env: { PATH: process.env['PATH'] },
  })
  const client = scene.house.client()
  await client.connect({ auth: { token: WITH_TOKEN.gateway.auth.token } })
  return client
}

/** Has a command asked for: what came of it, with the decision where one was asked for. */
async function ask(client: TestClient, command: string, decision = 'deny'): Promise<string> {
  const { payload } = await client.request('agent', { message: command })
  const { runId } = payload
  const over = client.event('agent.done', (told) => told['runId'] === runId)
  let asked = ''
  for (;;) {
    const { payload: list } = await client.request('approval.list', {})
    const [waiting] = list['approvals'] as { approvalId: string }[]
    if (waiting !== undefined) {
      const { approvalId } = waiting
      const { ok, error } = await client.request('approval.resolve', { approvalId, decision })
      if (ok !== true) return `refused: ${String(error?.details?.['path'])}`
      asked = `${decision}: `
    }
    const end = await Promise.race([over, turn(client)])
    if (end !== null) return `${asked}${String(end.payload['text'])}`
  }
}

async function turn(client: TestClient): Promise<null> {
  await client.request('health')
  return null
}

const DENIED = /^deny: .*a person was asked and refused it/
const DONE = (text: string): RegExp => new RegExp(`^"${text}\\\\n`)

async function granted(client: TestClient): Promise<Record<string, unknown>[]> {
  const { payload } = await client.request('approvals.grants')
  return payload['grants'] as Record<string, unknown>[]
}

grants('GR4 what is allowed always is not asked again, until it is revoked', async (scene) => {
  const client = await open(scene)
  assert.match(await ask(client, 'echo a', 'allow-always'), /^allow-always: "a/)

  assert.match(await ask(client, 'echo a'), DONE('a'))
  const [grant, more] = await granted(client)
  const { grantId, tool, command, channel, holds } = grant ?? {}
  assert.equal([tool, command, channel, holds, more], ['exec', 'echo a', null, true, undefined])
  const ruled = readRecords(scene.store).findLast(({ event }) => 'rule' in event)
  assert.equal(
    [ruled?.event['verdict'], ruled?.event['rule']],
    ['allow', `grant:${String(grantId)}`],
  )

  const revoked = await client.request('approvals.revoke', { grantId })
  const again = await client.request('approvals.revoke', { grantId })
  const nobody = await client.request('approvals.revoke', { grantId: 'nobody' })
  assert.equal([revoked.payload['changed'], again.payload['changed']], [true, false])
  assert.is(nobody.error?.code, 'NOT_FOUND')
  assert.equal(await granted(client), [])
  assert.match(await ask(client, 'echo a'), DENIED)
})

grants(
  'GR5 it is of those arguments in that workspace, and a rule that denies wins',
  async (scene) => {
    const client = await open(scene)
    await ask(client, 'echo a', 'allow-always')
    assert.match(await ask(client, 'echo  a'), DENIED)

    const denied = await open(scene, { tools: { deny: ['exec'] } })
    assert.match(await ask(denied, 'echo a'), /^"This call was not made: the gateway’s policy/)
    const workspace = join(scene.root, 'other')
    const moved = await open(scene, { agents: { defaults: { model: 'one/small', workspace } } })
    assert.match(await ask(moved, 'echo a'), DENIED)
    assert.match(await ask(await open(scene), 'echo a'), DONE('a'))
  },
)

grants(
  'GR6 it outlives a restart, but not its key, which the journal does not hold',
  async (scene) => {
    const client = await open(scene)
    await ask(client, 'echo a', 'allow-always')
    const key = readFileSync(join(scene.root, 'state', 'keys', 'grants.key'), 'utf8').trim()
    const records = JSON.stringify(readRecords(scene.store))
    assert.not.ok(records.includes(key) || records.includes('echo a'))

    assert.match(await ask(await open(scene), 'echo a'), DONE('a'))
    const without = await open(scene, {}, 'elsewhere')
    assert.match(await ask(without, 'echo a'), DENIED)
    assert.equal(
      (await granted(without)).map(({ holds }) => holds),
      [false],
    )
  },
)

grants(
  'GR7 what is too long to be read where it is shown cannot be allowed always',
  async (scene) => {
    const client = await open(scene)

    const answer = await ask(client, `echo ${'a'.repeat(2_000)}`, 'allow-always')

    assert.is(answer, 'refused: decision')
  },
)

grants('GR8 upstream’s clients are shown the commands, word for word', async (scene) => {
  const client = await open(scene)
  await ask(client, 'echo a', 'allow-always')
  const boss = new UpstreamClient(scene.house!.gateway.url)
  await boss.knock({})

  const { exists, file } = await boss.get('exec.approvals.get')
  const { agents } = file as { agents: Record<string, { allowlist: { commandText: string }[] }> }
  assert.equal(
    [exists, agents['main']?.allowlist.map(({ commandText }) => commandText)],
    [true, ['echo a']],
  )
  assert.equal(boss.faults, [])
  await boss.close()
})

const READ: Tool = {
  name: 'read',
  description: 'reads',
  parameters: {},
  source: 'mcp:files',
  fault: () => null,
  run: () => Promise.resolve({ text: '' }),
}
const CLIENT: GrantPlace = { channel: null, room: null, sender: null }

grants('GR9 tool, source, meaning, agent and place make a call another one', ({ root }) => {
  const { kernel, store } = openTestKernel()
  const services = openTestServices()
  const setup = { registry: kernel.registry, store, services, stateDir: join(root, 'state') }
  const kept = new Grants(setup)
  const idOf = (changes: Partial<Tool> = {}, place = CLIENT, key = 'agent:main:main') => {
    const asked = { ...place, at: 0 }
    const call = { callId: 'c', runId: 'r', name: 'read', ref: 'b:1', attempt: 1 }
    const params = { ...call, sessionKey: key, asked }
    return kept.grantable({ tool: { ...READ, ...changes }, args: { a: 1 }, params }, null)?.grantId
  }
  const ann = { channel: 'irc', room: null, sender: 'ann' }

  assert.is(idOf(), idOf({}, { ...CLIENT }, 'agent:main:irc:direct:ann'))
  const all = [
    idOf(),
    idOf({ name: 'write' }),
    idOf({ source: 'mcp:other' }),
    idOf({ description: 'deletes' }),
    idOf({ parameters: { type: 'object' } }),
    idOf({}, CLIENT, 'agent:other:main'),
    idOf({}, ann),
    idOf({}, { ...ann, room: '#home' }),
    idOf({}, { ...ann, sender: 'eve' }),
  ]
  assert.is(new Set(all).size, all.length)
  for (const id of all) assert.match(id ?? '', /^[0-9a-f]{32}$/)
  assert.is(idOf({ source: 'client:1' }), undefined)
})

grants.run()
