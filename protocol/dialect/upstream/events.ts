/** Upstream's events that this gateway sends, and the scope that hearing each of them needs. */

/** null: everybody who is connected hears it. */
export const UPSTREAM_EVENTS = {
  'connect.challenge': null,
  tick: null,
  health: null,
  shutdown: null,
  agent: 'operator.read',
  chat: 'operator.read',
  presence: 'operator.read',
  'session.message': 'operator.read',
  'session.tool': 'operator.read',
  'sessions.changed': 'operator.read',
  cron: 'operator.read',
  'config.changed': 'operator.read',
  'node.invoke.request': null, // told to its node alone
  'node.pair.requested': 'operator.pairing',
  'node.pair.resolved': 'operator.pairing',
  'exec.approval.requested': 'operator.approvals',
  'exec.approval.resolved': 'operator.approvals',
  'device.pair.requested': 'operator.pairing',
  'device.pair.resolved': 'operator.pairing',
} as const satisfies Record<string, string | null>

export type UpstreamEvent = keyof typeof UPSTREAM_EVENTS

/** Their names, for `features.events`. */
export const UPSTREAM_EVENT_NAMES = Object.keys(UPSTREAM_EVENTS) as UpstreamEvent[]
