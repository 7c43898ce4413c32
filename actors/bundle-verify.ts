/**
 * Verifying an incident file: what it says is held to what can be computed again.
 *
 * Reading it has shown the digest and every shape; here come the chain, names, states and bodies.
 */
import { compareStates, type StateReport } from '../machines/history/states.ts'
import { causeOf } from '../machines/history/source.ts'
import { kinds } from '../machines/kinds.ts'
import { bodyRef } from '../protocol/codec.ts'
import type { Tier } from '../protocol/history/incident.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { type ChainReport, checkChain } from '../store/bundle-records.ts'
import type { Bundle } from './bundle.ts'

/** What whoever made the proofs says of them. */
export interface ProofReport {
  readonly proved: number // records
  readonly signer: string
  readonly faults: readonly string[]
}

/** What was verified, and what did not hold. `schema` names this shape for programs. */
export interface VerifyReport {
  readonly ok: boolean
  readonly schema: 'openclaw-verify/1'
  readonly digest: string // of the file, 64 hex digits
  readonly records: number
  readonly hashes: number // recomputed
  readonly chain: Pick<ChainReport, 'linked' | 'bridged'>
  readonly names: number // streams confirmed by what other records say
  readonly pseudonyms: boolean // stand for names: its hashes are its own, and no journal's
  readonly head: 'holds' | 'elsewhere' // the head of its journal is the last record here, or is not
  readonly stateHashes: Omit<StateReport, 'differences'>
  readonly differences: StateReport['differences']
  readonly bodies: { readonly tier: Tier; readonly count: number; readonly proved: number }
  /** `none`: the file carries no proofs; `unchecked`: it does, and nothing here reads them. */
  readonly proofs: ProofReport | 'none' | 'unchecked'
  readonly faults: readonly string[]
}

export interface VerifyOptions {
  readonly code: string // identity of this code
  readonly checkProofs?: (bundle: Bundle) => ProofReport
}

/** Verifies a bundle that was read. */
export function verifyBundle(bundle: Bundle, { code, checkProofs }: VerifyOptions): VerifyReport {
  const { chain, segment, manifest } = bundle
  const links = checkChain(chain)
  const names = checkNames(segment.records)
  const states = compareStates(segment, kinds, code)
  const bodies = checkBodies(bundle)
  const head = checkHead(bundle)
  const proofs = bundle.proofs === null ? 'none' : (checkProofs?.(bundle) ?? 'unchecked')
  const faults = [
    ...links.faults,
    ...names.faults,
    ...head.faults,
    ...(states.different === 0 ? [] : [`${states.different} states of this code differ`]),
    ...states.differences.filter(({ isOurs }) => isOurs).map(formatDifference),
    ...bodies.faults,
    ...(typeof proofs === 'string' ? [] : proofs.faults),
  ]
  const { differences, ...stateHashes } = states
  return {
    ok: faults.length === 0,
    schema: 'openclaw-verify/1',
    digest: bundle.digest,
    records: chain.records.length,
    hashes: chain.records.length,
    chain: { linked: links.linked, bridged: links.bridged },
    names: names.confirmed,
    pseudonyms: manifest.names === 'pseudonyms',
    head: head.standing,
    stateHashes,
    differences,
    bodies: { tier: manifest.tier, count: bundle.bodies.size, proved: bodies.proved },
    proofs,
    faults: faults.slice(0, limits.verifyFaultsMax),
  }
}

/** Writes a difference as one line. */
export function formatDifference({
  position,
  stream,
  recorded,
  now,
}: StateReport['differences'][number]): string {
  return `#${position} ${stream}: recorded state ${recorded}, now ${now}`
}

// A record holds its stream's number only. But what a send is addressed to is in the sender's
// record, and an outcome or a timer comes to the stream that wished for it.
function checkNames(records: readonly JournalRecord[]): { confirmed: number; faults: string[] } {
  const byPosition = new Map(records.map((record) => [record.position, record]))
  const confirmed = new Set<string>()
  const faults: string[] = []
  for (const { cause, stream, position } of records) {
    const from = causeOf(cause)
    const origin = from === null ? undefined : byPosition.get(from.position)
    if (from === null || origin === undefined) continue
    const isSend = from.output.startsWith('s')
    const send = isSend ? origin.sends[Number(from.output.slice(1))] : undefined
    const expected = isSend ? send?.to : origin.stream
    if (expected === stream) confirmed.add(stream)
    else faults.push(`#${position}: ${stream}, but ${cause} went to ${expected ?? 'nobody'}`)
  }
  return { confirmed: confirmed.size, faults }
}

function checkHead({ chain, manifest }: Bundle): {
  standing: VerifyReport['head']
  faults: string[]
} {
  const last = chain.records.at(-1)
  const { position, hash } = manifest.head
  if (last === undefined || last.position !== position) return { standing: 'elsewhere', faults: [] }
  const isSame = Buffer.from(last.hash).toString('hex') === hash
  return { standing: 'holds', faults: isSame ? [] : [`head #${position}: another hash`] }
}

function checkBodies({ bodies, manifest: { tier } }: Bundle): { proved: number; faults: string[] } {
  const faults: string[] = []
  let proved = 0
  if (tier === 'skeleton' && bodies.size > 0) {
    faults.push(`bodies: ${bodies.size} in a file that says it has none`)
  }
  for (const { ref, salt, bytes, masked } of bodies.values()) {
    if (tier === 'masked' && salt !== null) faults.push(`body ${ref}: a salt beside masked text`)
    if (tier !== 'full') continue
    if (salt !== null && !masked && bodyRef(salt, bytes) === ref) proved += 1
    else faults.push(`body ${ref}: not what its name says`)
  }
  return { proved, faults }
}
