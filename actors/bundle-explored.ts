/**
 * What an exploration found, as an incident file: the history that would have come of a crash.
 *
 * It was never in a journal: its records are sealed here, in a chain of their own that begins with
 * nothing, and its title says so. Everything else reads it as it reads a recorded incident.
 */
import type { ExploreSample } from '../machines/history/explore.ts'
import { ZERO_HASH } from '../store/seal.ts'
import type { StoredRecord } from '../store/contract.ts'
import { BUNDLE_SCHEMA } from '../store/bundle.ts'
import type { Manifest } from '../protocol/history/incident.ts'
import { limits } from '../protocol/limits.ts'
import { type BundleParts, sealAnew } from './bundle.ts'

/** What is said of the making of a file. */
export interface Making {
  readonly id: string
  readonly code: string // identity of the code that was explored
  readonly tool: string // version that writes
  readonly madeAt: number // ms since epoch
}

/** Makes the parts of a file of a violation and the stretch that shows it. */
export function bundleExplored({ violation, segment }: ExploreSample, making: Making): BundleParts {
  const numbers = new Map<string, number>()
  for (const { stream } of segment.records) {
    if (!numbers.has(stream)) numbers.set(stream, numbers.size + 1)
  }
  const records = sealAll(segment.records, numbers)
  const { invariant, crashAt, stream, detail } = violation
  const title = `explored, not recorded: ${invariant} of ${stream} after a crash at #${crashAt}: ${detail}`
  const manifest: Manifest = {
    schema: BUNDLE_SCHEMA,
    id: making.id,
    title: title.slice(0, limits.incidentTitleCharsMax),
    severity: 0,
    range: { from: segment.from, to: segment.to },
    streams: [...numbers].map(([name, number]) => [number, name]),
    head: headOf(records),
    tier: 'skeleton',
    actors: null,
    madeAt: making.madeAt,
    tool: making.tool,
    codes: [making.code],
    redaction: {
      records: records.length,
      leftOut: segment.to - segment.from + 1 - records.length,
      bodies: 0,
      withheld: 0,
      missing: 0,
      masked: {},
    },
  }
  const chain = { records, links: [] }
  const rest = { bodies: new Map(), notes: [], code: new Map(), proofs: null }
  return { manifest, segment, chain, ...rest }
}

function sealAll(
  records: ExploreSample['segment']['records'],
  numbers: ReadonlyMap<string, number>,
): StoredRecord[] {
  let previousHash = ZERO_HASH
  return records.map((record) => {
    const stored = sealAnew(record, numbers.get(record.stream) ?? 0, previousHash)
    previousHash = stored.hash
    return stored
  })
}

function headOf(records: readonly StoredRecord[]): Manifest['head'] {
  const last = records.at(-1)
  const hash = Buffer.from(last?.hash ?? ZERO_HASH).toString('hex')
  return { position: last?.position ?? 0, hash }
}
