/**
 * A disk that fails under a gateway that serves: the errors come out of its libc, so that LMDB meets
 * them where it would meet a broken medium (tests/fixtures/shim.c).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../protocol/config/parse.ts'
import { limits } from '../../protocol/limits.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'
import { withDirectory } from '../support/directory.ts'
import { impatient } from '../support/impatient.ts'
import { recordsOf, streamOf } from '../support/journal.ts'
import { until } from '../support/wait.ts'
import { ask, askAll, configure, startReal, stopReal, turn } from '../support/real-gateway.ts'
import { ERRNO, openShim, type ShimCall, whyNoShim } from '../support/shim.ts'

const test = cases('disk faults')
const noShim = whyNoShim()
const SESSION = 'session:agent:main:real'
const END_MS_MAX = limits.crashGraceMs + 6_000 // Five at a time, on a machine with more to do.
const COMMIT_DELAY_MS = 2_000

const isOurs = (name: string): boolean => !name.startsWith('shim.')

/** Starts anew without faults; what was acknowledged must be answered as it was. */
async function holdToItsWord(stateDir: string, promised: Map<string, string>): Promise<void> {
  const gateway = await startReal(stateDir)
  const again = await askAll(gateway.client, [...promised.keys()])
  const next = await ask(gateway.client, 'next')
  await stopReal(gateway)
  assert.equal([...again], [...promised])
  assert.is(next.ok, true)
  const { faults } = await verifyInChild(join(stateDir, 'journal'), { deep: true })
  assert.equal(faults, [])
}

test.unless(
  noShim,
  'F02 killed between append and answer: the same key gets one answer, and one message stands',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const shim = openShim(stateDir)
      const first = await startReal(stateDir, shim.env)
      await turn(first.client, 'before') // Whatever a start still writes has been written.
      const known = (await streamOf(join(stateDir, 'journal'), SESSION)).length
      shim.killAt('meta')
      const asked = ask(first.client, 'once').catch(() => 'unanswered')
      const { signal } = await first.ended
      const unanswered = await asked
      const before = (await streamOf(join(stateDir, 'journal'), SESSION)).length

      const second = await startReal(stateDir)
      const [one, two] = [await ask(second.client, 'once'), await ask(second.client, 'once')]
      await stopReal(second)

      assert.is(signal, 'SIGKILL')
      assert.is(unanswered, 'unanswered')
      assert.is(before, known + 1, 'it was on disk')
      assert.equal([one.ok, two.payload], [true, one.payload])
      const accepted = (await streamOf(join(stateDir, 'journal'), SESSION)).filter(
        ({ event, ignored }) => event.type === 'message.accepted' && ignored === null,
      )
      assert.is(accepted.length, 2)
    }),
)

const ERRORS: readonly (readonly [ShimCall, keyof typeof ERRNO])[] = [
  ['sync', 'EIO'],
  ['write', 'EIO'],
  ['write', 'EFBIG'],
  ['write', 'EROFS'],
  ['meta', 'EIO'],
]

test.unless(
  noShim,
  'F09 F10 F11 whichever write or sync fails, the gateway ends at once, unanswered; the next keeps its word',
  async () => {
    await Promise.all(
      ERRORS.map(([call, name]) =>
        withDirectory(async (stateDir) => {
          configure(stateDir)
          const shim = openShim(stateDir)
          const gateway = await startReal(stateDir, shim.env)
          const promised = await askAll(gateway.client, ['a', 'b', 'c'])
          const startedAt = performance.now()
          shim.fail(call, ERRNO[name])

          const answer = await ask(gateway.client, 'd').then(
            ({ ok }) => ok,
            () => 'unanswered',
          )
          const { signal } = await gateway.ended
          const ms = performance.now() - startedAt

          assert.is.not(answer, true)
          // lmdb-js may abort in its own error path (D-R3); both are an end.
          assert.match(String(signal), /^SIG(?:KILL|ABRT|SEGV)$/)
          assert.ok(ms < END_MS_MAX, `${call} ${name}: ${Math.round(ms)} ms`)
          const log = readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')
          if (signal === 'SIGKILL') assert.match(log, 'STORE_FAILED')
          await holdToItsWord(stateDir, promised)
        }),
      ),
    )
  },
)

test.unless(
  noShim,
  'F12 a slow disk delays answers and nothing else; a full queue is told to come again',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const shim = openShim(stateDir)
      const gateway = await startReal(stateDir, {
        ...shim.env,
        ...impatient({ commitHangMs: 500 }),
      })
      const other = new TestClient(gateway.url)
      await other.connect({ deviceId: 'device-2' })
      shim.delay('sync', COMMIT_DELAY_MS)

      const startedAt = performance.now()
      const asked = ask(gateway.client, 'slow')
      const health = await other.request('health')
      const healthMs = performance.now() - startedAt
      const slow = await asked
      const slowMs = performance.now() - startedAt
      shim.delay('sync', 60_000)
      const count = limits.outstandingRequestsMax + 8
      const crowd = Array.from({ length: count }, (_, n) => ask(gateway.client, `${n}`, `s${n}`))
      const refused = await Promise.race(crowd)
      const hangs = await until(async () => {
        const { payload } = await other.request('health', { probe: true })
        return JSON.stringify(payload).includes('a commit has been under way')
      }, 'commit that hangs')
      shim.heal()
      const answers = await Promise.all(crowd)
      await other.close()
      await stopReal(gateway)

      assert.is(health.ok, true)
      assert.ok(healthMs < COMMIT_DELAY_MS / 2, `${Math.round(healthMs)} ms`)
      assert.is(slow.ok, true)
      assert.ok(slowMs >= COMMIT_DELAY_MS, `${Math.round(slowMs)} ms`)
      assert.equal([refused.error?.code, refused.error?.retryable], ['UNAVAILABLE', true])
      assert.is(answers.filter(({ ok }) => ok === true).length, limits.outstandingRequestsMax)
      assert.ok(hangs)
    }),
)

test.unless(noShim, 'F04 killed at any commit of a compaction: the old journal or the new', () =>
  withDirectory(async (stateDir) => {
    configure(stateDir)
    const gateway = await startReal(stateDir)
    for (const key of ['a', 'b', 'c', 'd']) await turn(gateway.client, key, 'compacted')
    const promised = await askAll(gateway.client, ['e', 'f'])
    await stopReal(gateway)
    const shim = openShim(stateDir)
    const ends: (number | null)[] = []

    for (let commits = 0; ends.at(-1) !== 0 && commits < 40; commits += 1) {
      shim.killAt('meta', commits)
      const { code } = await cli(
        stateDir,
        ['history', 'compact', 'session:agent:main:compacted', '--yes'],
        shim.env,
      )
      ends.push(code)
      const { ok } = await verifyInChild(join(stateDir, 'journal'), { deep: true })
      assert.ok(ok)
    }

    assert.ok(ends.length > 3 && ends.slice(0, -1).every((code) => code === null), ends.join(' '))
    await holdToItsWord(stateDir, promised)
  }),
)

test.unless(
  noShim,
  'F04 killed at any moment of a change of configuration: the old or the new',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir, '{ gateway: { port: 0 }, session: { maxMessages: 400 } }')
      const shim = openShim(stateDir)
      const found = new Set<number>()

      for (let commits = 0; commits < 5; commits += 1) {
        shim.heal()
        const gateway = await startReal(stateDir, shim.env)
        const { payload } = await gateway.client.request('config.get')
        const raw = `{ session: { maxMessages: ${500 + commits} } }`
        shim.killAt('meta', commits)
        const patched = gateway.client.request('config.patch', { raw, baseHash: payload['hash'] })
        await patched.catch(() => null)
        gateway.child.kill('SIGKILL')
        await gateway.ended

        const text = readFileSync(join(stateDir, 'openclaw.json'), 'utf8')
        const { config, issues } = parseConfig(text, { file: 'openclaw.json', env: {} })
        assert.equal(issues, [])
        found.add(Number(config.session?.maxMessages))
      }

      const [last] = [...found].slice(-1)
      assert.ok(
        [...found].every((value) => value === 400 || value >= 500),
        [...found].join(' '),
      )
      const next = await startReal(stateDir)
      const { payload } = await next.client.request('config.get')
      await stopReal(next)
      assert.match(JSON.stringify(payload), `"maxMessages":${last}`)
      const drafts = readdirSync(stateDir, { recursive: true, encoding: 'utf8' })
      assert.equal(
        drafts.filter((name) => isOurs(name) && name.endsWith('.tmp')),
        [],
      )
      assert.ok((await recordsOf(join(stateDir, 'journal'))).length > 0)
    }),
)

test.run()
