/** One invocation, step by step: asked once, and what is known of its end. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { INVOCATION_ENDS, type InvocationContext } from '../../machines/invocation.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatValue } from '../../machines/step.ts'
import type { JournalEvent } from '../../protocol/record.ts'

const invocation = suite('invocation')
const { stepper } = kinds.invocation
const REQUESTED = {
  type: 'invocation.requested',
  invocationId: 'i',
  nodeId: 'n',
  command: 'system.which',
  ref: 'b:1',
  timeoutMs: 9_000,
}
const OUTCOME = { effect: '1.e0', name: 'node.call', attempt: 1 }

function fold(...events: readonly JournalEvent[]) {
  let snapshot = stepper.initial
  const effects = []
  let ignored: string | null = null
  for (const event of events) {
    const stepped = stepper.step(snapshot, event, 1_000)
    effects.push(...stepped.effects)
    ignored = stepped.ignored
    snapshot = stepped.snapshot
  }
  const context = snapshot.context as InvocationContext
  return { value: formatValue(snapshot), context, effects, ignored }
}

const failed = (fault: string, sent: string) => ({
  type: 'effect.failed',
  ...OUTCOME,
  class: fault,
  retryable: false,
  retryAfterMs: null,
  random: 0,
  sent,
})

invocation('IV1 a request asks the node once, by ref', () => {
  const { value, effects } = fold(REQUESTED)

  assert.is(value, 'calling')
  const { type: _, ...params } = REQUESTED
  assert.equal(effects, [{ name: 'node.call', params }])
  assert.is(fold(REQUESTED, REQUESTED).ignored, 'unhandled')
})

invocation('IV2 every outcome ends it; what may have run is uncertain', () => {
  const cases: [JournalEvent, string, string][] = [
    [{ type: 'effect.done', ...OUTCOME, ref: 'b:2' }, 'done', ''],
    [failed('disconnected', 'no'), 'failed', 'disconnected'],
    [failed('disconnected', 'maybe'), 'uncertain', 'disconnected'],
    [failed('timeout', 'maybe'), 'uncertain', 'timeout'],
    [{ type: 'effect.cancelled', ...OUTCOME }, 'failed', 'lost'],
    [{ type: 'effect.lost', ...OUTCOME, started: false }, 'failed', 'lost'],
    [{ type: 'effect.lost', ...OUTCOME, started: true }, 'uncertain', 'lost'],
  ]
  for (const [outcome, state, fault] of cases) {
    const { value, context, effects } = fold(REQUESTED, outcome)

    assert.equal([value, context.fault], [state, fault], JSON.stringify(outcome))
    assert.ok(INVOCATION_ENDS.has(value))
    assert.is(effects.length, 1, 'it is never asked again')
    assert.is(fold(REQUESTED, outcome, outcome).ignored, 'unhandled')
  }
  assert.is(fold(REQUESTED, cases[0]![0]).context.resultRef, 'b:2')
})

invocation.run()
