/** Reading beside a writer that appends, compacts and erases: never a wrong state, never torn. H3.6 */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { collectRefs } from '../../actors/erase-search.ts'
import { openHistory } from '../../actors/history.ts'
import { replayHistory } from '../../actors/other-code.ts'
import { systemClock } from '../../actors/services.ts'
import { openWorkAt } from '../../machines/history/open.ts'
import { Replayer, replayRange, seedBefore } from '../../machines/history/replay.ts'
import { cutSegment } from '../../machines/history/segment.ts'
import type { History } from '../../machines/history/source.ts'
import { kinds } from '../../machines/kinds.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { formatRecord } from '../../protocol/record.ts'
import type { Store, StoreReader } from '../../store/contract.ts'
import { openLmdb, openLmdbReader } from '../../store/lmdb/open.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { answerOf, body } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'
import { cutAt } from '../support/cut.ts'
import { openTestKernel } from '../support/kernel.ts'
import { openTalk, textsOf } from '../support/talk.ts'
import { ourCode, recordTraffic, TEST_CODE } from '../support/traffic.ts'
import { until } from '../support/wait.ts'

const test = cases('history race')
const SESSION: StreamId = 'session:agent:main:irc:direct:ann'

interface Scene {
  readonly writer: Store
  readonly reader: StoreReader
  readonly compact: (stream: StreamId) => Promise<unknown>
}

/** A day of traffic in a journal that one process writes and another reads. */
function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const writer = await openLmdb({ directory, verify: false })
    for (const record of (await recordTraffic()).records()) {
      const { stream, version } = record
      await writer.append({ stream, expectedVersion: version - 1, fields: formatRecord(record) })
    }
    const { kernel } = openTestKernel({ store: writer, code: TEST_CODE })
    const reader = await openLmdbReader(directory)
    try {
      await run({ writer, reader, compact: (stream) => kernel.compact(stream) })
    } finally {
      await reader.close()
      await kernel.stop()
      await writer.close()
    }
  })
}

/** Lets something happen after so many reads of a history, in the middle of whatever reads it. */
function interrupting(history: History, at: number, happen: () => void): History {
  let reads = 0
  const look = <T>(value: T): T => {
    reads += 1
    if (reads === at) happen()
    return value
  }
  return {
    ...history,
    read: (position) => look(history.read(position)),
    versionAt: (stream, position) => look(history.versionAt(stream, position)),
    base: (stream, version) => look(history.base(stream, version)),
    stateHash: (stream, version) => look(history.stateHash(stream, version)),
    *range(from, to) {
      for (const record of history.range(from, to)) yield look(record)
    },
    *stream(stream, from) {
      for (const record of history.stream(stream, from)) yield look(record)
    },
  }
}

test('H3.6 a reader that holds a cut reads on or is told of the compaction, and states are as they were', () =>
  withScene(async ({ reader, compact }) => {
    const history = openHistory(reader)
    const cut = history.head()
    const before = cutAt(history, kinds, cut)
    const hashes = new Map(before.states.map(({ stream, folded }) => [stream, folded.hash]))
    const iterator = history.stream(SESSION, 1)[Symbol.iterator]()
    const first = iterator.next()

    await compact(SESSION)
    const next = answerOf(() => iterator.next())
    const after = cutAt(history, kinds, cut)

    assert.is(first.value?.version, 1)
    // LMDB may still show the journal as it was before: then the record itself, never another.
    assert.ok(next === 'pruned' || next.value?.version === 2)
    assert.equal(after.untold, [])
    for (const { stream, folded } of after.states) assert.is(folded.hash, hashes.get(stream))
  }))

/** A journal of which everything is compacted at one moment, in the middle of whatever reads it. */
async function interrupted(at: number): Promise<{ history: History; head: number }> {
  const { store, kernel } = await recordTraffic(openMemory())
  const streams = [...store.streams()] as StreamId[]
  // Snapshots and checkpoint are there before; then the records go.
  for (const stream of streams) await compactLater(kernel.kernel, store, stream)
  const history = interrupting(openHistory(store), at, () => {
    for (const stream of streams) void store.compact(stream, store.version(stream))
  })
  return { history, head: store.head().position }
}

test('H3.6 compaction at any moment of a replay, a cut or a segment gives no wrong answer', async () => {
  const house = { own: ourCode(), loadCode: () => Promise.resolve(null), clock: systemClock }
  let pruned = 0
  for (let at = 1; at < 130; at += 5) {
    const range = { from: at % 2 === 0 ? 1 : 20, to: (await interrupted(at)).head }
    const own = replayRange((await interrupted(at)).history, ourCode(), range)
    const choice = { ...range, choice: 'recorded' } as const
    const lanes = await replayHistory(house, (await interrupted(at)).history, choice)
    const cut = cutAt((await interrupted(at)).history, kinds, range.to)
    const { history } = await interrupted(at)
    const segment = answerOf(() => cutSegment(history, kinds, { ...range, code: TEST_CODE }))
    const work = openWorkAt((await interrupted(at)).history, range.to)

    for (const { first, same, records, holes } of [own, lanes]) {
      assert.equal([first, same, holes.lost], [null, records, 0], `at ${at}`)
      pruned += holes.records
    }
    assert.ok(cut.states.every(({ verified }) => verified))
    assert.ok(segment === 'pruned' || segment.records.length > 0)
    assert.is(work.sends.size, 0)
  }
  assert.ok(pruned > 0)
})

/** Writes the snapshot and checkpoint of a compaction, but removes nothing yet. */
async function compactLater(
  kernel: ReturnType<typeof openTestKernel>['kernel'],
  store: Store,
  stream: StreamId,
): Promise<void> {
  const compact = store.compact
  Reflect.set(store, 'compact', () => Promise.resolve({ removed: 0 }))
  await kernel.compact(stream)
  Reflect.set(store, 'compact', compact)
}

test('H3.6 a seed that is compacted between two looks stands on its snapshot', () =>
  withScene(async ({ reader, compact }) => {
    const history = openHistory(reader)
    const records = [...history.stream(SESSION, 1)]
    const [first, last] = [records[0]!, records.at(-1)!]
    const replayer = new Replayer(ourCode())
    await compact(SESSION)
    await until(() => reader.link(first.position)?.pruned === true, 'compaction')

    const seed = answerOf(() => seedBefore(replayer, history, last))

    assert.is(seed, 'pruned')
    const replayed = replayRange(history, ourCode(), { from: last.position, to: last.position })
    assert.equal([replayed.records, replayed.holes.stands, replayed.first], [0, 1, null])
  }))

test('H3.6 the search of an erasure beside a compaction misses nothing', async () => {
  const house = await openTalk()
  const streams = [...house.store.streams()] as StreamId[]
  const searching = collectRefs(house.store, { kind: 'subject', channel: 'irc', sender: 'ann' })
  const compacting = (async () => {
    for (const stream of streams) await house.kernel.compact(stream)
  })()

  const { refs, unnamed } = await searching
  await compacting

  assert.equal([...refs].toSorted(), textsOf(['ann', 1], ['ann', 3]))
  assert.is(unnamed.size, 0)
})

test('H3.6 an erasure is seen by who reads beside it, and records stay as they were', () =>
  withScene(async ({ writer, reader }) => {
    const text = body('a secret', 5)
    const stream = 'delivery:late'
    await writer.append({ stream, expectedVersion: 0, fields: recordOf(text.ref), bodies: [text] })
    const { position, hash } = writer.head()
    assert.is(reader.bodyState(text.ref), 'there')

    await writer.erase([text.ref])

    // LMDB shows a reader one state of the journal for a turn.
    await until(() => reader.bodyState(text.ref) === 'erased', 'erasure')
    assert.is(reader.body(text.ref), null)
    assert.equal(Buffer.from(reader.link(position)?.hash ?? []), Buffer.from(hash))
    assert.is([...reader.refs()].filter((ref) => ref === text.ref).length, 1)
  }))

function recordOf(ref: string): unknown[] {
  return formatRecord({
    kind: 'event',
    event: { type: 'delivery.requested', ref },
    cause: 'req:1',
    correlationId: '0'.repeat(32),
    at: 1,
    epoch: 1,
    code: TEST_CODE,
    ignored: null,
    value: 'new',
    stateHash: '0'.repeat(16),
    effects: [],
    sends: [],
    armed: [],
    cancelled: [],
  })
}

test.run()
