/** `openclaw config` and the restart behind it, as processes: the words and codes that a user sees. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { cli, startCli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { streamOf } from '../support/journal.ts'
import { until } from '../support/wait.ts'

const test = cases('config verbs')

interface House {
  readonly stateDir: string
  readonly file: string
  readonly run: (...args: string[]) => ReturnType<typeof cli>
}

async function withGateway(look: (house: House) => Promise<void>, config = '{}'): Promise<void> {
  await withDirectory(async (stateDir) => {
    const file = join(stateDir, 'openclaw.json')
    writeFileSync(file, config)
    const gateway = startCli(stateDir, ['gateway', '--port', '0'])
    await gateway.says(/ready at/)
    try {
      await look({ stateDir, file, run: (...args) => cli(stateDir, args) })
    } finally {
      await cli(stateDir, ['gateway', 'stop'])
      await gateway.ended
    }
  })
}

async function settled({ run }: House): Promise<string> {
  return until(async () => {
    const { code, stdout } = await run('health', '--json')
    return code === 0 || code === 1 ? stdout : null
  }, 'a gateway that answers')
}

test('C57 without a gateway: what is broken is refused with its place, and nothing is written', () =>
  withDirectory(async (stateDir) => {
    const run = (...args: string[]) => cli(stateDir, args)
    const set = await run('config', 'set', 'session.maxMessages', '7')
    const wrong = await run('config', 'set', 'session.maxMessages', 'many')
    const got = await run('config', 'get', 'session.maxMessages')
    const part = await run('config', 'get', 'session')
    writeFileSync(join(stateDir, 'openclaw.json'), '{\n  session: {\n')
    const broken = await run('config', 'validate')

    assert.equal([set.code, got.code, got.stdout], [0, 0, '7\n'])
    assert.is(part.stdout, '{\n  "maxMessages": 7\n}\n')
    assert.equal(
      [wrong.code, /session\.maxMessages: expected an integer/.test(wrong.stderr)],
      [78, true],
    )
    assert.equal([broken.code, /openclaw\.json:\d+:\d+/.test(broken.stderr)], [78, true])
    assert.is((await run('config', 'get', 'gateway.port')).code, 78)
    assert.is((await run('config', 'set', '__proto__.x', '1')).code, 2)
  }))

test('C51 with a gateway a hot part is changed at once, and others restart it in its process', () =>
  withGateway(async (house) => {
    const { run } = house
    const hot = await run('config', 'set', 'agents.defaults.systemPrompt', 'be kind')
    const cold = await run('config', 'set', 'agents.defaults.maxConcurrent', '2')
    const records = await until(async () => {
      const found = await streamOf(join(house.stateDir, 'journal'), 'config:main')
      return found.filter(({ event }) => event.type === 'config.booted').length > 1 ? found : null
    }, 'the restart')
    await settled(house)

    assert.match(hot.stdout, /changed agents\.defaults\.systemPrompt: takes effect at once/)
    assert.match(cold.stdout, /changed agents\.defaults\.maxConcurrent: the gateway restarts/)
    assert.is(records.at(-1)?.value, 'idle')
    assert.is((await run('config', 'get', 'agents.defaults.maxConcurrent')).stdout, '2\n')
  }))

test('C59 a configuration that does not start is rolled back, and the gateway serves on', () =>
  withGateway(async (house) => {
    await house.run('config', 'set', 'gateway.bind', '"192.0.2.1"')
    const refused = await house.run('config', 'get', 'gateway.bind')
    await house.run('agent', '--message', 'still there', '--json')
    const patched = await house.run(
      'config',
      'set',
      'gateway',
      `{ bind: "192.0.2.1", auth: { token: "a-long-token" } }`,
    )
    const end = await until(async () => {
      const records = await streamOf(join(house.stateDir, 'journal'), 'config:main')
      const last = records.at(-1)
      return last?.event.type === 'config.booted' && records.length > 3 ? last : null
    }, 'the roll-back')
    await settled(house)

    assert.is(refused.code, 10)
    assert.is(patched.code, 0)
    assert.is(end.value, 'idle')
    assert.equal(JSON.parse(readFileSync(house.file, 'utf8')), {})
    assert.match(readFileSync(`${house.file}.rejected`, 'utf8'), /192\.0\.2\.1/)
    const { stdout } = await house.run('agent', '--message', 'after all')
    assert.match(stdout, /after all/)
  }))

test('C60 a broken file at the start: the last good one runs, loudly; without one the start is refused', () =>
  withDirectory(async (stateDir) => {
    const file = join(stateDir, 'openclaw.json')
    writeFileSync(file, '{ nonsense')
    const first = await cli(stateDir, ['gateway', '--port', '0'])
    assert.equal([first.code, /openclaw\.json:1:/.test(first.stderr)], [78, true])

    writeFileSync(file, '{ session: { maxMessages: 8 } }')
    const good = startCli(stateDir, ['gateway', '--port', '0'])
    await good.says(/ready at/)
    await cli(stateDir, ['gateway', 'stop'])
    await good.ended
    writeFileSync(file, '{ nonsense')
    const again = startCli(stateDir, ['gateway', '--port', '0'])
    await again.says(/ready at/)
    const health = await cli(stateDir, ['health', '--json'])
    const got = await cli(stateDir, ['config', 'get', 'session.maxMessages'])
    await cli(stateDir, ['gateway', 'stop'])
    const { stderr } = await again.ended
    const behind = await cli(stateDir, ['gateway', '--daemon', '--port', '0'])
    await cli(stateDir, ['gateway', 'stop'])

    assert.match(behind.stderr, 'the configuration is broken; the last good one runs')
    assert.is(health.code, 1)
    assert.match(health.stdout, /the written one is not used/)
    assert.is(got.stdout, '8\n')
    assert.match(stderr, /broken/)
  }))

test.run()
