/**
 * Texts on their way out of one session: to one target one text after the other, and each in pieces.
 *
 * Shared by the platforms that take a message by one call and may ask for patience.
 */
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../services.ts'
import { DeliveryFault } from './adapter.ts'

/** Who writes to which target now: pieces of two texts never mix. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>() // by target

  /** Writes when all that came before to the same target has ended, well or not. */
  async take<T>(target: string, write: () => Promise<T>): Promise<T> {
    const before = this.#last.get(target) ?? Promise.resolve()
    const own = before.then(write)
    const settled = own.catch(() => {})
    this.#last.set(target, settled)
    try {
      return await own
    } finally {
      if (this.#last.get(target) === settled) this.#last.delete(target)
    }
  }
}

/** How a platform takes the pieces of a text. */
export interface PieceSender<Piece> {
  /** Sends one; resolves with its id there. */
  readonly send: (piece: Piece) => Promise<string>
  readonly faultOf: (thrown: unknown) => DeliveryFault
  readonly pause: (ms: number) => Promise<void>
}

/** Sends the pieces of a text in order; resolves with the id of the first. @throws {DeliveryFault} */
export async function sendPieces<Piece>(
  [first, ...rest]: readonly [Piece, ...Piece[]],
  sender: PieceSender<Piece>,
): Promise<string> {
  const id = await sender.send(first).catch((thrown: unknown) => {
    throw sender.faultOf(thrown)
  })
  for (const piece of rest) {
    // Some of it is there: whatever happens now, it was not sent and it was not unsent.
    await sendNext(piece, sender).catch((thrown: unknown) => {
      throw new DeliveryFault(sender.faultOf(thrown).message, 'maybe', false)
    })
  }
  return id
}

async function sendNext<Piece>(
  piece: Piece,
  { send, faultOf, pause }: PieceSender<Piece>,
): Promise<void> {
  try {
    await send(piece)
  } catch (thrown) {
    const waitMs = faultOf(thrown).retryAfterMs
    if (waitMs === null || waitMs > limits.pieceWaitMs) throw thrown
    await pause(waitMs)
    await send(piece)
  }
}

/** Waits; the end of a session ends that too. */
export function pauseWithin(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
