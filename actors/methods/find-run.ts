/** Which run a client means: by its own name for it, or by ours. Step 4 of 8. */
import { keyOf } from '../../machines/projections/open-work.ts'
import { isId, type StreamId, streamId } from '../../protocol/ids.ts'
import { type JournalRecord, parseRecord } from '../../protocol/record.ts'
import type { StoreReader } from '../../store/contract.ts'
import type { RunEnd } from '../run-ends.ts'
import type { MethodHouse } from './house.ts'

/** A run that a client named. */
export interface FoundRun {
  readonly runId: string // ours
  readonly sessionKey: string
  readonly runKey: string | null // the client's own name of it
  readonly open: boolean // accepted, and not ended
}

type House = Pick<MethodHouse, 'store' | 'work'>

/**
 * Finds a run by the idempotency key of whoever asked for it, by our own id, or, while it is open,
 * by the name that any client gave it; null where none is meant.
 */
export function findRun(
  house: House,
  { owner, key }: { readonly owner: string; readonly key: string },
): FoundRun | null {
  const { store, work } = house
  const use = work.keys.get(keyOf({ owner, key }))
  const accepted = use === undefined ? null : readAt(store, use.position)
  if (accepted?.event.type === 'message.accepted') return describe(house, accepted)
  const open = work.runs.has(key) ? key : findNamed(house, key)
  if (open !== null) {
    const sessionKey = work.runs.get(open) ?? ''
    const run = work.sessions.get(sessionKey)?.runs.find(({ runId }) => runId === open)
    return { runId: open, sessionKey, runKey: run?.runKey ?? null, open: true }
  }
  const first = isId(key) ? readFirst(store, streamId('run', key)) : null
  return first?.event.type === 'run.requested' ? describe(house, first) : null
}

/** Resolves with the end of a run; see `RunEnds.wait`. */
export async function waitForRun(
  { runEnds }: Pick<MethodHouse, 'runEnds'>,
  runId: string,
  timeoutMs: number,
): Promise<Omit<RunEnd, 'ref'>> {
  const { ref: _, ...end } = await runEnds.wait(runId, timeoutMs)
  return end
}

function findNamed({ work }: House, runKey: string): string | null {
  for (const [runId, sessionKey] of work.runs) {
    const runs = work.sessions.get(sessionKey)?.runs ?? []
    if (runs.some((run) => run.runId === runId && run.runKey === runKey)) return runId
  }
  return null
}

function describe({ work }: House, { event }: JournalRecord): FoundRun {
  const { runKey = null } = event
  const runId = String(event['runId'])
  return {
    runId,
    sessionKey: String(event['sessionKey']),
    runKey: typeof runKey === 'string' ? runKey : null,
    open: work.runs.has(runId),
  }
}

function readFirst(store: StoreReader, stream: StreamId): JournalRecord | null {
  const position = store.positionOf(stream, 1)
  return position === null ? null : readAt(store, position)
}

function readAt(store: StoreReader, position: number): JournalRecord | null {
  const stored = store.read(position)
  return stored === null ? null : parseRecord(stored, stored.fields)
}
