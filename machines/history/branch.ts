/**
 * Reading a fork as history: its parent up to the cut, then its own records.
 */
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { byStream, type History } from './source.ts'

/** A fork as it was written down. */
export interface BranchRecords {
  readonly at: number // the cut: the last position of the parent
  readonly records: readonly JournalRecord[] // positions at + 1 and on
}

/** Opens a fork over its parent. */
export function openBranch(parent: History, { at, records }: BranchRecords): History {
  const own = byStream(records)
  const head = at + records.length
  const cutOf = (stream: StreamId): number => parent.versionAt(stream, at)
  const ownAt = (stream: StreamId, version: number): JournalRecord | undefined =>
    own.get(stream)?.[version - cutOf(stream) - 1]
  return {
    head: () => head,
    read: (position) =>
      position <= at ? parent.read(position) : (records[position - at - 1] ?? null),
    *range(from, to) {
      if (from <= at) yield* parent.range(from, Math.min(to, at))
      if (to > at) yield* records.slice(Math.max(0, from - at - 1), to - at)
    },
    *stream(stream, fromVersion) {
      const cut = cutOf(stream)
      for (const record of fromVersion > cut ? [] : parent.stream(stream, fromVersion)) {
        if (record.version > cut) break
        yield record
      }
      yield* own.get(stream)?.slice(Math.max(0, fromVersion - cut - 1)) ?? []
    },
    version: (stream) => own.get(stream)?.at(-1)?.version ?? cutOf(stream),
    versionAt: (stream, position) => {
      if (position <= at) return parent.versionAt(stream, position)
      const last = own.get(stream)?.findLast((record) => record.position <= position)
      return last?.version ?? cutOf(stream)
    },
    positionOf: (stream, version) =>
      version <= cutOf(stream)
        ? parent.positionOf(stream, version)
        : (ownAt(stream, version)?.position ?? null),
    stateHash: (stream, version) =>
      version <= cutOf(stream)
        ? parent.stateHash(stream, version)
        : (ownAt(stream, version)?.stateHash ?? null),
    *streams() {
      for (const stream of parent.streams()) {
        if (cutOf(stream) > 0 && !own.has(stream)) yield stream
      }
      yield* own.keys()
    },
    base: (stream, atVersion) => parent.base(stream, Math.min(atVersion, cutOf(stream))),
    openWork: (position) => parent.openWork?.(Math.min(position, at)) ?? null,
  }
}
