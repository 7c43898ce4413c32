/**
 * How a connection speaks: the specification's dialect (actors/seed-speech.ts) or upstream's
 * (actors/upstream/speech.ts). Step 3 of 8.
 *
 * The first request chooses: one that names its method in `method` is upstream's. The connection
 * keeps the socket, its bounds and its phases; a speech turns frames into commands and back.
 */
import type { NodeFacts } from '../machines/connection.ts'
import type { Signed } from '../protocol/dialect/upstream/connect.ts'
import type { GatewayError } from '../protocol/errors.ts'
import type { RequestFrame, ResponseFrame } from '../protocol/frame.ts'
import type { ConnectParams } from '../protocol/methods.ts'
import type { Admission } from './admission.ts'
import type { Caller } from './caller.ts'
import type { Peer } from './peer.ts'

/** A connection as its speech sees it. */
export interface Line {
  readonly id: string
  readonly peer: Peer
  /** Sends a frame; nothing where the socket is not open. */
  readonly write: (text: string) => void
  readonly isOpen: () => boolean
  /** Tells whether half of what a reader may leave unread waits. */
  readonly isFull: () => boolean
  /** Resolves when what was sent has left, or the socket is gone. */
  readonly drained: () => Promise<void>
  /** Answers a request before its end; its second answer follows. */
  readonly answer: (id: string, payload: unknown) => void
}

/** How a device proves itself where the dialect is upstream's. */
export interface Proof {
  readonly keyless: boolean
  readonly signed: Signed
}

/** A `connect` as it is judged. */
export interface Opening {
  readonly params: ConnectParams
  readonly proof: Proof | null
  readonly node: NodeFacts | null // where it comes as one
}

/** What came of it. */
export interface Admitted {
  readonly caller: Caller
  readonly admission: Admission
  readonly deviceToken: string | null
}

/** How the refusal of a `connect` is said, and how the socket then closes. */
export interface Goodbye {
  readonly frame: ResponseFrame
  readonly code: number
  readonly reason: string
}

export interface Speech {
  /** Whether a socket that must sign may try again, with another challenge. */
  readonly challenges: boolean
  /** Reads a `connect`. @throws {GatewayError} INVALID_REQUEST */
  readonly opening: (frame: RequestFrame) => Opening
  readonly refuse: (id: string, error: GatewayError) => Goodbye
  readonly fault: (id: string, error: GatewayError) => ResponseFrame
  /** From now on the connection is told what happens; resolves when it has caught up. */
  readonly join: (admitted: Admitted) => Promise<void>
  readonly leave: () => void
  /** The answer to `connect`. */
  readonly hello: (admitted: Admitted) => unknown
  /** Called when the answer to `connect` has been written. */
  readonly greeted: () => void
  /** Tells whether two requests under this id could not be told apart. */
  readonly isOwnId: (id: string) => boolean
  /** Serves a request; resolves with the payload of its (last) answer. */
  readonly serve: (frame: RequestFrame, caller: Caller, cause: string) => Promise<unknown>
}
