/**
 * A cut: every actor as it was at one position (K10).
 */
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { History, Kinds } from './source.ts'
import { type StateAt, stateAt } from './state.ts'

/** An actor whose state there was compacted away. */
export interface UntoldActor {
  readonly stream: StreamId
  readonly oldest: number | null // position behind which its oldest state stands that is left
}

/**
 * Rebuilds every actor that existed at a position, one by one; those that cannot be told are named.
 * @throws {GatewayError} STORE_CORRUPT
 */
export function* walkCut(
  history: History,
  kinds: Kinds,
  position: number,
): Generator<StateAt | UntoldActor> {
  for (const stream of history.streams()) {
    try {
      const found = stateAt(history, kinds, stream, { position })
      if (found !== null) yield found
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'HISTORY_PRUNED') throw error
      const oldest: unknown = error.details['position']
      yield { stream, oldest: typeof oldest === 'number' ? oldest : null }
    }
  }
}
