/**
 * A disk that fails under a gateway that serves: the errors come out of its libc, so that LMDB meets
 * them where it would meet a broken medium (tests/fixtures/shim.c).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { TestClient } from '../support/client.ts'
import { withDirectory } from '../support/directory.ts'
import { impatient } from '../support/impatient.ts'
import { streamOf } from '../support/journal.ts'
import { until } from '../support/wait.ts'
import {
  ask,
  askAll,
  configure,
  holdToItsWord,
  startReal,
  stopReal,
  turn,
} from '../support/real-gateway.ts'
import { ERRNO, openShim, type ShimCall, whyNoShim } from '../support/shim.ts'

const test = cases('disk faults')
const noShim = whyNoShim()
const SESSION = 'session:agent:main:real'
const END_MS_MAX = limits.crashGraceMs + 6_000 // Five at a time, on a machine with more to do.
const COMMIT_DELAY_MS = 2_000

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

test.run()
