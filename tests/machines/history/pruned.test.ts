/** History with holes: what was compacted away is told as such, and never guessed. Rule H3. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { openHistory } from '../../../actors/history.ts'
import { checkControl, CONTROL, rerunSegment } from '../../../machines/history/fork.ts'
import { readGoal } from '../../../machines/history/goal.ts'
import { fatesOf } from '../../../machines/history/links.ts'
import { assertWhole } from '../../../machines/history/segment.ts'
import { stateAt } from '../../../machines/history/state.ts'
import { explainAbsence } from '../../../machines/history/why-not.ts'
import { explainRecord } from '../../../machines/history/why.ts'
import { kinds } from '../../../machines/kinds.ts'
import { cases } from '../../store/cases.ts'
import { answerOf, refusal } from '../../store/contract.ts'
import { ourCode, recordTraffic } from '../../support/traffic.ts'

const test = cases('pruned')
const SESSION = 'session:agent:main:irc:direct:ann'
const traffic = await recordTraffic()
const whole = traffic.records()
const runOfM4 = whole.find(
  ({ event }) => event.type === 'run.requested' && event['runId'] === 'run-m4',
)
const compacted = [SESSION, 'run:run-m4', 'delivery:reply-run-m1'] as const
for (const stream of compacted) await traffic.kernel.kernel.compact(stream)
const history = openHistory(traffic.store)
const head = history.head()
const kept = [...history.range(1, head)]

test('H3.4 the outputs of every record that is left are followed, through holes too', () => {
  assert.ok(kept.length < whole.length && runOfM4 !== undefined)
  for (const record of kept) {
    const { sends } = fatesOf(history, record, head)

    assert.is(sends.length, record.sends.length, `#${record.position}`)
  }
})

test('H3.4 a state is as it was, or pruned, at every position', () => {
  const ends = new Map<string, string>()
  let answered = 0
  for (const { position, stream, stateHash } of whole) {
    ends.set(stream, stateHash)
    for (const [each, hash] of ends) {
      const found = answerOf(() => stateAt(history, kinds, each as typeof stream, { position }))

      if (found === 'pruned') continue
      assert.is(found?.folded.hash, hash, `${each} at #${position}`)
      answered += 1
    }
  }
  assert.ok(answered > 0)
})

test('H3.4 why and why --not answer, or say that it is pruned', () => {
  const verdicts = new Map<string, string>()
  let explained = 0
  for (const { position, event } of kept) {
    if (answerOf(() => explainRecord(history, kinds, position)) !== 'pruned') explained += 1
    if (event.type !== 'message.received') continue
    const verdict = answerOf(() => {
      const goal = readGoal(history, `reply-to:#${position}`, null)
      return explainAbsence(history, kinds, { ...goal, alive: false }).verdict
    })
    verdicts.set(String(event['messageId']), verdict)
  }
  assert.ok(explained > 0)
  for (const messageId of ['m1', 'm4', 'm5']) {
    const verdict = verdicts.get(messageId) ?? 'not asked for'
    assert.ok(['happened', 'pruned'].includes(verdict), `${messageId}: ${verdict}`)
  }
  assert.is(verdicts.get('m2'), 'refused')
})

test('F-1 a stretch with holes is refused as pruned, behind them it runs', async () => {
  const ran = { whole: 0, refused: 0 }
  for (let at = 0; at < head; at += 1) {
    const segment = answerOf(() => traffic.segment(at))
    if (segment === 'pruned') continue
    const isWhole = answerOf(() => assertWhole(segment)) !== 'pruned'
    ran[isWhole ? 'whole' : 'refused'] += 1
    const holes = whole.some(({ position }) => position > at && history.read(position) === null)

    assert.is(isWhole, !holes, `cut at #${at}`)
    if (isWhole) {
      assert.ok(checkControl(segment, rerunSegment(segment, ourCode(), CONTROL)).identical)
    }
  }
  assert.ok(ran.whole > 0 && ran.refused > 0, JSON.stringify(ran))
  await refusal(() => assertWhole(traffic.segment(0)), 'HISTORY_PRUNED')
})

test.run()
