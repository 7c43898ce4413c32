/**
 * Open work at a position of a history: what was not finished there.
 *
 * Folded from the first record. Where records were compacted away a saved fold goes in front of
 * what is left; without one a send whose target lost records counts as taken in, since only an
 * actor at rest is compacted.
 */
import { emptyOpenWork, foldOpenWork, type OpenWork } from '../projections/open-work.ts'
import { consumerOf } from './links.ts'
import { causeOf, type History } from './source.ts'

/** Folds what is open behind a position. @throws {GatewayError} STORE_CORRUPT */
export function openWorkAt(history: History, position: number): OpenWork {
  const work = emptyOpenWork()
  if (foldTo(history, work, position)) return work
  const saved = history.openWork?.(position) ?? null
  if (saved !== null) {
    foldTo(history, saved, position)
    return saved
  }
  dropTaken(history, work)
  return work
}

/** Folds what follows up to a position; false where something in between was missing. */
function foldTo(history: History, work: OpenWork, to: number): boolean {
  const from = work.position
  let folded = 0
  for (const record of history.range(from + 1, to)) {
    foldOpenWork(work, record)
    folded += 1
  }
  return folded === to - from
}

function dropTaken(history: History, work: OpenWork): void {
  const head = history.head()
  for (const [address, { to }] of work.sends) {
    const from = causeOf(address)?.position ?? 0
    const { record, pruned } = consumerOf(history, from, { address, to, upTo: head })
    if (record === null && pruned) work.sends.delete(address)
  }
}
