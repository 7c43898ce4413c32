/** Tools over crashes: a real gateway, killed while its model's call waits, runs or is asked for. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LLMock } from '@copilotkit/aimock'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isAlive, readOr } from '../support/alive.ts'
import { recordsOf } from '../support/journal.ts'
import { configure, type RealGateway, startReal, stopReal } from '../support/real-gateway.ts'
import { until } from '../support/wait.ts'

interface Scene {
  root: string
  mock: LLMock
}

interface Asked {
  readonly body: { readonly messages: readonly { role: string; content: string }[] }
}

const tools = suite<Scene>('tools over crashes')

tools.before.each(async (scene) => {
  scene.root = mkdtempSync(join(tmpdir(), 'openclaw-crash-'))
  mkdirSync(join(scene.root, 'work'))
  scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.mock.start()
})

tools.after.each(async ({ root, mock }) => {
  await mock.stop()
  rmSync(root, { recursive: true, force: true })
})

/** The model runs a command, and says `over` once it has heard of it. */
async function begin(
  scene: Scene,
  command: string,
  rules: object,
): Promise<[RealGateway, unknown]> {
  const { root, mock } = scene
  const toolCalls = [{ id: 'theirs', name: 'exec', arguments: JSON.stringify({ command }) }]
  mock.on({ hasToolResult: false }, { toolCalls })
  mock.on({ hasToolResult: true }, { content: 'over' })
  const providers = { one: { baseUrl: `${mock.url}/v1`, apiKey: 'k1' } }
  const defaults = { model: 'one/small', workspace: join(root, 'work') }
  const house = { gateway: { port: 0 }, models: { providers }, agents: { defaults }, tools: rules }
  configure(root, JSON.stringify(house))
  const gateway = await startReal(root)
  const { payload } = await gateway.client.request('agent', { message: 'do it' })
  return [gateway, payload['runId']]
}

async function kill({ child, ended }: RealGateway): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

async function endOf({ client }: RealGateway, runId: unknown): Promise<[unknown, unknown]> {
  const { payload } = await client.request('agent.wait', { runId, timeoutMs: 20_000 })
  return [payload['status'], payload['text']]
}

/** What the model was told by tools in its last request. */
function resultsIn({ mock }: Scene): string[] {
  const { messages } = (mock.getRequests() as unknown as Asked[]).at(-1)!.body
  return messages.filter(({ role }) => role === 'tool').map(({ content }) => content)
}

tools(
  'TC1 killed during a command, it tells the model so, ends what ran, and runs nothing twice',
  async (scene) => {
    const work = join(scene.root, 'work')
    const command = 'echo once >> runs; sleep 600 & echo $$ $! > pids; wait'
    const [first, runId] = await begin(scene, command, { ask: [] })
    const pids = await until(() => {
      const said = readOr(join(work, 'pids')).split(' ')
      return said.length === 2 && said.map(Number)
    }, 'command that runs')

    await kill(first)

    // Nobody is there who could kill them but the guardian in their own group.
    await until(() => !pids.some(isAlive), 'end of the command and its child')
    const second = await startReal(scene.root)
    assert.equal(await endOf(second, runId), ['ok', 'over'])
    await stopReal(second)
    assert.is(readOr(join(work, 'runs')), 'once')
    assert.match(
      resultsIn(scene)[0] ?? '',
      /The gateway stopped during this call; it may or may not/,
    )
    const records = await recordsOf(join(scene.root, 'journal'))
    const ofCall = records.filter(({ stream }) => stream.startsWith('call:'))
    assert.is(ofCall.at(-1)?.value, 'uncertain')
  },
)

tools(
  'TC2 a question that nobody answers in time is told to the model, and nothing is run',
  async (scene) => {
    const command = 'echo once >> runs'
    const [gateway, runId] = await begin(scene, command, { askMinutes: 0.01 })
    const { payload } = await gateway.client.event(
      'approval',
      ({ status }) => status === 'requested',
    )

    const end = await endOf(gateway, runId)

    const { approvalId } = payload
    const late = { approvalId, decision: 'allow-once' }
    const { ok } = await gateway.client.request('approval.resolve', late)
    await stopReal(gateway)
    assert.equal([end, ok], [['ok', 'over'], false])
    assert.match(resultsIn(scene)[0] ?? '', /a person was asked, and nobody answered in time/)
    assert.is(readOr(join(scene.root, 'work', 'runs')), '')
  },
)

tools(
  'TC3 killed while a person is asked, it still asks, and runs what is allowed once',
  async (scene) => {
    const [first, runId] = await begin(scene, 'echo once >> runs', {})
    const { payload } = await first.client.event('approval', ({ status }) => status === 'requested')
    await kill(first)

    const second = await startReal(scene.root)
    const { approvalId } = payload
    await second.client.request('approval.resolve', { approvalId, decision: 'allow-once' })
    const end = await endOf(second, runId)

    await stopReal(second)
    assert.equal(end, ['ok', 'over'])
    assert.equal(resultsIn(scene), ['[exit code 0, no output]'])
    assert.is(readOr(join(scene.root, 'work', 'runs')), 'once')
  },
)

tools.run()
