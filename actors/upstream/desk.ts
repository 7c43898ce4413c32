/**
 * The desk: serves upstream's methods. Step 4 of 8.
 *
 *   method, params ─► checked ─► role and scope judged ─► its handler (methods.ts)
 *
 * One for the whole house; what differs from connection to connection comes with each call.
 */
import { allows } from '../../protocol/auth/scopes.ts'
import type {
  Protocol,
  UpstreamClient,
  UpstreamConnect,
} from '../../protocol/dialect/upstream/connect.ts'
import {
  knownMethod,
  parseUpstreamCommand,
  type UpstreamMethodName,
  upstreamMethods,
} from '../../protocol/dialect/upstream/methods.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { cutText } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Admission, AuthSettings } from '../admission.ts'
import type { Caller } from '../caller.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Nodes } from '../nodes.ts'
import type { Peer } from '../peer.ts'
import type { Admitted } from '../speech.ts'
import type { Cancel } from '../services.ts'
import type { Delta } from '../run.ts'
import { Feed } from './feed.ts'
import type { Following } from './following.ts'
import { readUpstreamHealth } from './health.ts'
import { formatHello } from './hello.ts'
import type { Call, UpstreamHouse } from './house.ts'
import { handlers } from './methods.ts'
import { PresenceBook } from './presence.ts'
import { RunTeller } from './run-teller.ts'
import { cronTeller } from './cron-rows.ts'
import { nodeTeller } from './node-teller.ts'
import { approvalTeller } from './approval-rows.ts'
import { sessionTeller } from './session-teller.ts'
import { configTeller, pairingTeller, tellStops } from './tellers.ts'

interface Setup {
  readonly version: string
  readonly stateDir: string
  readonly auth: AuthSettings
  readonly perform: UpstreamHouse['perform']
}

/** One request as its connection hands it over. */
export interface Handed {
  readonly connectionId: string
  readonly following: Following
  readonly client: UpstreamClient
  readonly protocol: Protocol
  readonly peer: Peer
  readonly cause: string
  readonly accept: (payload: unknown) => void
}

type AnyHandler = (house: UpstreamHouse, params: unknown, call: Call) => unknown

export class UpstreamDesk {
  readonly feed: Feed
  readonly nodes: Nodes
  /** Runs a command of our own table, of either dialect. */
  readonly perform: UpstreamHouse['perform']
  #house: UpstreamHouse
  #runs: RunTeller
  #nextHealth: Cancel = () => {}
  #nextTick: Cancel = () => {}

  constructor(house: MethodHouse, setup: Setup) {
    const { services } = house
    this.feed = new Feed(services)
    this.nodes = house.nodes
    this.perform = setup.perform
    const bootId = services.chance.id()
    const presence = new PresenceBook(services, this.feed, setup.version, bootId)
    this.#house = { ...house, ...setup, bootId, feed: this.feed, presence }
    this.#runs = new RunTeller(house, this.feed)
    this.feed.teach(tellStops)
    this.feed.teach(pairingTeller(house))
    this.feed.teach(configTeller(house))
    this.feed.teach(approvalTeller(house))
    this.feed.teach(nodeTeller(house))
    this.feed.teach(cronTeller(house))
    this.feed.teach(sessionTeller(house))
    this.#healthLater()
    this.#tickLater()
  }

  // Runs are followed whether anybody listens or not: who comes later hears the rest of them.
  committed(record: JournalRecord): void {
    this.feed.follow(record, () => this.#runs.committed(record))
    this.feed.committed(record)
  }

  delta(delta: Delta): void {
    this.#runs.delta(delta)
  }

  stop(): void {
    this.#nextHealth()
    this.#nextTick()
  }

  makeId(): string {
    return this.#house.services.chance.id()
  }

  health(): unknown {
    return readUpstreamHealth(this.#house)
  }

  hello(admitted: Admitted & { connectionId: string; asked: UpstreamConnect | null }): unknown {
    return formatHello(this.#house, admitted)
  }

  enter(connectionId: string, guest: Parameters<PresenceBook['enter']>[1]): void {
    this.#house.presence.enter(connectionId, guest)
  }

  leave(connectionId: string): void {
    this.#house.presence.leave(connectionId)
  }

  /** Serves a request; resolves with the payload of its last answer. */
  async serve(
    { method, params }: { method: string; params: unknown },
    caller: Caller,
    handed: Handed,
  ): Promise<unknown> {
    const name = knownMethod(method)
    assertAllowed(name, caller.admission)
    const command = parseUpstreamCommand(method, params)
    const origin = await caller.enter(upstreamMethods[name].writes, handed.cause)
    const handler = handlers[name] as AnyHandler
    const named = cutText(handed.client.displayName ?? handed.client.id)
    return handler(this.#house, command.params, { ...handed, ...origin, named })
  }

  // Older clients take only a tick for a sign of life.
  #tickLater(): void {
    this.#nextTick = this.#house.services.clock.after(limits.tickIntervalMs, () => {
      this.feed.tick()
      this.#tickLater()
    })
  }

  #healthLater(): void {
    this.#nextHealth = this.#house.services.clock.after(limits.healthEveryMs, () => {
      if (!this.feed.idle) this.feed.picture('health', this.health())
      this.#healthLater()
    })
  }
}

// The role comes first; a node that may call a method needs no scope for it.
function assertAllowed(method: UpstreamMethodName, { role, scopes }: Admission): void {
  const { scope, roles } = upstreamMethods[method]
  const called = role === 'node' ? 'node' : 'operator'
  if (!(roles as readonly string[]).includes(called)) {
    throw new GatewayError('INVALID_REQUEST', `unauthorized role: ${called}`)
  }
  if (called === 'node' || scope === null || allows(scopes, scope)) return
  throw new GatewayError('FORBIDDEN', `missing scope: ${scope}`, { requiredScopes: [scope] })
}
