/**
 * Pairing of one device: whether we know it, and by which token it proves itself.
 *
 *   unknown ──device.approved──► paired ──device.revoked──► revoked
 *                                 │  ▲ └─ device.approved (token replaced) ─┐
 *                                 └──┴── device.seen, at most one an hour ──┘
 *
 * The token itself is never here: only its SHA-256. `rule` says why the device was let in.
 */
import { produce } from 'immer'
import { assign, setup } from 'xstate'

/** What was seen of a connection when its device was approved. */
export interface ApprovalEvidence {
  address: string
  origin: string | null
  forwarded: boolean
  secret: 'none' | 'token' | 'password'
}

export type DeviceApproved = {
  type: 'device.approved'
  deviceId: string
  role: 'client' | 'node'
  scopes: string[]
  tokenHash: string // SHA-256 as 64 hex digits
  rule: string
  evidence: ApprovalEvidence
  at: number
}

export type PairingEvent =
  | DeviceApproved
  | { type: 'device.seen'; hour: number; at: number } // hours since epoch
  | { type: 'device.revoked'; by: string; at: number }

export interface PairingContext {
  deviceId: string
  role: 'client' | 'node'
  scopes: string[]
  tokenHash: string
  rule: string
  approvedAt: number
  seenHour: number
}

const machine = setup({
  types: { context: {} as PairingContext, events: {} as PairingEvent },
  actions: {
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
            draft.seenHour = Math.floor(event.at / 3_600_000)
          }),
    ),
    'hour.keep': assign(({ context, event }) =>
      event.type === 'device.seen' ? { ...context, seenHour: event.hour } : context,
    ),
    'token.drop': assign(({ context }) => ({ ...context, tokenHash: '', scopes: [] })),
  },
  guards: {
    'hour.isNew': ({ context, event }) =>
      event.type === 'device.seen' && event.hour > context.seenHour,
  },
})

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
    unknown: { on: { 'device.approved': { target: 'paired', actions: 'device.keep' } } },
    paired: {
      on: {
        'device.approved': { actions: 'device.keep' },
        'device.seen': { guard: 'hour.isNew', actions: 'hour.keep' },
        'device.revoked': { target: 'revoked', actions: 'token.drop' },
      },
    },
    revoked: {},
  },
})
