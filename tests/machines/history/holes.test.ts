/** What is answered beside holes: all that is left, and which ranges of which actors are gone. H3.7 */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { openBundle, type BundleParts, readBundle, writeBundle } from '../../../actors/bundle.ts'
import { cutBundle } from '../../../actors/bundle-export.ts'
import { verifyBundle } from '../../../actors/bundle-verify.ts'
import { openHistory } from '../../../actors/history.ts'
import { formatBase } from '../../../actors/history.ts'
import { bisectStates, statesOf } from '../../../machines/history/bisect.ts'
import { diffStates } from '../../../machines/history/diff.ts'
import { readGoal } from '../../../machines/history/goal.ts'
import { oldestTold, prunedRanges, standingBase } from '../../../machines/history/holes.ts'
import { openWorkAt } from '../../../machines/history/open.ts'
import { replayRange } from '../../../machines/history/replay.ts'
import { stateAt } from '../../../machines/history/state.ts'
import { explainAbsence } from '../../../machines/history/why-not.ts'
import { findWriter, outcomeAt } from '../../../machines/history/why.ts'
import { kinds } from '../../../machines/kinds.ts'
import { saveOpenWork } from '../../../machines/projections/open-work.ts'
import type { StreamId } from '../../../protocol/ids.ts'
import { cases } from '../../store/cases.ts'
import { faultOf, refusal } from '../../store/contract.ts'
import { cutAt } from '../../support/cut.ts'
import { ourCode, recordTraffic, TEST_CODE, type Traffic } from '../../support/traffic.ts'

const test = cases('holes')
const SESSION: StreamId = 'session:agent:main:irc:direct:ann'
const GONE: readonly StreamId[] = [SESSION, 'run:run-m4', 'delivery:reply-run-m1', 'channel:irc']

interface Scene {
  readonly traffic: Traffic
  readonly whole: ReturnType<Traffic['records']>
  readonly head: number
}

/** A day of traffic; what follows the compaction is one more message, answered. */
async function compacted(): Promise<Scene> {
  const traffic = await recordTraffic()
  const before = traffic.records()
  for (const stream of GONE) await traffic.kernel.kernel.compact(stream)
  await traffic.receive('m6')
  await traffic.answer('model.call')
  await traffic.answer('message.deliver')
  const behind = traffic.records().filter(({ position }) => position > before.length)
  return { traffic, whole: [...before, ...behind], head: traffic.store.head().position }
}

test('H3.7 a replay checks all that is left, and names every range that is gone', async () => {
  const { traffic, whole, head } = await compacted()
  const history = openHistory(traffic.store)
  const gone = whole.filter(({ position }) => history.read(position) === null)

  const { records, same, first, holes } = replayRange(history, ourCode(), { from: 1, to: head })

  assert.equal([same, first], [records, null])
  assert.equal([holes.records, holes.streams, holes.lost], [gone.length, GONE.length, 0])
  assert.is(holes.stands, GONE.length) // The record that each snapshot stands for.
  const events = whole.filter(({ kind, position }) => kind === 'event' && history.read(position))
  assert.is(records, events.length - GONE.length)
  for (const { stream, from, to, positions } of holes.ranges) {
    const own = gone.filter((record) => record.stream === stream)
    assert.equal([from, to], [1, own.at(-1)?.version])
    assert.equal(positions, [own[0]?.position, own.at(-1)?.position])
  }
})

test('H3.7 a range that is gone as a whole has nothing same; one behind the hole is whole', async () => {
  const { traffic, whole, head } = await compacted()
  const history = openHistory(traffic.store)
  const at = history.positionOf('delivery:reply-run-m1', 1) ?? 0

  const none = replayRange(history, ourCode(), { from: at, to: at })
  const last = replayRange(history, ourCode(), { from: head - 3, to: head })

  assert.equal([none.records, none.holes.records, none.holes.stands], [0, 1, 0])
  const events = whole.slice(-4).filter(({ kind }) => kind === 'event').length
  assert.equal([last.records, last.same, last.holes.records], [events, events, 0])
  assert.equal([...prunedRanges(history, { from: head - 3, to: head })], [])
})

test('H3.7 other code still differs where it differs, behind a snapshot too', async () => {
  const { traffic, head } = await compacted()
  const history = openHistory(traffic.store)
  const code = { ...ourCode(), hashSnapshot: () => 'another' }

  const { same, records, counts } = replayRange(history, code, { from: 1, to: head })

  assert.ok(records > 0)
  assert.equal([same, counts.context], [0, records])
})

test('H3.7 a snapshot that is not the recorded state stands for nothing', async () => {
  const { traffic, head } = await compacted()
  const { store } = traffic
  const history = openHistory(store)
  const version = oldestTold(history, SESSION, 1) ?? 0
  const base = standingBase(history, SESSION, version)!
  const context = { ...(base.state.context as object), turn: 99 }
  await store.putSnapshot(
    SESSION,
    version,
    formatBase({ ...base, state: { ...base.state, context } }),
  )

  const { holes, first } = replayRange(history, ourCode(), { from: 1, to: head })

  const own = history.version(SESSION) - version + 1
  assert.equal([holes.lost, holes.firstLost], [own, history.positionOf(SESSION, version)])
  assert.is(first, null)
  assert.is(oldestTold(history, SESSION, 1), null)
  const fault = await faultOf(() => stateAt(history, kinds, SESSION, { position: head }))
  assert.equal([fault.code, fault.details['position']], ['HISTORY_PRUNED', null])
})

test('H3.7 a refusal of a state names the oldest that is left, and a cut tells the others', async () => {
  const { traffic, head } = await compacted()
  const history = openHistory(traffic.store)
  const oldest = history.positionOf(SESSION, oldestTold(history, SESSION, 1) ?? 0) ?? 0

  const at = { position: oldest - 1 }
  const details = await refusal(() => stateAt(history, kinds, SESSION, at), 'HISTORY_PRUNED')
  await refusal(
    () => diffStates(history, kinds, SESSION, { from: oldest - 1, to: head }),
    'HISTORY_PRUNED',
  )
  const { states, untold } = cutAt(history, kinds, oldest - 1)

  assert.is(details['position'], oldest)
  assert.ok(stateAt(history, kinds, SESSION, { position: oldest })?.verified)
  assert.ok(states.length > 0)
  assert.ok(untold.some((each) => each.stream === SESSION && each.oldest === oldest))
  assert.equal(
    [...states.map(({ stream }) => stream), ...untold.map(({ stream }) => stream)].toSorted(),
    [...history.streams()].filter((each) => history.versionAt(each, oldest - 1) > 0).toSorted(),
  )
  assert.equal(cutAt(history, kinds, head).untold, [])
})

test('H3.7 what is under way in a compacted actor may not be all', async () => {
  const { traffic, head } = await compacted()
  const history = openHistory(traffic.store)

  assert.is(stateAt(history, kinds, SESSION, { position: head })?.inFlightComplete, false)
  const run = stateAt(history, kinds, 'run:run-m6', { position: head })
  assert.equal([run?.inFlightComplete, run?.inFlight], [true, []])
})

test('H3.7 bisect and find look at what is left; what may have begun before is pruned', async () => {
  const { traffic, head } = await compacted()
  const history = openHistory(traffic.store)
  const oldest = oldestTold(history, SESSION, 1) ?? 0
  const turns = (n: number) => (subject: { context: unknown }) =>
    Number(Reflect.get(subject.context as object, 'turn')) >= n
  const range = { from: 1, to: head, scan: false }
  const states = [
    ...statesOf(history, kinds, SESSION, { first: 1, last: history.version(SESSION) }),
  ]
  const newest = Number(Reflect.get(states.at(-1)?.subject.context as object, 'turn'))

  const found = bisectStates(history, kinds, SESSION, { ...range, predicate: turns(newest) })
  const scanned = bisectStates(history, kinds, SESSION, {
    ...range,
    predicate: turns(newest),
    scan: true,
  })

  assert.is(found.first.event['runId'], 'run-m6')
  assert.equal([scanned.first.position, found.monotone], [found.first.position, true])
  assert.is(states[0]?.version, oldest)
  for (const scan of [true, false]) {
    const options = { ...range, predicate: turns(1), scan }
    await refusal(() => bisectStates(history, kinds, SESSION, options), 'HISTORY_PRUNED')
  }
  await refusal(
    () => [...statesOf(history, kinds, SESSION, { first: 1, last: oldest - 1 })],
    'HISTORY_PRUNED',
  )
})

test('H3.7 the writer of a value is found behind the hole, or is told to be gone', async () => {
  const { traffic, head } = await compacted()
  const history = openHistory(traffic.store)

  const { record } = findWriter(history, kinds, SESSION, { position: head, path: '/turn' })
  assert.is(record.event['runId'], 'run-m6')
  await refusal(
    () => findWriter(history, kinds, SESSION, { position: head, path: '/key' }),
    'HISTORY_PRUNED',
  )
})

test('H3.7 why --not says pruned where the goal may lie in the hole, and pending is not guessed', async () => {
  const { traffic } = await compacted()
  const history = openHistory(traffic.store)
  const asked = [...history.range(1, history.head())].find(({ sends, position }) =>
    sends.some(
      ({ to }) =>
        GONE.includes(to) &&
        history.versionAt(to, position) + 1 < (oldestTold(history, to, 1) ?? 0),
    ),
  )!
  const index = asked.sends.findIndex(({ to }) => GONE.includes(to))
  const goal = { from: asked, isGoal: () => false, alive: false }

  const found = explainAbsence(history, kinds, goal)

  assert.equal([found.verdict, found.proof, found.blocks], ['pruned', null, []])
  assert.is(found.frontier?.output, `${asked.position}.s${index}`)
  const end = outcomeAt(history, { position: asked.position, output: `s${index}` })
  assert.equal([end.outcome, end.record], ['pruned', null])
  const answered = readGoal(history, 'delivery:reply-run-m6', null)
  assert.is(explainAbsence(history, kinds, { ...answered, alive: false }).verdict, 'happened')
})

test('H3.7 open work is what it was, though what tells its end is gone', async () => {
  const traffic = await recordTraffic()
  const head = traffic.store.head().position
  const plain = (position: number): unknown => {
    const work = openWorkAt(openHistory(traffic.store), position)
    return JSON.parse(JSON.stringify(saveOpenWork(work)))
  }
  const before = plain(head)
  const sends = openWorkAt(openHistory(traffic.store), head - 5).sends
  for (const stream of GONE) await traffic.kernel.kernel.compact(stream)

  assert.equal(plain(head), before) // By the checkpoint that compaction wrote.
  assert.equal(openWorkAt(openHistory(traffic.store), head - 5).sends, sends)
})

test('H3.7 an incident file is cut across holes, is whole in itself, and reads the same', async () => {
  const { traffic, head } = await compacted()
  const options = {
    id: 'inc-1',
    title: 'holes',
    severity: 3,
    notes: [],
    to: head,
    tier: 'full',
    actors: null,
    code: TEST_CODE,
    tool: 'test',
    madeAt: 0,
  } as const
  for (const from of [1, 8, 30, head - 20]) {
    const parts: BundleParts = cutBundle(traffic.store, { ...options, from })
    const bundle = readBundle(writeBundle(parts))
    const report = verifyBundle(bundle, { code: TEST_CODE })

    assert.equal(report.faults, [], `from #${from}`)
    assert.is(bundle.manifest.redaction.leftOut, head - from + 1 - bundle.segment.records.length)
    const { first, records, same } = replayRange(bundle.history, ourCode(), { from, to: head })
    assert.equal([first, same], [null, records])
    const told = stateAt(bundle.history, kinds, SESSION, { position: head })
    assert.ok(told?.verified)
  }
  await refusal(() => openBundle('/nowhere/there.ocinc'), 'NOT_FOUND')
})

test.run()
