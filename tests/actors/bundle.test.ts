/** Incident files: cut, opened elsewhere, verified, lowered; and refused where they were touched. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { type BundleParts, readBundle, writeBundle } from '../../actors/bundle.ts'
import { redactBundle, refsOf } from '../../actors/bundle-export.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { compareKinds } from '../../machines/history/compatibility.ts'
import { foldStream } from '../../machines/history/fold.ts'
import { kinds } from '../../machines/kinds.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { formatRecord, type RecordDraft } from '../../protocol/record.ts'
import { packRecordBody } from '../../store/seal.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { openTestKernel } from '../support/kernel.ts'
import { bundleOf, messageRefused, replyLost, STORY_CODE } from '../support/incidents.ts'

const bundle = cases('incident files')
const OURS = { code: STORY_CODE }
const lost = await replyLost()
const delivery = bundleOf(lost).segment.records.find(({ stream }) => stream.startsWith('delivery:'))
const DELIVERY = delivery?.stream ?? 'delivery:none'

const written = (parts: BundleParts) => readBundle(writeBundle(parts))

bundle('IF3 a file holds all that a segment does, and folds to the same states', () => {
  const parts = bundleOf(lost)
  const read = written(parts)

  assert.equal(read.segment, parts.segment)
  assert.equal(read.manifest, parts.manifest)
  assert.ok(read.segment.bases.length > 0, 'the range begins after the first record')
  const folded = foldStream(read.history, kinds, DELIVERY, { usable: () => true })
  assert.is(folded.snapshot.value, 'uncertain')
  assert.is(folded.hash, folded.recordedHash)
})

bundle('IF3 the same parts give the same bytes', () => {
  assert.equal(writeBundle(bundleOf(lost)), writeBundle(bundleOf(lost)))
})

bundle('IF4 hashes, chain, names, states and bodies hold in a file as it was cut', () => {
  const report = verifyBundle(written(bundleOf(lost)), OURS)

  const { records, stateHashes, bodies } = report
  assert.equal([report.ok, report.faults], [true, []])
  assert.is(report.hashes, records)
  assert.is(stateHashes.same, records)
  assert.equal([bodies.tier, bodies.proved], ['full', bodies.count])
  assert.ok(report.names >= 3)
  assert.is(report.head, 'holds')
  assert.is(report.schema, 'openclaw-verify/1')
})

bundle('IF4 a record that was forged is told by the chain, and by its state', () => {
  const parts = bundleOf(lost)
  const at = parts.segment.records.findIndex(({ event }) => event.type === 'effect.lost')
  const record = parts.segment.records[at]!
  const stored = parts.chain.records[at]!
  const forged: RecordDraft = { ...record, event: { ...record.event, started: false } }
  const [number] = parts.manifest.streams.find(([, name]) => name === record.stream)!
  const body = packRecordBody(number, record.version, formatRecord(forged))
  const records = parts.chain.records.with(at, { ...stored, body })

  const report = verifyBundle(written({ ...parts, chain: { ...parts.chain, records } }), OURS)

  assert.is(report.ok, false)
  assert.match(report.faults.join('\n'), /does not follow #/)
  assert.match(report.faults.join('\n'), /recorded state [0-9a-f]{16}, now [0-9a-f]{16}/)
})

bundle('IF4 a stream that was given another name is told by what was sent to it', () => {
  const parts = bundleOf(lost)
  const streams = parts.manifest.streams.map(([number, name]): [number, string] => [
    number,
    name === DELIVERY ? 'delivery:other' : name,
  ])

  const report = verifyBundle(written({ ...parts, manifest: { ...parts.manifest, streams } }), OURS)

  assert.match(report.faults.join('\n'), /delivery:other, but \d+\.s0 went to delivery:/)
})

bundle('IF4 a body that was exchanged, or a head that was, is told', () => {
  const parts = bundleOf(lost)
  const [ref, body] = [...parts.bodies][0]!
  const bodies = new Map(parts.bodies).set(ref, { ...body, bytes: Uint8Array.of(1) })
  const head = { ...parts.manifest.head, hash: '0'.repeat(64) }

  const report = verifyBundle(
    written({ ...parts, bodies, manifest: { ...parts.manifest, head } }),
    OURS,
  )

  assert.match(report.faults.join('\n'), /head #\d+: another hash/)
  assert.match(report.faults.join('\n'), /body b:[0-9a-f]+: not what its name says/)
})

bundle('IF5 some actors only: the chain is bridged, and their states fold', async () => {
  const parts = bundleOf(lost, { actors: ['delivery:*', 'run:*'] })
  const report = verifyBundle(written(parts), OURS)

  assert.ok(parts.segment.records.every(({ stream }) => /^(delivery|run):/.test(stream)))
  assert.equal(report.faults, [])
  assert.ok(report.chain.bridged > 1)
  assert.is(parts.manifest.redaction.leftOut > 0, true)
  await refusal(() => bundleOf(lost, { actors: ['nobody:*'] }), 'NOT_FOUND')
})

bundle('IF6 each tier holds less of the bodies and the same records', () => {
  const [skeleton, masked, full] = (['skeleton', 'masked', 'full'] as const).map((tier) =>
    written(bundleOf(lost, { tier })),
  )
  const text = (read: typeof full) =>
    [...read!.bodies.values()].map(({ bytes }) => new TextDecoder().decode(bytes)).join('\n')

  assert.equal(skeleton!.chain, full!.chain)
  assert.equal(masked!.chain, full!.chain)
  assert.is(skeleton!.bodies.size, 0)
  assert.match(text(full), 'hunter2xyz')
  assert.match(text(full), '+49 171 2345678')
  assert.not.match(text(masked), /hunter2xyz|171 2345678|ann@example\.org/)
  assert.match(text(masked), /when do you call\?/)
  assert.ok([...masked!.bodies.values()].every(({ salt }) => salt === null))
  assert.is(masked!.manifest.redaction.masked['e-mail'], 1)
  assert.is(skeleton!.manifest.redaction.withheld, full!.bodies.size)
  for (const read of [skeleton, masked, full]) assert.equal(verifyBundle(read!, OURS).faults, [])
})

bundle(
  'IF6 redacting lowers the tier, masks notes, changes no record and never raises',
  async () => {
    const note = { address: '#9', position: 9, author: 'ann', at: 1, command: 'x' }
    const full = written(bundleOf(lost, { notes: [{ ...note, text: 'call ann@example.org' }] }))

    const masked = written(redactBundle(full, 'masked'))
    const skeleton = written(redactBundle(masked, 'skeleton'))

    assert.equal(
      masked.bodies,
      written(bundleOf(lost, { tier: 'masked' })).bodies,
      'the same as exported so',
    )
    assert.equal(skeleton.chain, full.chain)
    assert.is(skeleton.bodies.size, 0)
    assert.not.match(masked.notes[0]!.text, /example/)
    await refusal(() => redactBundle(skeleton, 'masked'), 'USAGE')
    await refusal(() => redactBundle(masked, 'full'), 'USAGE')
  },
)

bundle('IF7 a file of other code opens: states are recomputed, compared and told apart', () => {
  const read = written(bundleOf(lost))
  const report = verifyBundle(read, { code: 'ffffffffffffffff' })

  assert.is(report.ok, true)
  assert.equal([report.stateHashes.same, report.stateHashes.sameByOther], [0, report.records])
  const standings = compareKinds(read.segment.records, kinds, 'ffffffffffffffff')
  assert.ok(standings.every(({ standing }) => standing === 'changed'))
})

bundle('IF7 other code that arrives elsewhere is news and no fault; our own is a fault', () => {
  const read = written(bundleOf(lost))
  const records = read.segment.records.map((record) =>
    record.stream === DELIVERY ? { ...record, stateHash: '0'.repeat(16) } : record,
  )
  const changed = { ...read, segment: { ...read.segment, records } }

  assert.is(verifyBundle(changed, { code: 'other' }).ok, true)
  assert.ok(verifyBundle(changed, { code: 'other' }).stateHashes.differentByOther > 0)
  assert.is(verifyBundle(changed, OURS).ok, false)
})

bundle('IF7 a kind of actor that we have no machine for is read, and told as missing', async () => {
  const story = await messageRefused()
  const [first] = bundleOf(story).segment.records
  await story.store.append({
    stream: 'oracle:delphi',
    expectedVersion: 0,
    fields: formatRecord({ ...first!, event: { type: 'oracle.asked' }, cause: 'ext:x' }),
  })
  const read = written(bundleOf({ ...story, to: story.store.head().position }))

  const report = verifyBundle(read, OURS)
  const standing = compareKinds(read.segment.records, kinds, STORY_CODE).at(-1)

  assert.equal([report.ok, report.stateHashes.unfolded], [true, 1])
  assert.equal([standing?.kind, standing?.standing], ['oracle', 'missing'])
  assert.ok([...read.history.streams()].includes('oracle:delphi' as StreamId))
})

bundle('IF7 an event that our machine has no handler for is named', () => {
  const { records } = bundleOf(lost).segment
  const strange = { ...records[0]!, event: { type: 'message.teleported' } }

  const [standing] = compareKinds([strange], kinds, STORY_CODE)

  assert.equal(standing?.unknownEvents, ['message.teleported'])
})

bundle(
  'IF5 what was compacted away is bridged, and its stream stands on its snapshot',
  async () => {
    const story = await replyLost()
    const kernel = openTestKernel({ store: story.store, code: STORY_CODE }).kernel
    await kernel.compact(DELIVERY)
    const parts = bundleOf({ ...story, from: 1 })

    const read = written(parts)
    const report = verifyBundle(read, OURS)

    assert.ok(parts.manifest.redaction.leftOut > 0)
    assert.ok(report.chain.bridged > 1)
    assert.equal(report.faults, [])
    const folded = foldStream(read.history, kinds, DELIVERY, { usable: () => true })
    assert.is(folded.snapshot.value, 'uncertain')
  },
)

bundle('IF9 code and proofs are carried as they are, and checked by whoever can', () => {
  const proofs = {
    checkpoint: 'home\n19\nroot\n',
    key: 'home+1+a',
    inclusion: [[4, Buffer.of(1)] as const],
  }
  const read = written(bundleOf(lost, { codeOf: () => Uint8Array.of(9), proofsOf: () => proofs }))
  const checkProofs = ({ proofs: carried }: typeof read) => ({
    proved: carried?.inclusion.length ?? 0,
    signer: 'home',
    faults: ['#4: no such leaf'],
  })

  assert.equal(read.proofs, proofs)
  assert.equal([...read.code], [[STORY_CODE, Buffer.of(9)]])
  assert.is(verifyBundle(read, OURS).proofs, 'unchecked')
  assert.is(verifyBundle(written(bundleOf(lost)), OURS).proofs, 'none')
  const report = verifyBundle(read, { ...OURS, checkProofs })
  assert.equal([report.ok, report.faults], [false, ['#4: no such leaf']])
})

bundle('IF8 refs are found wherever a record names one, each once', () => {
  const { records } = bundleOf(lost).segment

  assert.is(refsOf(records).size, 4)
  assert.is(readBundle(writeBundle(bundleOf(lost))).history.head(), lost.to)
})

bundle.run()
