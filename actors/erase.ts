/**
 * Erasure: finds every body that belongs to a subject or a session, and puts tombstones there.
 *
 *   scope ─► all positions, once (erase-search.ts) ─► refs ─► tombstones ─► `history.erased`
 *
 * Records hold facts and refs (K1), so none of them changes: hashes, roots and replays stay. The
 * record comes last: it says what was done, and an erasure that a crash cut short is done again.
 * Freed pages keep their bytes until the store uses them again; copies made before keep theirs.
 */
import { GatewayError } from '../protocol/errors.ts'
import { canonicalSessionKey } from '../protocol/session-key.ts'
import type { JournalEvent, JournalRecord } from '../protocol/record.ts'
import type { Store, StoreReader } from '../store/contract.ts'
import { collectRefs, type EraseScope } from './erase-search.ts'

export type { EraseScope } from './erase-search.ts'

/** One erasure as it was asked for. */
export interface EraseRequest {
  readonly scope: EraseScope
  readonly reason: string
  readonly by: string // who asked
  readonly dryRun: boolean
}

/** What an erasure did, or would do. */
export interface EraseReport {
  readonly scope: string
  readonly bodies: number
  readonly unnamed: number // of them: of a compacted journal, named by nothing any more
  readonly bytes: number
  readonly recordsChanged: 0
  readonly dryRun: boolean
  readonly position?: number // of its record
}

/**
 * Reads whose bodies are meant: a subject `CHANNEL:SENDER`, or a session by its key.
 * @throws {GatewayError} INVALID_REQUEST: none of both, both, or not of that form.
 */
export function parseScope({
  subject,
  session,
}: {
  readonly subject?: string | undefined
  readonly session?: string | undefined
}): EraseScope {
  if ((subject === undefined) === (session === undefined)) {
    throw new GatewayError('INVALID_REQUEST', 'params: expected either subject or session')
  }
  if (session !== undefined) return { kind: 'session', key: canonicalSessionKey(session) }
  const [channel = '', ...rest] = (subject ?? '').split(':')
  const sender = rest.join(':')
  if (channel !== '' && sender !== '') return { kind: 'subject', channel, sender }
  const text = `params.subject: expected CHANNEL:SENDER, got ${JSON.stringify(subject)}`
  throw new GatewayError('INVALID_REQUEST', text, { path: 'subject' })
}

/** Writes a scope as its record names it. */
function formatScope(scope: EraseScope): string {
  return scope.kind === 'session'
    ? `session:${scope.key}`
    : `subject:${scope.channel}:${scope.sender}`
}

/**
 * Erases what belongs to a scope; `tell` appends the record of it.
 * @throws {GatewayError} NOT_FOUND: nothing names a body of this scope; nothing was changed.
 */
export async function eraseHistory(
  store: Store,
  { scope, reason, by, dryRun }: EraseRequest,
  tell: (event: JournalEvent) => Promise<JournalRecord>,
): Promise<EraseReport> {
  const { refs, report } = await previewErasure(store, scope)
  if (dryRun) return report
  await store.erase([...refs])
  const { scope: name, bodies } = report
  const { position } = await tell({ type: 'history.erased', scope: name, bodies, reason, by })
  return { ...report, dryRun, position }
}

/**
 * Finds what an erasure would take, and takes nothing.
 * @throws {GatewayError} NOT_FOUND: nothing names a body of this scope.
 */
export async function previewErasure(
  store: StoreReader,
  scope: EraseScope,
): Promise<{ refs: ReadonlySet<string>; report: EraseReport }> {
  const found = await collectRefs(store, scope)
  const refs = new Set([...found.refs, ...found.unnamed])
  const name = formatScope(scope)
  if (refs.size === 0) throw new GatewayError('NOT_FOUND', `erase: nothing of ${name} is here`)
  let [bodies, bytes] = [0, 0]
  for (const ref of refs) {
    const body = store.body(ref)
    if (body === null) continue
    bodies += 1
    bytes += body.length
  }
  const unnamed = found.unnamed.size
  const report = { scope: name, bodies, unnamed, bytes, recordsChanged: 0, dryRun: true } as const
  return { refs, report }
}
