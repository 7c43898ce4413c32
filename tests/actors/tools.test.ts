/** Tools, over the wire: a real gateway, a model server that nobody here wrote, real files and commands. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { isAlive, readOr } from '../support/alive.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { until } from '../support/wait.ts'

interface Scene {
  mock: LLMock
  root: string
  house: TestGateway | null
}

const tools = suite<Scene>('tools')

tools.before.each(async (scene) => {
  scene.house = null
  scene.root = mkdtempSync(join(tmpdir(), 'openclaw-tools-'))
  mkdirSync(join(scene.root, 'work'))
  writeFileSync(join(scene.root, 'secret'), 'nobody reads this')
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
})

tools.after.each(async ({ mock, house, root }) => {
  await house?.stop()
  await mock.stop()
  rmSync(root, { recursive: true, force: true })
})

async function open(scene: Scene, config: object = {}, store = openMemory()): Promise<TestClient> {
  const providers = { one: { baseUrl: `${scene.mock.url}/v1`, apiKey: 'k1' } }
  const defaults = { model: 'one/small', workspace: join(scene.root, 'work') }
  scene.house = await startTestGateway({
    config: { models: { providers }, agents: { defaults }, ...config },
    store,
    env: { PATH: process.env['PATH'], MODEL_KEY: 'very secret' },
  })
  const client = scene.house.client()
  await client.connect()
  return client
}

type Call = readonly [name: string, args: object]

/** The model calls these tools, and says `over` once it has their results. */
function script(scene: Scene, ...calls: Call[]): void {
  const toolCalls = calls.map(([name, args], index) => {
    return { id: `theirs_${index}`, name, arguments: JSON.stringify(args) }
  })
  scene.mock.on({ hasToolResult: false }, { toolCalls })
  scene.mock.on({ hasToolResult: true }, { content: 'over' })
}

async function ask(client: TestClient, message = 'do it'): Promise<Frame['payload']> {
  const { payload } = await client.request('agent', { message })
  const end = await client.event('agent.done', ({ runId }) => runId === payload['runId'])
  return end.payload
}

/** What the model was told by tools in its last request. */
function resultsIn({ mock }: Scene): string[] {
  const { messages } = (mock.getRequests() as unknown as Asked[]).at(-1)!.body
  return messages.filter(({ role }) => role === 'tool').map(({ content }) => content)
}

function rolesOf({ mock }: Scene): string[] {
  const { messages } = (mock.getRequests() as unknown as Asked[]).at(-1)!.body
  return messages.map(({ role }) => role)
}

interface Asked {
  readonly body: {
    readonly messages: readonly Said[]
    readonly tools: readonly { readonly function: { readonly name: string } }[]
  }
}

interface Said {
  readonly role: string
  readonly content: string
}

const endsOf = (scene: Scene): JournalRecord[] =>
  readRecords(scene.house!.store).filter(({ event }) => event.type === 'call.finished')

tools('TO20 a model calls a tool, reads its result and answers', async (scene) => {
  writeFileSync(join(scene.root, 'work', 'note'), 'the key is under the mat')
  const client = await open(scene)
  script(scene, ['read', { path: 'note' }])

  const end = await ask(client)

  assert.equal([end['status'], end['text']], ['done', 'over'])
  assert.equal(resultsIn(scene), ['the key is under the mat'])
  assert.equal(endsOf(scene).length, 1)
})

tools(
  'TO21 calls of one answer run side by side, their results stand in the order asked',
  async (scene) => {
    const client = await open(scene, { tools: { ask: [] } })
    script(
      scene,
      ['exec', { command: 'sleep 0.3; echo first' }],
      ['exec', { command: 'echo second' }],
    )

    await ask(client)

    assert.equal(resultsIn(scene), ['first\n[exit code 0]', 'second\n[exit code 0]'])
  },
)

tools('TO22 a denied tool is not offered; called all the same it does not run', async (scene) => {
  const client = await open(scene, { tools: { deny: ['exec'] } })
  script(scene, ['exec', { command: 'touch done' }])

  await ask(client)

  const [first] = scene.mock.getRequests() as unknown as Asked[]
  const offered = first!.body.tools
  assert.not.ok(offered.some((each) => each.function.name === 'exec'))
  assert.match(resultsIn(scene)[0] ?? '', /policy does not allow/)
  assert.throws(() => readFileSync(join(scene.root, 'work', 'done')), /ENOENT/)
  const judged = readRecords(scene.house!.store).find(({ event }) => event['verdict'] === 'deny')
  assert.is(judged?.event['rule'], 'tools.deny: exec')
})

tools(
  'TO23 what is asked for runs once a client allows it, with exactly what was shown',
  async (scene) => {
    const client = await open(scene)
    script(scene, ['exec', { command: 'echo asked' }])
    const { payload } = await client.request('agent', { message: 'do it' })
    const { payload: asking } = await client.event(
      'approval',
      ({ status }) => status === 'requested',
    )

    assert.is(asking['text'], 'echo asked')
    const { approvalId } = asking
    await client.request('approval.resolve', { approvalId, decision: 'allow-once' })
    const end = await client.event('agent.done', ({ runId }) => runId === payload['runId'])

    assert.is(end.payload['text'], 'over')
    assert.equal(resultsIn(scene), ['asked\n[exit code 0]'])
  },
)

tools('TO24 what a person refuses does not run, and the model is told', async (scene) => {
  const client = await open(scene)
  script(scene, ['write', { path: 'a', content: 'b' }])
  const { payload } = await client.request('agent', { message: 'do it' })
  const { payload: asking } = await client.event('approval', ({ status }) => status === 'requested')
  await client.request('approval.resolve', { approvalId: asking['approvalId'], decision: 'deny' })
  await client.event('agent.done', ({ runId }) => runId === payload['runId'])

  assert.match(resultsIn(scene)[0] ?? '', /refused/)
  assert.throws(() => readFileSync(join(scene.root, 'work', 'a')), /ENOENT/)
})

tools(
  'TO25 a question outlives a restart; allowed then, the call runs and the run goes on',
  async (scene) => {
    const store = openMemory()
    const shared = { ...store, close: () => Promise.resolve() }
    const client = await open(scene, {}, shared)
    script(scene, ['exec', { command: 'echo later' }])
    const { payload } = await client.request('agent', { message: 'do it' })
    const { payload: asking } = await client.event(
      'approval',
      ({ status }) => status === 'requested',
    )
    await scene.house!.stop()

    const next = await open(scene, {}, shared)
    const waiting = await next.request('approval.list', {})
    assert.match(JSON.stringify(waiting.payload), /echo later/)
    await next.request('approval.resolve', {
      approvalId: asking['approvalId'],
      decision: 'allow-once',
    })
    await next.event('agent.done', ({ runId }) => runId === payload['runId'])

    assert.equal(resultsIn(scene), ['later\n[exit code 0]'])
  },
)

tools(
  'TC4 killed before its judge was heard, a call is judged again and run once',
  async (scene) => {
    const store = openMemory()
    let isDead = false
    const held: Store = {
      ...store,
      close: () => Promise.resolve(),
      append: (draft) => {
        isDead ||= draft.stream.startsWith('call:') && draft.expectedVersion === 1
        return isDead ? new Promise(() => {}) : store.append(draft)
      },
    }
    const client = await open(scene, { tools: { ask: [] } }, held)
    script(scene, ['exec', { command: 'echo once >> runs' }])
    const { payload } = await client.request('agent', { message: 'do it' })
    await until(() => isDead, 'verdict that is never written')
    const judged = readRecords(store).filter(({ stream }) => stream.startsWith('call:'))

    const first = scene.house!
    const next = await open(scene, { tools: { ask: [] } }, { ...store, close: held.close })
    const end = await next.request('agent.wait', { runId: payload['runId'], timeoutMs: 20_000 })
    await first.stop()

    assert.equal(
      judged.map(({ event }) => event.type),
      ['call.requested'],
    )
    assert.is(end.payload['text'], 'over')
    assert.is(readFileSync(join(scene.root, 'work', 'runs'), 'utf8'), 'once\n')
    const types = readRecords(store)
      .filter(({ stream }) => stream.startsWith('call:'))
      .map(({ event }) => event.type)
    assert.equal(types, [
      'call.requested',
      'effect.lost',
      'effect.done',
      'effect.started',
      'effect.done',
    ])
  },
)

tools('TO26 no path leads out of the workspace', async (scene) => {
  const client = await open(scene, { tools: { ask: [] } })
  symlinkSync(join(scene.root, 'secret'), join(scene.root, 'work', 'link'))
  symlinkSync(scene.root, join(scene.root, 'work', 'up'))
  script(
    scene,
    ['read', { path: '../secret' }],
    ['read', { path: join(scene.root, 'secret') }],
    ['read', { path: 'link' }],
    ['read', { path: 'up/secret' }],
    ['read', { path: 'work/../../secret' }],
    ['write', { path: 'link', content: 'x' }],
    ['write', { path: 'up/new', content: 'x' }],
    ['read', { path: '.' }],
    ['read', { path: '/proc/self/environ' }],
  )

  await ask(client)

  const said = resultsIn(scene)
  assert.is(said.length, 9)
  for (const text of said) assert.match(text, /outside of the workspace|it is a link/)
  assert.is(readFileSync(join(scene.root, 'secret'), 'utf8'), 'nobody reads this')
})

tools('TO27 what is written can be read, folders are made', async (scene) => {
  const client = await open(scene, { tools: { ask: [] } })
  script(scene, ['write', { path: 'a/b/c.txt', content: 'hello' }])

  await ask(client)

  assert.is(readFileSync(join(scene.root, 'work', 'a', 'b', 'c.txt'), 'utf8'), 'hello')
  assert.match(resultsIn(scene)[0] ?? '', /5 bytes/)
})

tools('TO28 a command has none of our secrets, and its exit code is told', async (scene) => {
  const client = await open(scene, { tools: { ask: [] } })
  script(scene, ['exec', { command: 'env; exit 3' }])

  await ask(client)

  const [said = ''] = resultsIn(scene)
  assert.match(said, /\[exit code 3\]$/)
  assert.not.match(said, /very secret/)
})

tools(
  'TO29 a model that writes a name or arguments amiss is told how to mend it',
  async (scene) => {
    const client = await open(scene)
    script(scene, ['nothing', {}], ['read', {}], ['read', { path: 7 }])

    await ask(client)

    const [unknown = '', missing = '', wrong = ''] = resultsIn(scene)
    assert.match(unknown, /no tool of this name.*read/)
    assert.match(missing, /path is missing/)
    assert.match(wrong, /path is no string/)
  },
)

tools('TO30 an endless loop of tools ends with the budget', async (scene) => {
  const budget = { callsPerRun: 4 }
  const client = await open(scene, { agents: { defaults: { model: 'one/small', budget } } })
  scene.mock.on({}, { toolCalls: [{ name: 'sessions_list', arguments: '{}' }] })

  const end = await ask(client)

  assert.is(end['status'], 'failed')
  assert.match(JSON.stringify(end['error']), /budget/)
  assert.is(scene.mock.getRequests().length, 4)
  assert.is(endsOf(scene).length, 3)
})

tools(
  'TO31 an abort of the run kills its command, and the next prompt knows of it',
  async (scene) => {
    const client = await open(scene, { tools: { ask: [] } })
    scene.mock.on({ userMessage: 'and now?' }, { content: 'again' })
    script(scene, ['exec', { command: 'sleep 60 & echo $! > pid; wait' }])
    const { payload } = await client.request('agent', { message: 'do it' })
    const pidFile = join(scene.root, 'work', 'pid')
    await until(() => readOr(pidFile) !== '', 'process id')
    await client.request('sessions.abort', { key: 'agent:main:main' })
    await client.event('agent.done', ({ runId }) => runId === payload['runId'])

    const pid = Number(readOr(pidFile))
    await until(() => !isAlive(pid), 'end of the command')

    scene.mock.on({ userMessage: 'and now?' }, { content: 'again' })
    await ask(client, 'and now?')
    assert.equal(rolesOf(scene), ['system', 'user', 'assistant', 'tool', 'user'])
    assert.match(resultsIn(scene)[0] ?? '', /stopped, because its run was/)
  },
)

tools('TO32 a tool of a past answer is part of the next prompt, its pair whole', async (scene) => {
  writeFileSync(join(scene.root, 'work', 'note'), 'remember')
  const client = await open(scene)
  scene.mock.on({ userMessage: 'and now?' }, { content: 'again' })
  script(scene, ['read', { path: 'note' }])
  await ask(client)
  await ask(client, 'and now?')

  assert.equal(rolesOf(scene), ['system', 'user', 'assistant', 'tool', 'assistant', 'user'])
})

tools('TO33 the prompt of a past run names the tools that its model was offered', async (scene) => {
  const client = await open(scene)
  script(scene, ['read', { path: 'note' }])
  const { runId } = await ask(client)

  const { payload } = await client.request('history.prompt', { run: runId })

  const [first] = scene.mock.getRequests() as unknown as Asked[]
  const offered = first!.body.tools.map((each) => each.function.name)
  assert.ok(offered.includes('read'))
  assert.equal([payload['tools'], payload['asSent']], [offered, true])
})

tools.run()
