/**
 * Clocks and time zones under a gateway that serves: the wall clock is moved in what its libc tells
 * (tests/fixtures/shim.c), since the machine's own belongs to others too.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { withDirectory } from '../support/directory.ts'
import { impatient } from '../support/impatient.ts'
import { recordsOf } from '../support/journal.ts'
import { ask, askAll, configure, startReal, stopReal, turn } from '../support/real-gateway.ts'
import { openShim, type Shim, whyNoShim } from '../support/shim.ts'
import { until } from '../support/wait.ts'

const test = cases('clock faults')
const noShim = whyNoShim()
const HOUR_S = 3_600
const QUICK = impatient({ tickIntervalMs: 200, heartbeatMs: 100 })

interface Line {
  readonly time: string
  readonly msg: string
}

function linesOf(stateDir: string): Line[] {
  const text = readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8').trim()
  return text.split('\n').map((line) => JSON.parse(line) as Line)
}

/** Sets the wall clock of the shim to a moment. */
function setClock(shim: Shim, moment: string): void {
  shim.moveClock((Date.parse(moment) - Date.now()) / 1_000)
}

test.unless(
  noShim,
  'F25 a wall clock two hours back, then three days ahead: all stay connected, ticks are steady, it is said',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const shim = openShim(stateDir)
      const gateway = await startReal(stateDir, { ...shim.env, ...QUICK })
      const { client } = gateway
      await turn(client, 'before')
      const ticks = (): number => client.events.filter(({ event }) => event === 'tick').length
      const moreTicks = async (): Promise<number> => {
        const [count, startedAt] = [ticks(), performance.now()]
        await until(() => ticks() >= count + 5, 'ticks')
        return performance.now() - startedAt
      }

      shim.moveClock(-2 * HOUR_S)
      await until(() => linesOf(stateDir).some(({ msg }) => /set back/.test(msg)), 'line of it')
      const backMs = await moreTicks()
      await turn(client, 'back')
      shim.moveClock(72 * HOUR_S)
      await until(
        async () =>
          (await recordsOf(join(stateDir, 'journal'))).some(
            ({ event }) => event.type === 'host.slept',
          ),
        'record of it',
      )
      const aheadMs = await moreTicks()
      await turn(client, 'ahead')
      const again = await askAll(client, ['before', 'back', 'ahead'])
      const open = client.socket.readyState
      await stopReal(gateway)

      assert.is(open, client.socket.OPEN)
      for (const ms of [backMs, aheadMs]) assert.ok(ms > 600 && ms < 5_000, `${Math.round(ms)} ms`)
      assert.not.match([...again.values()].join(), 'refused')
      const slept = (await recordsOf(join(stateDir, 'journal'))).filter(
        ({ event }) => event.type === 'host.slept',
      )
      assert.is(slept.length, 1)
      assert.is(Math.round(Number(slept[0]?.event['ms']) / 1_000 / HOUR_S), 74)
    }),
)

for (const [what, moment] of [
  ['leaps', '2026-03-08T06:59:58.000Z'],
  ['comes twice', '2026-11-01T05:59:58.000Z'],
] as const) {
  test.unless(noShim, `F26 an hour that ${what}: a wait fires once, and stored times are UTC`, () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const shim = openShim(stateDir)
      setClock(shim, moment)
      const gateway = await startReal(stateDir, { ...shim.env, TZ: 'America/New_York' })
      const { payload } = await gateway.client.request('config.get')
      const raw = '{ session: { dmScope: "main" } }'
      const change = { raw, baseHash: payload['hash'], restartDelayMs: 2_500 }
      await gateway.client.request('config.patch', change)
      const restarts = (): number =>
        linesOf(stateDir).filter(({ msg }) => msg === 'gateway restarted').length
      await until(() => restarts() > 0, 'restart that was due')
      gateway.child.kill('SIGTERM')
      await gateway.ended
      await gateway.client.close()

      assert.is(restarts(), 1)
      const times = linesOf(stateDir).map(({ time }) => time)
      assert.ok(times.every((time) => time.endsWith('Z') && time.startsWith(moment.slice(0, 10))))
      assert.equal(times, times.toSorted())
      const at = (await recordsOf(join(stateDir, 'journal'))).map((record) => record.at)
      assert.equal(
        at,
        at.toSorted((one, other) => one - other),
      )
      assert.ok(
        at.some((ms) => ms > Date.parse(moment) + 2_000),
        'it was there',
      )
    }),
  )
}

test('F27 a zone that is none: it runs in UTC, and says so', () =>
  withDirectory(async (stateDir) => {
    configure(stateDir)
    const gateway = await startReal(stateDir, { TZ: 'Nowhere/Never' })
    await turn(gateway.client, 'once')
    await stopReal(gateway)

    const lines = linesOf(stateDir)
    assert.ok(lines.every(({ time }) => time.endsWith('Z')))
    const line = JSON.stringify(lines.find(({ msg }) => /time zone/.test(msg)))
    assert.match(line, 'Nowhere/Never')
    const known = await startReal(stateDir, { TZ: 'Europe/Paris' })
    await stopReal(known)
    assert.is(linesOf(stateDir).filter(({ msg }) => /time zone/.test(msg)).length, 1)
  }))

test.unless(
  noShim,
  'F56 stopped, and its clock moved meanwhile: it goes on, and nothing comes twice',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const shim = openShim(stateDir)
      const gateway = await startReal(stateDir, { ...shim.env, ...QUICK })
      const before = await askAll(gateway.client, ['a', 'b'])
      for (const hours of [-2, 72]) {
        gateway.child.kill('SIGSTOP')
        shim.moveClock(hours * HOUR_S)
        gateway.child.kill('SIGCONT')
        assert.is((await ask(gateway.client, `after ${hours}`)).ok, true)
      }
      const after = await askAll(gateway.client, ['a', 'b'])
      await stopReal(gateway)

      assert.equal([...after], [...before])
      const accepted = (await recordsOf(join(stateDir, 'journal'))).filter(
        ({ event, ignored }) => event.type === 'message.accepted' && ignored === null,
      )
      assert.is(accepted.length, 4)
    }),
)

test.run()
