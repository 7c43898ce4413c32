/**
 * The projector: sees every committed record once, in the order of the journal, and folds it.
 *
 * Actors finish their appends in any order within a commit; here they are put in line again, so
 * that the open work at position P holds all records up to P, and whoever listens (timers, router,
 * outbox, hub) hears of them in that order too.
 */
import {
  emptyOpenWork,
  foldOpenWork,
  type OpenWork,
  restoreOpenWork,
  saveOpenWork,
} from '../machines/projections/open-work.ts'
import { pack, unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { Store, StoreReader } from '../store/contract.ts'

export type RecordListener = (record: JournalRecord) => void

export interface Projector {
  readonly work: OpenWork
  /** Takes a committed record; those before it may still be missing. */
  readonly accept: (record: JournalRecord) => void
  /** Adds a listener; it is called after the fold, in order of addition. */
  readonly listen: (listener: RecordListener) => void
  /** Writes the fold into the store, so that the next boot folds only what follows. */
  readonly checkpoint: () => Promise<void>
}

const CHECKPOINT = 'open-work'

interface Checkpoint {
  readonly code: string // that folded it
  readonly work: unknown
}

/** Reads the newest saved fold of the open work where it is not behind a position. */
export function savedOpenWork(store: StoreReader, position: number): OpenWork | null {
  const work = readCheckpoint(store)?.work ?? null
  return work !== null && work.position <= position ? work : null
}

function readCheckpoint(store: StoreReader): { code: string; work: OpenWork | null } | null {
  const stored = store.checkpoint(CHECKPOINT)
  if (stored === null) return null
  const { code, work } = unpack(stored.bytes) as Checkpoint
  return { code, work: restoreOrNull(work) }
}

// One of another shape, written by code that is newer or was never released, only saves no time.
function restoreOrNull(work: unknown): OpenWork | null {
  try {
    return restoreOpenWork(work)
  } catch {
    return null
  }
}

/**
 * Rebuilds the open work from the newest checkpoint and the records behind it. A checkpoint of
 * other code than `code` is folded anew from the records, as far as they are there.
 * @throws {GatewayError} STORE_CORRUPT: it needs what was compacted away.
 */
export function loadOpenWork(store: StoreReader, code: string | null = null): OpenWork {
  const saved = readCheckpoint(store)
  const head = store.head().position // A writer beside us may go on.
  const restored = saved?.work ?? null
  const usable = restored !== null && restored.position <= head ? restored : null
  if (usable === null) return foldTo(store, emptyOpenWork(), head)
  const isCurrent = code === null || saved?.code === code
  return (isCurrent ? null : foldAnew(store, head)) ?? foldTo(store, usable, head)
}

// Null where records were compacted away: then the checkpoint, whoever made it, is all there is.
function foldAnew(store: StoreReader, head: number): OpenWork | null {
  try {
    return foldTo(store, emptyOpenWork(), head)
  } catch (error) {
    if (error instanceof GatewayError && error.details['compacted'] === true) return null
    throw error
  }
}

function foldTo(store: StoreReader, work: OpenWork, head: number): OpenWork {
  for (const stored of store.range(work.position + 1, head)) {
    assertNext(work.position, stored.position)
    foldOpenWork(work, parseRecord(stored, stored.fields))
  }
  assertNext(work.position, head + 1)
  return work
}

// What was compacted away is behind a checkpoint; without that checkpoint it cannot be known what
// is unfinished, and guessing would lose or repeat work.
function assertNext(folded: number, next: number): void {
  if (next === folded + 1) return
  const text = `open work: #${folded + 1} was compacted away and its checkpoint is unreadable`
  throw new GatewayError('STORE_CORRUPT', text, { position: folded + 1, compacted: true })
}

/** Opens a projector behind the open work that was loaded. */
export function openProjector(store: Store, work: OpenWork, code: string): Projector {
  const early = new Map<number, JournalRecord>()
  const listeners: RecordListener[] = []
  let checkpointed = work.position

  function accept(record: JournalRecord): void {
    early.set(record.position, record)
    let next = early.get(work.position + 1)
    while (next !== undefined) {
      early.delete(next.position)
      foldOpenWork(work, next)
      for (const listener of listeners) listener(next)
      next = early.get(work.position + 1)
    }
    if (work.position - checkpointed >= limits.checkpointEveryRecords) {
      // A checkpoint only saves time: a failed one shows in `store.failed`.
      checkpoint().catch(() => {})
    }
  }

  async function checkpoint(): Promise<void> {
    if (checkpointed === work.position) return
    checkpointed = work.position
    await store.putCheckpoint(
      CHECKPOINT,
      work.position,
      pack({ code, work: saveOpenWork(work) } satisfies Checkpoint),
    )
  }

  return {
    work,
    accept,
    listen: (listener) => listeners.push(listener),
    checkpoint,
  }
}
