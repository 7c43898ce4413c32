/**
 * The private fields of ws that we need: an open socket's payload limit, and whether it is in the
 * midst of a frame.
 *
 * A stranger's frame may be 64 KiB, an admitted client's 25 MiB, and ws takes its limit only at the
 * upgrade (decisions.md 23). ws is pinned exactly; tests S10, S11 and S12 cross the limits.
 */
import { strict as assert } from 'node:assert'
import type { WebSocket } from 'ws'

/** Changes the largest message that an open socket accepts, in bytes. */
export function setPayloadLimit(socket: WebSocket, bytes: number): void {
  const receiver = receiverOf(socket)
  assert(typeof receiver?._maxPayload === 'number', 'ws no longer keeps its limit in _receiver')
  receiver._maxPayload = bytes
}

/** Tells whether a frame, or a message of several frames, has begun and not ended. */
export function isHalfSent(socket: WebSocket): boolean {
  const receiver = receiverOf(socket)
  if (receiver === undefined) return false // Not open any more.
  const { _state: state, _bufferedBytes: bytes, _fragmented: fragmented } = receiver
  assert(typeof state === 'number' && typeof bytes === 'number', 'ws keeps its state elsewhere')
  return state !== 0 || bytes > 0 || fragmented !== 0
}

interface Receiver {
  _maxPayload?: unknown
  readonly _state?: unknown // 0: the next byte begins a frame
  readonly _bufferedBytes?: unknown
  readonly _fragmented?: unknown // the opcode of the message whose pieces come; 0: none
}

function receiverOf(socket: WebSocket): Receiver | undefined {
  return (socket as unknown as { _receiver?: Receiver | null })._receiver ?? undefined
}
