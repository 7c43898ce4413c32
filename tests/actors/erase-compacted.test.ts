/** Erasure over a compacted journal: texts are found though their records are gone. Rule S14. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { eraseHistory, type EraseScope, previewErasure } from '../../actors/erase.ts'
import { formatSnapshot } from '../../actors/stream.ts'
import { parseTrace } from '../../actors/traces.ts'
import { refsIn } from '../../protocol/history/refs.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { Store } from '../../store/contract.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { body, refusal } from '../store/contract.ts'
import { settle } from '../support/clock.ts'
import { withDirectory } from '../support/directory.ts'
import { requested } from '../support/facts.ts'
import { openTestKernel, type TestKernel } from '../support/kernel.ts'
import { openTalk, tellIn, textsOf } from '../support/talk.ts'

const test = cases('erase-compacted')
const ann: EraseScope = { kind: 'subject', channel: 'irc', sender: 'ann' }
const bob: EraseScope = { ...ann, sender: 'bob' }
const session: EraseScope = { kind: 'session', key: 'agent:main:irc:direct:ann' }
const THEIRS = textsOf(['ann', 1], ['ann', 3])
const OTHERS = textsOf(['bob', 2])

const ask = (scope: EraseScope) => ({ scope, reason: 'asked to', by: 'phone', dryRun: false })

/** Compacts every stream to its newest record, as the kernel does. */
async function compactAll({ kernel, store }: TestKernel): Promise<void> {
  for (const stream of store.streams()) await kernel.compact(stream as StreamId)
}

/** Compacts every stream as a version did that kept no traces. */
async function compactBare({ kernel, store }: TestKernel, skip = ''): Promise<void> {
  for (const stream of store.streams()) {
    if (stream === skip) continue
    const { snapshot, version } = kernel.registry.actor(stream as StreamId)
    await store.putSnapshot(stream, version, formatSnapshot(snapshot, 'test'))
    await store.compact(stream, version)
  }
}

/** Appends what another store holds, with its bodies. */
async function copyInto(store: Store, from: Store): Promise<void> {
  for (const { stream, version, fields } of from.range(1)) {
    const bodies = [...refsIn(fields)].flatMap((ref) => {
      const found = from.salted(ref)
      return found === null || store.bodyState(ref) === 'there' ? [] : [{ ref, ...found }]
    })
    await store.append({ stream, expectedVersion: version - 1, fields, bodies })
  }
}

const statesOf = (store: Store, refs: readonly string[]): string[] => [
  ...new Set(refs.map((ref) => store.bodyState(ref))),
]

for (const scope of [ann, session]) {
  test(`S14 a compacted ${scope.kind} is found whole, and nobody else`, async () => {
    const house = await openTalk()
    const { root } = house.store.tree.head()
    await compactAll(house)
    assert.equal(house.store.tree.head().root, root)

    const preview = await previewErasure(house.store, scope)
    assert.equal([...preview.refs].toSorted(), THEIRS)
    const report = await eraseHistory(house.store, ask(scope), tellIn(house))

    assert.equal([report.bodies, report.unnamed, report.recordsChanged], [4, 0, 0])
    assert.equal(statesOf(house.store, THEIRS), ['erased'])
    assert.equal(statesOf(house.store, OTHERS), ['there'])
  })
}

test('S14 the same over LMDB, where a tombstone keeps whose its bodies were', async () => {
  await withDirectory(async (directory) => {
    const store = await openLmdb({ directory })
    await copyInto(store, (await openTalk()).store)
    const house = openTestKernel({ store })
    await compactAll(house)

    const pruned = [...Array(store.head().position).keys()]
      .map((index) => store.link(index + 1)!)
      .filter((link) => link.pruned)
    const named = pruned.flatMap((link) => parseTrace(link)?.refs ?? [])
    const report = await eraseHistory(store, ask(ann), tellIn(house))
    const states = [statesOf(store, THEIRS), statesOf(store, OTHERS)]
    await house.kernel.stop()
    await store.close()

    assert.ok(pruned.length > 10 && named.includes(THEIRS[0] ?? ''), named.join(' '))
    assert.is(report.bodies, 4)
    assert.equal(states, [['erased'], ['there']])
  })
})

test('S14 tombstones without traces: states tell whose it is, and what nothing names goes too', async () => {
  const house = await openTalk()
  const orphan = body('named by what is gone', 9)
  await house.kernel.registry.deliver('delivery:d9', {
    event: requested('d9', { target: 'eve', ref: orphan.ref }),
    cause: 'req:9',
    correlationId: '9'.repeat(32),
    bodies: [orphan],
  })
  await settle()
  house.given.find(({ params }) => params['ref'] === orphan.ref)!.answer({ type: 'effect.done' })
  await settle()
  await compactBare(house)
  await forget(house.store, 'delivery:d9')
  assert.is(house.store.bodyState(orphan.ref), 'there')

  const report = await eraseHistory(house.store, ask(ann), tellIn(house))

  assert.equal(statesOf(house.store, THEIRS), ['erased'])
  assert.equal(statesOf(house.store, OTHERS), ['there'])
  assert.is(house.store.bodyState(orphan.ref), 'erased')
  assert.is(report.unnamed, 1)
})

test('S14 runs that a kept record knows lead into the states of a compacted session', async () => {
  const house = await openTalk()
  await compactBare(house, 'channel:irc')

  const { refs, report } = await previewErasure(house.store, bob)

  assert.equal([...refs].toSorted(), OTHERS)
  assert.is(report.unnamed, 0)
})

test('S14 nothing of nobody is erased: where all is named there is nothing to find', async () => {
  const house = await openTalk()
  await compactAll(house)
  const size = house.store.head().position

  const carl = ask({ ...ann, sender: 'carl' })
  await refusal(() => eraseHistory(house.store, carl, tellIn(house)), 'NOT_FOUND')

  assert.is(house.store.head().position, size)
  assert.equal(statesOf(house.store, [...THEIRS, ...OTHERS]), ['there'])
})

test('S14 a trace of another form is none, and one of damaged parts leads nowhere', () => {
  const link = openLink([])
  assert.is(parseTrace(link), null)
  assert.is(parseTrace({ ...link, kept: [2, 'message.received'] }), null)
  assert.equal(parseTrace({ ...link, kept: [1, 7, null, { runId: 4, sender: 'ann' }, 'x'] }), {
    stream: 'run:r1',
    type: '',
    correlationId: '',
    facts: { sender: 'ann' },
    refs: [],
  })
})

function openLink(kept: readonly unknown[]) {
  const hash = new Uint8Array(32)
  return { position: 1, stream: 'run:r1', version: 1, hash, previousHash: hash, pruned: true, kept }
}

/** Puts a state in the place of a stream's own that names nothing, as retention does in the end. */
async function forget(store: Store, stream: string): Promise<void> {
  const { kernel } = await openTalk()
  const { snapshot } = kernel.registry.actor('delivery:none')
  await store.putSnapshot(stream, store.version(stream), formatSnapshot(snapshot, 'test'))
}

test.run()
