/** Replay: what it finds the same, what it finds otherwise, and in which class. Rules K2, K8, R-1. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { openHistory } from '../../../actors/history.ts'
import { kinds } from '../../../machines/kinds.ts'
import { parseAllowed, parseIgnores } from '../../../machines/history/compare.ts'
import { recordedStates, replayRange } from '../../../machines/history/replay.ts'
import type { History, Kinds } from '../../../machines/history/source.ts'
import { type Code, codeOf } from '../../../machines/history/take.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { JournalEvent, JournalRecord } from '../../../protocol/record.ts'
import { cases } from '../../store/cases.ts'
import { ourCode, recordTraffic } from '../../support/traffic.ts'

const test = cases('replay')
const traffic = await recordTraffic()
const history = openHistory(traffic.store)
const all = { from: 1, to: history.head() }
const events = traffic.records().filter(({ kind }) => kind === 'event')

/** Our machines with one step of one kind bent. */
function bent(
  kind: string,
  bend: (stepped: object, before: unknown, event: JournalEvent) => object,
): Code {
  const own = kinds[kind as keyof typeof kinds]
  const stepper = {
    ...own.stepper,
    step: (...given: Parameters<typeof own.stepper.step>) =>
      bend(own.stepper.step(...given), given[0], given[1]) as ReturnType<typeof own.stepper.step>,
  }
  const bentKinds: Kinds = { ...kinds, [kind]: { ...own, stepper } }
  return codeOf('bent', bentKinds)
}

/** A history in which one record says something else. */
function altered(position: number, change: Partial<JournalRecord>): History {
  const read = (record: JournalRecord): JournalRecord =>
    record.position === position ? { ...record, ...change } : record
  return {
    ...history,
    *range(from, to) {
      for (const record of history.range(from, to)) yield read(record)
    },
    *stream(stream, from) {
      for (const record of history.stream(stream, from)) yield read(record)
    },
  }
}

test('R-1 what our own code recorded replays the same, record by record', () => {
  const result = replayRange(history, ourCode(), all)

  assert.equal([result.records, result.same, result.first], [events.length, events.length, null])
  assert.is(result.worst, 'same')
})

test('R-1 a range that begins later stands on states folded up to it', () => {
  for (const from of [5, 20, 38, all.to]) {
    const result = replayRange(history, ourCode(), { from, to: all.to })

    assert.is(result.first, null, `from #${from}`)
  }
})

test('R-2 another value is STATE, and replay goes on from the new state', () => {
  const code = bent('run', (stepped, before, { type }) =>
    type === 'effect.lost'
      ? { snapshot: before, effects: [], sends: [], ignored: 'unhandled' }
      : stepped,
  )

  const result = replayRange(history, code, all)

  const lost = traffic.find(
    ({ event, stream }) => event.type === 'effect.lost' && stream.startsWith('run:'),
  )
  assert.equal([result.first, result.worst], [lost, 'STATE'])
  assert.is(result.diffs[1]?.stream, result.diffs[0]?.stream)
  assert.is(result.counts.STATE, 2)
})

test('R-2 each class is told by what differs', () => {
  const sent = traffic.find(({ sends, kind }) => kind === 'event' && sends.length > 0)
  const armed = traffic.find((record) => record.armed.length > 0)
  const effect = traffic.find(({ effects }) => effects.length > 0)
  const classAt = (position: number, change: Partial<JournalRecord>): unknown =>
    replayRange(altered(position, change), ourCode(), all).diffs[0]?.class

  assert.is(classAt(sent, { sends: [] }), 'SENDS')
  assert.is(classAt(armed, { armed: [] }), 'TIMERS')
  assert.is(classAt(effect, { effects: [] }), 'EFFECTS')
  assert.is(classAt(effect, { value: 'elsewhere' }), 'STATE')
  assert.is(classAt(effect, { ignored: 'refused' }), 'STATE')
  assert.is(classAt(effect, { stateHash: '0'.repeat(16) }), 'context')
})

test('R-2 a machine that throws is ERROR, and the others are still compared', () => {
  const code = bent('delivery', () => {
    throw new Error('planted')
  })

  const result = replayRange(history, code, all)

  assert.is(result.worst, 'ERROR')
  assert.is(result.diffs[0]?.now.error, 'planted')
  assert.ok(result.diffs.every(({ stream }) => stream.startsWith('delivery:')))
})

test('R-3 what is allowed is counted and does not diverge; what is not, does', () => {
  const effect = traffic.find(({ effects }) => effects.some(({ name }) => name === 'model.call'))
  const history = altered(effect, { effects: [] })
  const replayed = (allow: string): unknown[] => {
    const { first, allowed } = replayRange(history, ourCode(), all, {
      allowed: [parseAllowed(allow)],
    })
    return [first, allowed]
  }

  assert.equal(replayed('EFFECTS:model.*'), [null, 1])
  assert.equal(replayed('effects'), [null, 1])
  assert.equal(replayed('EFFECTS:message.*'), [effect, 0])
  assert.equal(replayed('STATE'), [effect, 0])
})

test('R-3 an ignored part of the context does not count; another part does', () => {
  const code = bent('session', (stepped) => {
    const { snapshot } = stepped as { snapshot: { context: { turn: number } } }
    const context = { ...snapshot.context, turn: snapshot.context.turn + 100 }
    return { ...stepped, snapshot: Object.assign(Object.create(snapshot), snapshot, { context }) }
  })
  const replayed = (pointer: string): string =>
    replayRange(
      history,
      code,
      { from: 1, to: 5 },
      {
        ignores: parseIgnores([pointer]),
        recordedState: recordedStates(history, ourCode()),
      },
    ).worst

  assert.is(replayed('/turn'), 'same')
  assert.is(replayed('/queue'), 'context')
})

test('R-3 a context that differs names the paths, where code that agrees is at hand', () => {
  const code = bent('session', (stepped) => {
    const { snapshot } = stepped as { snapshot: { context: object } }
    const context = { ...snapshot.context, turn: 100 }
    return { ...stepped, snapshot: Object.assign(Object.create(snapshot), snapshot, { context }) }
  })
  const recordedState = recordedStates(history, ourCode())

  const { diffs } = replayRange(history, code, { from: 1, to: 5 }, { recordedState })

  assert.equal(diffs[0]?.paths, ['/turn'])
})

test('R-3 flags that cannot be read are refused', () => {
  for (const run of [
    () => parseAllowed('LOUD'),
    () => parseAllowed('same'),
    () => parseIgnores(['']),
  ]) {
    try {
      run()
      assert.unreachable()
    } catch (error) {
      assert.is(error instanceof GatewayError && error.code, 'USAGE')
    }
  }
})

test.run()
