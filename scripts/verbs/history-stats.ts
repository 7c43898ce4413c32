/**
 * `openclaw history stats`: how much is in the journal, of what, and since when.
 */
import { parseRecord } from '../../protocol/record.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import type { StoreReader } from '../../store/contract.ts'
import { findJournal, journalArgs } from '../history/place.ts'
import { columns, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: told; 10: no journal; 12: damaged. */
export const historyStats = defineVerb({
  name: 'history stats',
  description: 'Count what is in the journal',
  args: journalArgs,
  async run(args) {
    const reader = await openLmdbReader(await findJournal(args.journal))
    try {
      const stats = countAll(reader)
      if (args.json) showJson({ ok: true, schema: 'openclaw-stats/1', ...stats })
      else for (const line of linesOf(stats)) show(line)
      return 0
    } finally {
      await reader.close()
    }
  },
})

type Stats = ReturnType<typeof countAll>

function countAll(reader: StoreReader) {
  const head = reader.head().position
  const { bodies, snapshots, fileBytes } = reader.stats()
  const streams: Record<string, number> = {}
  for (const stream of reader.streams()) {
    const kind = stream.slice(0, stream.indexOf(':'))
    streams[kind] = (streams[kind] ?? 0) + 1
  }
  const heads = [...reader.signedHeads()]
  return {
    records: head,
    ...countPruned(reader, head),
    streams,
    bodies,
    erased: countErased(reader),
    snapshots,
    codes: reader.codes(),
    heads: { count: heads.length, newest: heads.at(-1)?.position ?? 0 },
    fileBytes,
    first: timeOf(reader.range(1)),
    last: timeOf(reader.range(head)),
  }
}

function countPruned(reader: StoreReader, head: number): { pruned: number; compacted: number } {
  const streams = new Set<string>()
  let pruned = 0
  for (let position = 1; position <= head; position += 1) {
    const link = reader.link(position)
    if (link?.pruned !== true) continue
    pruned += 1
    streams.add(link.stream)
  }
  return { pruned, compacted: streams.size }
}

function countErased(reader: StoreReader): number {
  let erased = 0
  for (const ref of reader.refs()) if (reader.bodyState(ref) === 'erased') erased += 1
  return erased
}

/** Time of the first of these records as ISO text; null where there is none. */
function timeOf(records: ReturnType<StoreReader['range']>): string | null {
  for (const stored of records) return new Date(parseRecord(stored, stored.fields).at).toISOString()
  return null
}

function linesOf(stats: Stats): string[] {
  const { records, pruned, compacted, streams, bodies, erased, snapshots, codes, heads } = stats
  const kinds = Object.entries(streams).map(([kind, count]) => [`  ${kind}`, String(count)])
  return columns([
    ['records', String(records)],
    ['pruned', `${pruned} records of ${compacted} actors`],
    ['streams', String(Object.values(streams).reduce((sum, count) => sum + count, 0))],
    ...kinds,
    ['bodies', `${bodies}, ${erased} of them erased`],
    ['snapshots', String(snapshots)],
    ['codes', codes.length === 0 ? 'none' : codes.join(' ')],
    ['signed heads', `${heads.count}, the newest of ${heads.newest} records`],
    ['file', `${(stats.fileBytes / 2 ** 20).toFixed(1)} MiB`],
    ['first', stats.first ?? '-'],
    ['last', stats.last ?? '-'],
  ])
}
