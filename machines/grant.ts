/**
 * One standing grant: a call of a tool that a person allowed from now on.
 *
 *   new ──grant.given──► given ──grant.revoked──► revoked ──grant.given──► given
 *
 * Its name is a keyed digest of the tool, its source, the exact arguments, and the agent and place
 * that they were asked for in (actors/grants.ts): what is equal has the same name, and the name says
 * nothing to those who lack the key. The arguments are the approval's body, and go with it.
 */
import { assign, setup } from 'xstate'

/** Where a call is asked for: whoever reads its answer. */
export interface GrantPlace {
  channel: string | null // null: a client of the gateway
  room: string | null
  sender: string | null
}

/** What is granted, as far as it is no text. */
export interface Granted {
  grantId: string
  keyId: string // of the key under which the name was made: it holds under no other
  tool: string
  source: string
  agentId: string
  place: GrantPlace
}

export type GrantGiven = Granted & {
  type: 'grant.given'
  approvalId: string
  sessionKey: string // '' where it is of none
  ref: string // of the whole request
  textRef: string // of it as people read it
  by: string
  channel?: string // where `by` is a sender; absent: a device
  at: number
}

export type GrantEvent = GrantGiven | { type: 'grant.revoked'; by: string; at: number }

export interface GrantContext extends Granted {
  approvalId: string
  ref: string
  textRef: string
  by: string // who gave it
  channel?: string
  givenAt: number // ms since epoch
  revokedBy: string // '' while it stands
  revokedAt: number // 0 while it stands
}

export const grantMachine = setup({
  types: { context: {} as GrantContext, events: {} as GrantEvent },
  actions: {
    'grant.keep': assign(({ context, event }) => {
      if (event.type !== 'grant.given') return context
      const { grantId, keyId, tool, source, agentId, place, approvalId, ref, textRef, by } = event
      const facts = { grantId, keyId, tool, source, agentId, place, approvalId, ref, textRef, by }
      const channel = event.channel === undefined ? {} : { channel: event.channel }
      return { ...context, ...facts, ...channel, givenAt: event.at, revokedBy: '', revokedAt: 0 }
    }),
    'grant.end': assign(({ context, event }) =>
      event.type === 'grant.revoked'
        ? { ...context, revokedBy: event.by, revokedAt: event.at }
        : context,
    ),
  },
}).createMachine({
  id: 'grant',
  context: {
    grantId: '',
    keyId: '',
    tool: '',
    source: '',
    agentId: '',
    place: { channel: null, room: null, sender: null },
    approvalId: '',
    ref: '',
    textRef: '',
    by: '',
    givenAt: 0,
    revokedBy: '',
    revokedAt: 0,
  },
  initial: 'new',
  states: {
    new: { on: { 'grant.given': { target: 'given', actions: 'grant.keep' } } },
    given: { on: { 'grant.revoked': { target: 'revoked', actions: 'grant.end' } } },
    revoked: { on: { 'grant.given': { target: 'given', actions: 'grant.keep' } } },
  },
})
