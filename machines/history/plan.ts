/**
 * How a stretch of history is run again, and what is told of it beside its records. Plain data.
 */
import type { StreamId } from '../../protocol/ids.ts'
import type { Edit } from './edits.ts'

/** How a stretch is run again. Plain data. */
export interface RerunPlan {
  readonly edits: readonly Edit[]
  /** What becomes of effects that were lost, or had no outcome when the stretch ended. */
  readonly onLost: 'lose' | 'ok' | 'fail'
  /** What becomes of effects that the recording does not have. */
  readonly onMiss: 'stub' | 'error'
  /** What the stretch left open at its end stays open, or goes on to rest. */
  readonly openEnds: 'keep' | 'finish'
}

/** Where the outcomes of effects came from. Nothing is ever live. */
export interface EffectCounts {
  recorded: number
  lost: number
  stub: number
  readonly live: 0
}

/** A machine that threw; its stream is set aside from there on. */
export interface Fault {
  readonly stream: StreamId
  readonly position: number // that the record would have had
  readonly error: string
}
