/**
 * The pairing handshake of one device, and then its token.
 *
 *   unknown ──challenge.issued──► challenged ──challenge.answered──► signed
 *      │                             ▲                                 ├──approval.requested──► waiting
 *      └──device.approved──► paired ◄┼───────────device.approved───────┴───────────┬──────────────┤
 *                             │      └── expired ◄─────── approval.expired ─────────┤              │
 *                             │      └── rejected (after a while) ◄─ approval.rejected             │
 *                             └──device.revoked──► revoked ◄────────── device.revoked ─────────────┘
 *
 * A stranger's challenge is memory only (actors/connection.ts): `challenge.issued` is recorded with
 * its answer, once that was signed well. `device.approved` names the rule or the person that let
 * the device in; one that a person let in names the request, so no other can be meant. In `paired`
 * it replaces the token. Nothing leads out of `revoked`.
 *
 * A paired device that asks for more stays paired, with what it has, while a person decides:
 *
 *   paired ──upgrade.requested──► paired, with a request ──upgrade.approved──► paired, with more
 *                                        └── upgrade.rejected · upgrade.expired ──► paired
 *
 * Secrets are never here, only their SHA-256. Members of the context that older journals know
 * nothing of are absent until they are needed, and null when they are over, so that those fold to
 * the hashes they recorded.
 */
import { produce } from 'immer'
import { assign, setup } from 'xstate'
import type { Role } from '../protocol/auth/scopes.ts'
import { limits } from '../protocol/limits.ts'
import type { Wait } from './waits.ts'

/** What was seen of a connection when its device was approved. */
export interface ApprovalEvidence {
  address: string
  origin: string | null
  forwarded: boolean
  secret: 'none' | 'token' | 'password'
  key?: string // the public key that signed, where one did
}

export type DeviceApproved = {
  type: 'device.approved'
  deviceId: string
  role: Role
  scopes: string[]
  tokenHash: string // SHA-256 as 64 hex digits; '' until the device fetches its token
  rule: string
  evidence: ApprovalEvidence
  publicKey?: string // base64url; the device proves itself by it from now on
  requestId?: string // a person approved this request
  by?: string // the device of that person
  at: number
}

export type ChallengeAnswered = {
  type: 'challenge.answered'
  deviceId: string
  publicKey: string
  nonceHash: string
  role: Role
  scopes: string[] | null // null: none were named
  at: number
}

export type ApprovalRequested = {
  type: 'approval.requested'
  requestId: string
  codeHash: string
  address: string
  origin: string | null // cut to limits.contextTextCharsMax
  forwarded: boolean
  expiresAt: number // ms since epoch
  at: number
}

export type UpgradeRequested = {
  type: 'upgrade.requested'
  requestId: string
  codeHash: string
  scopes: string[] // all that it asks for, what it has among them
  address: string
  origin: string | null // cut to limits.contextTextCharsMax
  forwarded: boolean
  expiresAt: number // ms since epoch
  at: number
}

export type UpgradeApproved = {
  type: 'upgrade.approved'
  requestId: string
  scopes: string[] // all that it has from now on
  rule: string
  by: string
  at: number
}

export type PairingEvent =
  | { type: 'challenge.issued'; nonceHash: string; address: string; issuedAt: number; at: number }
  | ChallengeAnswered
  | ApprovalRequested
  | { type: 'approval.rejected'; requestId: string; by: string; at: number }
  | { type: 'approval.expired'; requestId: string; reason: 'time' | 'crowded'; at: number }
  | { type: 'code.missed'; at: number }
  | DeviceApproved
  | { type: 'token.issued'; tokenHash: string; at: number }
  | { type: 'token.renewed'; tokenHash: string; at: number } // fetched by a device that was given more
  | { type: 'device.rotated'; tokenHash: string; scopes: string[]; by: string; at: number }
  | { type: 'device.seen'; hour: number; at: number } // hours since epoch
  | { type: 'scopes.refused'; missing: string[]; hour: number; at: number }
  | { type: 'device.revoked'; by: string; at: number }
  | { type: 'device.renamed'; label: string; by: string; at: number }
  | UpgradeRequested
  | UpgradeApproved
  | { type: 'upgrade.rejected'; requestId: string; by: string; at: number }
  | { type: 'upgrade.expired'; requestId: string; reason: 'time' | 'crowded'; at: number }

/** What waits for a person. */
export interface PairingRequest {
  requestId: string
  codeHash: string // '' once burned
  missed: number // wrong codes typed while this one is alive
  role: Role
  scopes: string[] | null
  publicKey: string
  address: string
  origin: string | null
  forwarded: boolean
  requestedAt: number
  expiresAt: number
}

export const HOUR_MS = 3_600_000

/** Counts the hours since the epoch: how finely it is kept when a device was here. */
export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS)
}

export interface PairingContext {
  deviceId: string
  role: Role
  scopes: string[]
  tokenHash: string
  rule: string
  approvedAt: number
  seenHour: number // hourOf
  publicKey?: string | null // of a paired device that has one
  nonceHash?: string | null // while challenged
  answered?: ChallengeAnswered | null // while signed
  request?: PairingRequest | null // while waiting, or while paired and asking for more
  rejectedAt?: number | null
  refusedHour?: number // when it last asked for more than it was granted
  label?: string // what its owner calls it; absent: nothing yet
}

type Passing = 'publicKey' | 'nonceHash' | 'answered' | 'request' | 'rejectedAt'

// XState merges what an assign returns, so a member cannot be taken away again; one that was never
// there must not appear either.
function forget(draft: PairingContext, members: readonly Passing[]): void {
  for (const member of members) if (draft[member] !== undefined) draft[member] = null
}

const machine = setup({
  types: { context: {} as PairingContext, events: {} as PairingEvent },
  actions: {
    'challenge.keep': assign(({ context, event }) =>
      event.type !== 'challenge.issued' ? context : { ...context, nonceHash: event.nonceHash },
    ),
    'answer.keep': assign(({ context, event }) =>
      event.type !== 'challenge.answered'
        ? context
        : produce(context, (draft) => {
            draft.nonceHash = null
            draft.answered = event
          }),
    ),
    'request.keep': assign(({ context, event }) =>
      event.type !== 'approval.requested'
        ? context
        : produce(context, (draft) => {
            const { answered } = context
            draft.answered = null
            if (answered === undefined || answered === null) return
            const { role, scopes, publicKey, deviceId } = answered
            const { requestId, codeHash, expiresAt, at: requestedAt } = event
            const { address, origin, forwarded } = event
            const asked = { role, scopes, publicKey, requestedAt, expiresAt }
            const seen = { address, origin, forwarded }
            draft.deviceId = deviceId
            draft.request = { requestId, codeHash, missed: 0, ...asked, ...seen }
          }),
    ),
    'request.drop': assign(({ context, event }) =>
      produce(context, (draft) => {
        draft.request = null
        const isRejected = event.type === 'approval.rejected' || event.type === 'upgrade.rejected'
        if (isRejected) draft.rejectedAt = event.at
      }),
    ),
    'upgrade.keep': assign(({ context, event }) =>
      event.type !== 'upgrade.requested'
        ? context
        : produce(context, (draft) => {
            const { type: _, at: requestedAt, ...asked } = event
            const { role, publicKey } = context
            draft.request = { ...asked, role, publicKey: publicKey ?? '', requestedAt, missed: 0 }
          }),
    ),
    'upgrade.grant': assign(({ context, event }) =>
      event.type !== 'upgrade.approved'
        ? context
        : produce(context, (draft) => {
            draft.scopes = event.scopes
            draft.request = null
          }),
    ),
    'label.keep': assign(({ context, event }) =>
      event.type === 'device.renamed' ? { ...context, label: event.label } : context,
    ),
    'miss.count': assign(({ context }) =>
      produce(context, ({ request }) => {
        if (request === undefined || request === null) return
        request.missed += 1
        if (request.missed >= limits.pairingCodeTriesMax) request.codeHash = ''
      }),
    ),
    'device.keep': assign(({ context, event }) =>
      event.type !== 'device.approved'
        ? context
        : produce(context, (draft) => {
            draft.deviceId = event.deviceId
            draft.role = event.role
            draft.scopes = event.scopes
            draft.tokenHash = event.tokenHash
            draft.rule = event.rule
            draft.approvedAt = event.at
            draft.seenHour = hourOf(event.at)
            if (event.publicKey !== undefined) draft.publicKey = event.publicKey
            forget(draft, ['nonceHash', 'answered', 'request', 'rejectedAt'])
          }),
    ),
    'token.keep': assign(({ context, event }) =>
      event.type === 'token.issued' || event.type === 'token.renewed'
        ? { ...context, tokenHash: event.tokenHash }
        : context,
    ),
    'rotation.keep': assign(({ context, event }) =>
      event.type === 'device.rotated'
        ? { ...context, tokenHash: event.tokenHash, scopes: event.scopes }
        : context,
    ),
    'hour.keep': assign(({ context, event }) =>
      event.type === 'device.seen' ? { ...context, seenHour: event.hour } : context,
    ),
    'refusal.keep': assign(({ context, event }) =>
      event.type === 'scopes.refused' ? { ...context, refusedHour: event.hour } : context,
    ),
    'token.drop': assign(({ context }) =>
      produce(context, (draft) => {
        draft.tokenHash = ''
        draft.scopes = []
        forget(draft, ['publicKey', 'request'])
      }),
    ),
  },
  guards: {
    'hour.isNew': ({ context, event }) =>
      event.type === 'device.seen' && event.hour > context.seenHour,
    'refusal.isNew': ({ context, event }) =>
      event.type === 'scopes.refused' && event.hour > (context.refusedHour ?? 0),
    'nonce.isIssued': ({ context, event }) =>
      event.type === 'challenge.answered' && event.nonceHash === context.nonceHash,
    'token.isMissing': ({ context, event }) =>
      event.type === 'token.issued' && context.tokenHash === '',
    'rule.approves': ({ event }) =>
      event.type === 'device.approved' && event.requestId === undefined,
    'request.isMeant': ({ context, event }) =>
      'requestId' in event && event.requestId === context.request?.requestId,
    'request.approves': ({ context, event }) =>
      event.type === 'device.approved' &&
      (event.requestId === undefined || event.requestId === context.request?.requestId),
    'request.isNone': ({ context }) => (context.request ?? null) === null,
    'request.isThere': ({ context }) => (context.request ?? null) !== null,
    'rejection.isOld': ({ context, event }) =>
      event.at - (context.rejectedAt ?? 0) >= limits.pairingRejectedMs,
  },
})

const begins = { target: 'challenged', actions: 'challenge.keep' } as const
const approves = { target: 'paired', guard: 'rule.approves', actions: 'device.keep' } as const

export const pairingMachine = machine.createMachine({
  id: 'pairing',
  context: {
    deviceId: '',
    role: 'client',
    scopes: [],
    tokenHash: '',
    rule: '',
    approvedAt: 0,
    seenHour: 0,
  },
  initial: 'unknown',
  states: {
    unknown: { on: { 'challenge.issued': begins, 'device.approved': approves } },
    challenged: {
      on: {
        'challenge.issued': begins, // The process ended between the two; the device asks anew.
        'challenge.answered': { target: 'signed', guard: 'nonce.isIssued', actions: 'answer.keep' },
      },
    },
    signed: {
      on: {
        'challenge.issued': begins,
        'approval.requested': { target: 'waiting', actions: 'request.keep' },
        'device.approved': approves,
      },
    },
    waiting: {
      on: {
        'device.approved': { target: 'paired', guard: 'request.approves', actions: 'device.keep' },
        'approval.rejected': {
          target: 'rejected',
          guard: 'request.isMeant',
          actions: 'request.drop',
        },
        'approval.expired': {
          target: 'expired',
          guard: 'request.isMeant',
          actions: 'request.drop',
        },
        'code.missed': { actions: 'miss.count' },
        'device.revoked': { target: 'revoked', actions: 'token.drop' },
      },
    },
    paired: {
      on: {
        'device.approved': { guard: 'rule.approves', actions: 'device.keep' },
        'token.issued': { guard: 'token.isMissing', actions: 'token.keep' },
        'token.renewed': { actions: 'token.keep' },
        'device.rotated': { actions: 'rotation.keep' },
        'device.seen': { guard: 'hour.isNew', actions: 'hour.keep' },
        'scopes.refused': { guard: 'refusal.isNew', actions: 'refusal.keep' },
        'device.renamed': { actions: 'label.keep' },
        'upgrade.requested': { guard: 'request.isNone', actions: 'upgrade.keep' },
        'upgrade.approved': { guard: 'request.isMeant', actions: 'upgrade.grant' },
        'upgrade.rejected': { guard: 'request.isMeant', actions: 'request.drop' },
        'upgrade.expired': { guard: 'request.isMeant', actions: 'request.drop' },
        'code.missed': { guard: 'request.isThere', actions: 'miss.count' },
        'device.revoked': { target: 'revoked', actions: 'token.drop' },
      },
    },
    expired: { on: { 'challenge.issued': begins } },
    rejected: { on: { 'challenge.issued': { ...begins, guard: 'rejection.isOld' } } },
    revoked: {},
  },
})

/** Lists what a pairing waits for: while a request waits for a person, its end. */
export function pairingWaits(value: unknown, { request }: PairingContext): Wait[] {
  if (value !== 'waiting' && value !== 'paired') return []
  if (request === undefined || request === null) return []
  const { requestId, expiresAt } = request
  const type = value === 'waiting' ? 'approval.expired' : 'upgrade.expired'
  return [
    { id: `expiry.${requestId}`, dueAt: expiresAt, event: { type, requestId, reason: 'time' } },
  ]
}
