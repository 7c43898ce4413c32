/**
 * Replay, forks and exploration are inert: with every door out of the process trapped, and the
 * outbox that hands work to drivers, none is tried. R-7.
 */
import '../../../actors/trap.ts'
import childProcess from 'node:child_process'
import dgram from 'node:dgram'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import * as assert from 'uvu/assert'
import { openHistory } from '../../../actors/history.ts'
import { Outbox } from '../../../actors/outbox.ts'
import { exploreSegment } from '../../../machines/history/explore.ts'
import { CONTROL, rerunSegment } from '../../../machines/history/fork.ts'
import { parseEdit } from '../../../machines/history/edits.ts'
import { replayRange } from '../../../machines/history/replay.ts'
import { cases } from '../../store/cases.ts'
import { settle } from '../../support/clock.ts'
import { accepted, directFrom, received, requested } from '../../support/facts.ts'
import { EFFECTS, openTestKernel, type TestKernel } from '../../support/kernel.ts'
import { ourCode, recordTraffic, TEST_CODE } from '../../support/traffic.ts'

const test = cases('inert')
const traffic = await recordTraffic()
await traffic.kernel.kernel.stop()
const history = openHistory(traffic.store)
const life = await recordEveryEffect()
const whole = openHistory(life.store)
const called: string[] = []

/** A life in which each effect is wished for once; all come before the traps. */
async function recordEveryEffect(): Promise<TestKernel> {
  const recorded = openTestKernel({ code: TEST_CODE })
  const { kernel, tell } = recorded
  const done = { type: 'effect.done', effect: '1.e0', attempt: 1, reason: '' }
  const policy = { dmPolicy: 'pairing', allowFrom: [], groupPolicy: 'disabled', rooms: {} }
  const change = { change: 'c1', via: 'patch', by: 'd', base: 'a', hash: 'b', before: 'b:1' }
  const shape = { after: 'b:2', paths: 1, hot: false, delayMs: 0, wake: null }
  await tell('channel:irc', { type: 'channel.enabled', channel: 'irc', policy })
  await tell('channel:irc', received('m1', { ...directFrom('eve'), codeDigest: 'd' }))
  await tell('channel:irc', { type: 'channel.disabled' })
  await tell('session:agent:main:main', accepted('r1'))
  await settle()
  await tell('run:r1', { type: 'run.aborted', by: 'test' })
  await tell('delivery:d1', requested('d1'))
  await tell('config:main', { type: 'config.proposed', ...change, ...shape })
  await tell('config:main', { ...done, name: 'config.check', valid: true })
  await tell('config:main', { ...done, name: 'config.write' })
  await recorded.services.clock.advance(1)
  await settle()
  await kernel.stop()
  return recorded
}

function trap(owner: object, names: readonly string[]): void {
  for (const name of names) {
    Reflect.set(owner, name, () => {
      called.push(name)
      throw new Error(`${name} was called`)
    })
  }
}

trap(net, ['connect', 'createConnection'])
trap(net.Socket.prototype, ['connect'])
trap(dgram, ['createSocket'])
trap(http, ['request', 'get'])
trap(childProcess, ['spawn', 'exec', 'fork', 'execFile'])
trap(globalThis, ['fetch'])
syncBuiltinESMExports()
const attempt: unknown = Reflect.get(Outbox.prototype, 'committed')
trap(Outbox.prototype, ['committed', 'lose'])

test('R-7 the traps are live: what they guard against is noticed', () => {
  assert.throws(() => net.connect(1), /was called/)
  assert.type(attempt, 'function')
  assert.is(called.length, 1)
  called.length = 0
})

test('R-7 P32 a whole journal replays, forks and explores without a door being tried', async () => {
  const before = traffic.records().length
  const message = traffic.find(({ event }) => event['messageId'] === 'm1')
  const edits = [parseEdit('edit', `#${message}.facts.model="other"`)]

  const replayed = replayRange(history, ourCode(), { from: 1, to: history.head() })
  const branch = rerunSegment(traffic.segment(), ourCode(), { ...CONTROL, edits, onMiss: 'stub' })
  const { points } = exploreSegment(traffic.segment(), ourCode(), { budget: 50 })
  await settle()

  assert.is(replayed.first, null)
  assert.ok(branch.counts.stub > 0 && branch.records.some(({ effects }) => effects.length > 0))
  assert.ok(points > 0)
  assert.equal(called, [])
  assert.is(traffic.records().length, before)
  assert.is(traffic.kernel.given.length, 0)
})

test('R-7 P32 records of every effect that our machines know replay, and no driver is asked', () => {
  const wished = life.records().flatMap(({ effects }) => effects.map(({ name }) => name))
  const asked = life.given.length

  const replayed = replayRange(whole, ourCode(), { from: 1, to: whole.head() })

  for (const name of EFFECTS) assert.ok(wished.includes(name), name)
  assert.is(replayed.first, null)
  assert.equal([called, life.given.length], [[], asked])
})

test.run()
