/**
 * How the verbs about incident files speak: sizes, what was left out, what held.
 */
import type { VerifyReport } from '../../actors/bundle-verify.ts'
import { formatDifference } from '../../actors/bundle-verify.ts'
import type { KindStanding } from '../../machines/history/compatibility.ts'
import type { TimelineLine } from '../../machines/history/report.ts'
import { formatInstant } from '../../protocol/history/address.ts'
import type { Manifest } from '../../protocol/history/incident.ts'
import { columns, show } from '../output.ts'

/** Writes a size for people: `1.9 kB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** Writes what a file holds, as two lines. */
export function formatWritten(file: string, bytes: number, manifest: Manifest): string[] {
  const { redaction, tier, head, actors } = manifest
  const { records, leftOut, bodies, withheld, missing } = redaction
  const masked = Object.entries(redaction.masked).map(([name, count]) => `${count} ${name}`)
  const found = masked.length === 0 ? 'nothing masked' : `masked: ${masked.join(', ')}`
  const gone = missing === 0 ? '' : `, ${missing} no longer in the journal`
  const isRenamed = manifest.names === 'pseudonyms'
  const hashes = isRenamed ? 'Hashes are its own' : 'Records, hashes and states unchanged'
  const people = isRenamed
    ? `Pseudonyms stand for ${redaction.pseudonyms ?? 0} people and rooms, so it proves nothing of the journal; --names keeps both.`
    : 'Names of actors, channels and people stand in the records and are not masked.'
  const of = actors === null ? '' : ` of ${actors.join(', ')}`
  return [
    `wrote ${file} ${formatSize(bytes)}: ${records} of ${records + leftOut} records${of}, ${bodies} bodies, head #${head.position}`,
    `  tier ${tier}: ${withheld} bodies withheld${gone}; ${found}. ${hashes}: replayable.`,
    `  ${people}`,
  ]
}

/** Writes a verdict: one line of what holds, then what does not. */
export function formatVerdict(report: VerifyReport): string[] {
  const { records, hashes, chain, names, head, stateHashes, bodies, proofs } = report
  const { same, sameByOther, different, differentByOther, unfolded } = stateHashes
  const [ours, others] = [same + different, sameByOther + differentByOther]
  const parts = [
    'digest ok',
    `${hashes}/${records} record hashes`,
    `chain ${chain.linked} linked, ${chain.bridged} bridged`,
    `${names} names confirmed${report.pseudonyms ? ', pseudonyms: hashes of its own' : ''}`,
    head === 'holds' ? 'ends at the head of its journal' : 'ends before the head of its journal',
  ]
  if (ours > 0) parts.push(`${same}/${ours} states`)
  if (others > 0) parts.push(`${sameByOther}/${others} states recomputed by other code`)
  if (unfolded > 0) parts.push(`${unfolded} not folded: no machine, or their beginning is missing`)
  parts.push(`bodies ${bodies.tier}, ${bodies.proved} of ${bodies.count} proved`)
  parts.push(formatProofs(proofs))
  return [
    parts.join(' · '),
    ...report.differences.map((each) => `  differs  ${formatDifference(each)}`),
    ...report.faults.map((fault) => `  FAULT  ${fault}`),
  ]
}

function formatProofs(proofs: VerifyReport['proofs']): string {
  if (proofs === 'none') return 'no proofs'
  if (proofs === 'unchecked') return 'proofs carried, not checked'
  return `${proofs.proved} inclusion proofs by ${proofs.signer}`
}

/** Prints lines of a timeline: time, position, what. */
export function showLines(lines: readonly TimelineLine[]): void {
  for (const { at, position, what, isNote } of lines) {
    const place = isNote ? '' : `#${position}`
    show(`${formatInstant(at)}  ${place.padEnd(7)}  ${what}`)
  }
}

/** Writes how our machines stand to those that wrote a file. */
export function formatStandings(standings: readonly KindStanding[]): string[] {
  return columns(
    standings.map(({ kind, standing, records, codes, unknownEvents }) => [
      `  ${kind}`,
      standing,
      `${records} records`,
      `by ${codes.join(', ')}`,
      unknownEvents.length === 0 ? '' : `no handler for ${unknownEvents.join(', ')}`,
    ]),
  )
}
