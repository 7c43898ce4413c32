/**
 * The one private field of ws that we need: the payload limit of an open socket.
 *
 * A stranger's frame may be 64 KiB, an admitted client's 25 MiB, and ws takes its limit only at the
 * upgrade (decisions.md 23). ws is pinned exactly; tests S11 and S12 cross both limits.
 */
import { strict as assert } from 'node:assert'
import type { WebSocket } from 'ws'

/** Changes the largest message that an open socket accepts, in bytes. */
export function setPayloadLimit(socket: WebSocket, bytes: number): void {
  const receiver = (socket as unknown as { _receiver?: { _maxPayload?: unknown } })._receiver
  assert(typeof receiver?._maxPayload === 'number', 'ws no longer keeps its limit in _receiver')
  receiver._maxPayload = bytes
}
