/** What handlers of upstream's methods need, and the shape that each of them has. Step 4 of 8. */
import type { Infer, Struct } from 'superstruct'
import type { Protocol, UpstreamClient } from '../../protocol/dialect/upstream/connect.ts'
import type { Command } from '../../protocol/command.ts'
import type { Origin } from '../caller.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Peer } from '../peer.ts'
import type { AuthSettings } from '../admission.ts'
import type { Following } from './following.ts'
import type { Feed } from './feed.ts'
import type { PresenceBook } from './presence.ts'

export interface UpstreamHouse extends MethodHouse {
  readonly version: string
  readonly bootId: string
  readonly stateDir: string
  readonly auth: AuthSettings
  readonly feed: Feed
  readonly presence: PresenceBook
  /** Runs a command of our own table; roles and scopes have been judged. */
  readonly perform: (command: Command, origin: Origin) => unknown
}

/** One request, for its handler. */
export interface Call extends Origin {
  readonly connectionId: string
  readonly following: Following
  readonly client: UpstreamClient
  readonly protocol: Protocol
  readonly peer: Peer
  /** Answers at once what is answered again at its end (`agent`, `exec.approval.request`). */
  readonly accept: (payload: unknown) => void
}

/** Handlers of a table of methods: checked parameters in, payload of the answer out. */
export type Handlers<T extends Record<string, { readonly params: unknown }>> = {
  readonly [M in keyof T]: (
    house: UpstreamHouse,
    params: T[M]['params'] extends Struct<infer P, infer _S> ? P : Infer<never>,
    call: Call,
  ) => unknown
}
