/**
 * Where the published package names a schema otherwise than by its rule, has only a part of one,
 * or stands behind the real gateway. Data for `upstream-schema.ts`.
 */
import { ProtocolSchemas as published } from '@openclaw/gateway-protocol/schema'
import { type TSchema, Type } from 'typebox'

/** A result of which only some fields have a published schema; others may be there. */
function having(fields: Record<string, TSchema>): TSchema {
  return Type.Object(fields)
}

const nullable = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()])
const health = published.Snapshot.properties.health

/** Schemas of parameters, by method. */
export const PARAMS_SCHEMAS: Readonly<Record<string, TSchema>> = {
  'agent.identity.get': published.AgentIdentityParams,
  'session.members.add': published.SessionMemberAddParams,
  'session.members.remove': published.SessionMemberRemoveParams,
  'sessions.github.options': published.SessionGitHubOptionsParams,
  'sessions.github.status': published.SessionGitHubStatusParams,
  'sessions.viewers.set': published.SessionsViewerPresenceSetParams,
}

/** Schemas of results, by method. */
export const RESULT_SCHEMAS: Readonly<Record<string, TSchema>> = {
  connect: published.HelloOk,
  health,
  'agent.identity.get': published.AgentIdentityResult,
  'chat.history': having({ sessionInfo: Type.Optional(published.SessionRow) }),
  'chat.startup': having({ sessionInfo: Type.Optional(published.SessionRow) }),
  'config.schema': published.ConfigSchemaResponse,
  'cron.get': published.CronJob,
  'cron.list': having({
    jobs: Type.Array(published.CronJob),
    snapshotRevision: Type.String(),
    deliveryPreviews: Type.Record(Type.String(), published.CronDeliveryPreview),
  }),
  'cron.list compact': having({
    jobs: Type.Array(having({ id: Type.String(), name: Type.String() })),
    snapshotRevision: Type.String(),
  }),
  'cron.runs': having({ entries: Type.Array(published.CronRunLogEntry) }),
  'cron.update': published.CronJob,
  'exec.approval.list': Type.Array(Type.Unknown()),
  'exec.approvals.get': published.ExecApprovalsSnapshot,
  'exec.approvals.set': published.ExecApprovalsSnapshot,
  'openclaw.approval.list': Type.Array(Type.Unknown()),
  'plugin.approval.list': Type.Array(Type.Unknown()),
  'session.members.add': published.SessionMemberMutationResult,
  'session.members.remove': published.SessionMemberMutationResult,
  'sessions.describe': having({ session: nullable(published.SessionRow) }),
  'sessions.github.options': published.SessionGitHubOptionsResult,
  'sessions.github.status': published.SessionGitHubStatusResult,
  'sessions.list': having({ sessions: Type.Array(published.SessionRow) }),
  'sessions.viewers.set': published.SessionsViewerPresenceSetResult,
  'system-presence': Type.Array(published.PresenceEntry),
}

/** Schemas of event payloads, by event. */
export const EVENT_SCHEMAS: Readonly<Record<string, TSchema>> = {
  'connect.challenge': having({
    nonce: Type.String({ minLength: 1 }),
    ts: Type.Integer({ minimum: 0 }),
  }),
  health,
  presence: having({ presence: Type.Array(published.PresenceEntry) }),
  'sessions.changed': having({ session: Type.Optional(published.SessionRow) }),
  'talk.event': published.TalkEvent,
}

/**
 * Fields in which the real gateway and the clients of 2026.9.6 depart from the schema of 2026.9.1:
 * newer ones, and one that is no whole number. `*` stands for an index.
 */
export const NEWER: Readonly<Record<string, readonly string[]>> = {
  'frame event': ['/recipientProfileId'],
  'event agent': ['/sessionKey', '/sessionId', '/agentId', '/lane', '/session'],
  'event health': ['/eventLoop/cpuBreakdown'],
  'event presence': ['/presence/*/clientId'],
  'params chat.history': ['/maxBytes'],
  'params connect': ['/modelCatalog'],
  'params sessions.catalog.list': ['/allowPartialResults'],
  'params sessions.github.options': ['/agentId'],
  'params tasks.list': ['/sortBy'],
  'result channels.status': ['/statusIssues', '/eventLoop/cpuBreakdown', '/eventLoop/intervalMs'],
  'result connect': [
    '/auth/method',
    '/controlUiLinkReaders',
    '/snapshot/health/eventLoop/cpuBreakdown',
    '/snapshot/presence/*/clientId',
  ],
  'result cron.list': ['/jobs/*/effectiveAgentId'],
  'result health': ['/eventLoop/cpuBreakdown', '/modelRuntime'],
  'result models.list': ['/accountSelection', '/models/*/manualSelectionAllowed'],
  'result sessions.github.options': ['/latestShared'],
  'result system.info': ['/disks', '/eventLoop', '/processMemory'],
  'result talk.catalog': [
    '/realtime/providers/*/activeVoices',
    '/realtime/providers/*/activeVoiceSelectionPolicy',
  ],
}
