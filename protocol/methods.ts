/**
 * The methods: for each its parameters, the scope and role it needs, and whether it writes.
 *
 * One table for both dialects, the reference for scopes and for the wire's documentation. Names of
 * scopes are upstream's.
 */
import {
  array,
  boolean,
  enums,
  type Infer,
  integer,
  max,
  min,
  object,
  optional,
  size,
  string,
} from 'superstruct'
import { type Role, ROLES, type Scope } from './auth/scopes.ts'
import { limits } from './limits.ts'
import {
  CLIENT,
  id,
  idempotencyKey,
  label,
  names,
  secret,
  sessionKey,
  text,
  QUEUE_MODES,
  THINKING_LEVELS,
} from './methods/params.ts'
import { approvalMethods } from './methods/approvals.ts'
import { deliveryMethods } from './methods/deliveries.ts'
import { cronMethods } from './methods/cron.ts'
import { nodeMethods } from './methods/nodes.ts'
import { toolMethods } from './methods/tools.ts'
import { sessionMethods } from './methods/sessions.ts'

export { THINKING_LEVELS } from './methods/params.ts'

interface MethodSpec {
  readonly params: unknown // a struct
  readonly scope: Scope | null // what a client needs; null: `connect` itself
  readonly roles: readonly Role[] // who may call it at all; a node needs no scope
  readonly writes: boolean // leaves a record: a lazy connection is recorded first
}

const scopeNames = () => size(array(size(string(), 1, 64)), 0, 32)
const pairingCode = () => size(string(), 1, 32)
const channelName = () => size(string(), 1, 64)

// A request to pair, by the code that its device shows or by its id.
const request = {
  code: optional(pairingCode()),
  requestId: optional(id()),
  channel: optional(channelName()),
}

const address = () => size(string(), 1, 256)
const words = () => size(array(size(string(), 1, limits.filterTermCharsMax)), 0, 16)
const actor = {
  session: optional(sessionKey()),
  actor: optional(size(string(), 1, limits.streamNameBytesMax)),
}

const connect = object({
  deviceId: id(),
  role: optional(enums(ROLES)),
  scopes: optional(scopeNames()),
  auth: optional(
    object({
      token: optional(secret()),
      password: optional(secret()),
      deviceToken: optional(secret()),
      bootstrapToken: optional(secret()),
      challenge: optional(secret()),
      challengeResponse: optional(secret()),
      publicKey: optional(secret()),
      signedAt: optional(min(integer(), 0)),
    }),
  ),
  features: optional(names()),
  capabilities: optional(names()),
  version: optional(size(string(), 1, 64)),
  subscribe: optional(names()),
  resumeFrom: optional(min(integer(), 0)),
})

const configChange = object({
  raw: size(string(), 0, limits.configBytesMax), // JSON5
  baseHash: optional(size(string(), 1, 128)),
  note: optional(text()),
  sessionKey: optional(sessionKey()),
  restartDelayMs: optional(max(min(integer(), 0), limits.configDelayMsMax)),
})

/** Every method by its name. */
export const methods = {
  connect: { params: connect, scope: null, roles: ROLES, writes: true },
  health: {
    params: object({ probe: optional(boolean()) }),
    scope: 'operator.read',
    roles: ROLES,
    writes: false,
  },
  send: {
    params: object({
      channel: channelName(),
      target: size(string(), 1, 256),
      message: text(),
      idempotencyKey: optional(idempotencyKey()),
      sessionKey: optional(sessionKey()),
      ttlMs: optional(max(min(integer(), 1), limits.deliveryTtlMsMax)),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  agent: {
    params: object({
      message: text(),
      sessionKey: optional(sessionKey()),
      thinking: optional(enums(THINKING_LEVELS)),
      verbose: optional(boolean()),
      idempotencyKey: optional(idempotencyKey()),
      runKey: optional(idempotencyKey()),
      queueMode: optional(enums([...QUEUE_MODES, 'configured'])), // absent: followup
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'agent.abort': {
    params: object({ runId: id() }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  subscribe: {
    params: object({ events: names() }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: true,
  },
  'history.read': {
    params: object({
      range: optional(address()),
      ...actor,
      filter: optional(words()),
      limit: optional(max(min(integer(), 1), limits.historyPageMax)),
      bodies: optional(boolean()),
    }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'history.subscribe': {
    params: object({ filter: optional(words()), off: optional(boolean()) }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'history.prompt': {
    params: object({ run: optional(id()), at: optional(address()) }),
    scope: 'operator.history',
    roles: CLIENT,
    writes: false,
  },
  'state.at': {
    params: object({ at: optional(address()), ...actor, path: optional(address()) }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'state.diff': {
    params: object({ from: address(), to: address(), ...actor }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'why.explain': {
    params: object({
      address: optional(address()),
      not: optional(address()),
      from: optional(address()),
      ...actor,
      path: optional(address()),
      at: optional(address()),
    }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  ...sessionMethods,
  ...approvalMethods,
  ...deliveryMethods,
  ...nodeMethods,
  ...cronMethods,
  ...toolMethods,
  'history.head': {
    params: object({ since: optional(min(integer(), 0)) }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'history.erase': {
    params: object({
      subject: optional(size(string(), 3, 256)),
      session: optional(sessionKey()),
      reason: optional(size(string(), 0, limits.eraseReasonCharsMax)),
      dryRun: optional(boolean()),
    }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'gateway.release': { params: object({}), scope: 'operator.admin', roles: CLIENT, writes: true },
  'config.get': { params: object({}), scope: 'operator.read', roles: CLIENT, writes: false },
  'config.schema': { params: object({}), scope: 'operator.read', roles: CLIENT, writes: false },
  'config.apply': { params: configChange, scope: 'operator.admin', roles: CLIENT, writes: true },
  'config.patch': { params: configChange, scope: 'operator.admin', roles: CLIENT, writes: true },
  'pairing.list': { params: object({}), scope: 'operator.admin', roles: CLIENT, writes: false },
  'pairing.approve': {
    params: object({ ...request, scopes: optional(scopeNames()) }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'pairing.reject': {
    params: object(request),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'pairing.setup': {
    params: object({ role: optional(enums(ROLES)), scopes: optional(scopeNames()) }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'device.list': { params: object({}), scope: 'operator.admin', roles: CLIENT, writes: false },
  'device.revoke': {
    params: object({ deviceId: id() }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'device.rename': {
    params: object({ deviceId: id(), label: label() }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'device.rotate': {
    params: object({
      deviceId: id(),
      role: optional(enums(ROLES)),
      scopes: optional(scopeNames()),
    }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'channel.pairing.list': {
    params: object({ channel: channelName() }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: false,
  },
  'channel.pairing.approve': {
    params: object({
      channel: channelName(),
      code: optional(pairingCode()),
      senderId: optional(id()),
    }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
  'channel.pairing.reject': {
    params: object({
      channel: channelName(),
      code: optional(pairingCode()),
      senderId: optional(id()),
    }),
    scope: 'operator.admin',
    roles: CLIENT,
    writes: true,
  },
} as const satisfies Record<string, MethodSpec>

export type MethodName = keyof typeof methods
export type MethodParams<M extends MethodName> = Infer<(typeof methods)[M]['params']>
export type ConnectParams = Infer<typeof connect>

const KNOWN: ReadonlySet<string> = new Set(Object.keys(methods))

/** Tells whether a text names a method; safe for `toString` and the like. */
export function isMethod(name: string): name is MethodName {
  return KNOWN.has(name)
}

/** The event types that a client may subscribe to; a name covers what follows it and a dot. */
export const EVENT_NAMES = [
  'agent',
  'agent.delta',
  'agent.done',
  'approval',
  'chat',
  'cron',
  'delivery',
  'history',
  'node.invoke',
  'presence',
  'session',
  'tick',
  'tool',
  'tool.call',
  'shutdown',
] as const

export type EventName = (typeof EVENT_NAMES)[number]

/**
 * Tells whether a subscription covers an event: by its name, or by a prefix up to a dot. `history`
 * is told to those who asked by `history.subscribe`, whatever else they are told.
 */
export function covers(subscription: readonly string[] | null, event: EventName): boolean {
  if (event === 'history') return false
  if (subscription === null) return true
  return subscription.some((name) => event === name || event.startsWith(`${name}.`))
}
