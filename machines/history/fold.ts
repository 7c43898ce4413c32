/**
 * Folding one stream: newest usable base, then the records behind it, in silence.
 *
 * Waking an actor, looking at a state of last month, and walking on from it all come here; only who
 * compares each step with its record steps by itself (take.ts, states.ts). Whether the fold agrees
 * with what was recorded is for the caller to judge: `hash` is recomputed, `recordedHash` is what
 * the newest record says.
 */
import type { AnyMachineSnapshot } from 'xstate'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { hashSnapshotOnce } from '../step.ts'
import { untold } from './holes.ts'
import { type Base, type History, kindOf, type Kinds } from './source.ts'

/** One actor as its stream tells it. */
export interface Folded {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number // 0 where the stream does not exist
  readonly hash: string // state hash, recomputed
  readonly recordedHash: string // of the newest record
  readonly recordedCode: string | null // that wrote the newest record folded; null: none was
  readonly from: number // version of the base; 0: from the first record
  readonly folded: number // records stepped
}

export interface FoldOptions {
  readonly upToVersion?: number // default: the newest
  /** Which bases may be used; where records are pruned, any whose hash was recorded. */
  readonly usable?: (base: Base) => boolean
}

/** A base may be used whoever made it: its state has the hash that was recorded. */
const anyBase = (): boolean => true

interface Start {
  readonly snapshot: AnyMachineSnapshot
  readonly version: number
}

/**
 * Rebuilds an actor from its stream up to a version.
 * @throws {GatewayError} STORE_CORRUPT: a record is damaged or missing; HISTORY_PRUNED: records
 * are gone and no base stands for them; whatever the machine throws.
 */
export function foldStream(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { upToVersion = Number.MAX_SAFE_INTEGER, usable = anyBase }: FoldOptions = {},
): Folded {
  const find = (allowed: Required<FoldOptions>['usable']): Start | null =>
    findBase(history, kinds, stream, { upToVersion, usable: allowed })
  const start = find(usable)
  try {
    return foldBehind(start, history, kinds, { stream, upToVersion })
  } catch (error) {
    const isPruned = error instanceof GatewayError && error.code === 'HISTORY_PRUNED'
    const other = isPruned ? find(anyBase) : null
    if (other === null) throw isPruned ? untold(history, stream, upToVersion) : error
    return foldBehind(other, history, kinds, { stream, upToVersion })
  }
}

function foldBehind(
  start: Start | null,
  history: History,
  kinds: Kinds,
  { stream, upToVersion }: { stream: StreamId; upToVersion: number },
): Folded {
  const { stepper } = kindOf(kinds, stream)
  let { snapshot, version } = start ?? { snapshot: stepper.initial, version: 0 }
  let last: JournalRecord | null = null
  let folded = 0
  for (const record of version < upToVersion ? history.stream(stream, version + 1) : []) {
    if (record.version > upToVersion) break
    if (record.version !== version + 1) throw gap(stream, version + 1, record)
    last = record
    version = record.version
    if (record.kind !== 'event') continue
    snapshot = stepper.step(snapshot, record.event, record.at).snapshot
    folded += 1
  }
  const hash = hashSnapshotOnce(snapshot)
  return {
    snapshot,
    version,
    hash,
    recordedHash: last?.stateHash ?? hash,
    recordedCode: last?.code ?? null,
    from: start?.version ?? 0,
    folded,
  }
}

// The newest that is usable and in the state that its record says.
function findBase(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { upToVersion, usable }: Required<FoldOptions>,
): Start | null {
  const { stepper } = kindOf(kinds, stream)
  let base = history.base(stream, upToVersion)
  for (; base !== null; base = history.base(stream, base.version - 1)) {
    if (!usable(base) || base.hash !== history.stateHash(stream, base.version)) continue
    const snapshot = stepper.restore(base.state)
    if (hashSnapshotOnce(snapshot) === base.hash) return { snapshot, version: base.version }
  }
  return null
}

/** Steps an actor on from a state: what it is behind each further record, up to a version. */
export function* stepOn(
  history: History,
  kinds: Kinds,
  stream: StreamId,
  { from, last }: { from: Pick<Folded, 'snapshot' | 'version'>; last: number },
): Generator<{ record: JournalRecord; snapshot: AnyMachineSnapshot }> {
  const { stepper } = kindOf(kinds, stream)
  let { snapshot } = from
  for (const record of from.version < last ? history.stream(stream, from.version + 1) : []) {
    if (record.version > last) return
    if (record.kind === 'event') {
      snapshot = stepper.step(snapshot, record.event, record.at).snapshot
    }
    yield { record, snapshot }
  }
}

function gap(stream: string, expected: number, { version, position }: JournalRecord): GatewayError {
  return new GatewayError(
    'STORE_CORRUPT',
    `${stream}: expected version ${expected}, found ${version} at #${position}`,
    { stream, position },
  )
}
