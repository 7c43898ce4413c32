/** Sessions and messages as upstream's clients draw them. */
import type { SessionRow } from '../../machines/projections/sessions.ts'
import { sessionIdOf } from '../../protocol/session-id.ts'
import {
  agentOf,
  DEFAULT_AGENT_ID,
  MAIN_SESSION_KEY,
  parseSessionKey,
} from '../../protocol/session-key.ts'
import { readTextOrMark } from '../bodies.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { TranscriptMessage } from '../transcript.ts'
import { partsOf } from './methods/models.ts'

const PREVIEW_CHARS = 120

/** The model that a session's next message asks. */
export function modelOf({ configuration, work }: MethodHouse, key: string): string {
  const row = work.sessions.get(key)
  return row?.facts.model ?? configuration.live.config.agent.model.primary
}

/** What a session has that names none of its own. */
export function formatDefaults(house: MethodHouse): Record<string, unknown> {
  const { provider, model } = partsOf(house.configuration.live.config.agent.model.primary)
  return { modelProvider: provider, model, contextTokens: null, modelSelectionTarget: 'session' }
}

/** A session's row; one that has not begun is shown as it would begin. */
export function formatSession(house: MethodHouse, key: string): Record<string, unknown> {
  const row = house.work.sessions.get(key)
  const { provider, model } = partsOf(modelOf(house, key))
  const { peerKind } = parseSessionKey(key)
  const isDirect = peerKind === null || peerKind === 'direct'
  return {
    key,
    kind: isDirect ? 'direct' : 'group',
    agentId: agentOf(key) ?? DEFAULT_AGENT_ID,
    isMain: key === MAIN_SESSION_KEY,
    isBackground: false,
    sessionId: sessionIdOf(key, row?.generation ?? 0),
    modelProvider: provider,
    model,
    updatedAt: row?.updatedAt ?? null,
    archived: row?.facts.archived === true,
    pinned: row?.facts.pinned === true,
    unread: row?.facts.unread === true,
    hasActiveRun: row !== undefined && row.runs.length > 0,
    activeRunIds: row?.runs.map(({ runId, runKey }) => runKey ?? runId) ?? [],
    activeLeafEntryId: null,
    ...(row === undefined ? {} : factsOf(house, row, isDirect)),
  }
}

function factsOf(house: MethodHouse, row: SessionRow, isDirect: boolean): object {
  const { facts, thinking, channel, last, inputTokens, outputTokens } = row
  const level = facts.thinking ?? thinking
  return {
    chatType: isDirect ? 'direct' : 'group',
    createdAt: row.createdAt,
    lastInteractionAt: row.lastMessageAt,
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    totalTokensFresh: inputTokens + outputTokens > 0,
    status: row.runs.length > 0 ? 'running' : 'done',
    ...(facts.label === undefined ? {} : { label: facts.label, displayName: facts.label }),
    ...(level === null ? {} : { thinkingLevel: level }),
    ...(channel === null ? {} : { channel }),
    ...(last === null ? {} : { lastMessagePreview: previewOf(house, last.ref) }),
  }
}

// A text that is damaged costs its preview, not the list.
function previewOf({ store }: MethodHouse, ref: string): string {
  try {
    return readTextOrMark(store, ref).replaceAll(/\s+/g, ' ').slice(0, PREVIEW_CHARS).toWellFormed()
  } catch {
    return ''
  }
}

/** A message of a transcript. */
export function formatMessage(message: TranscriptMessage): Record<string, unknown> {
  const { id, seq, role, text, ts: timestamp, runId, runKey, model, usage } = message
  const own = { id, seq, ...(runId === null ? {} : { runId: runKey ?? runId }) }
  if (role === 'user') {
    const key = runKey === undefined ? {} : { idempotencyKey: `${runKey}:user` }
    return { role, content: text, timestamp, ...key, __openclaw: own }
  }
  const asked = model === undefined ? {} : partsOf(model)
  const tokens = usage === undefined ? {} : { usage: usageOf(usage) }
  const content = [{ type: 'text', text }]
  return { role, content, timestamp, ...asked, ...tokens, stopReason: 'stop', __openclaw: own }
}

/** Token counts in upstream's words; what is not known is nought. */
export function usageOf({
  inputTokens,
  outputTokens,
}: {
  inputTokens: number
  outputTokens: number
}) {
  const totalTokens = inputTokens + outputTokens
  return { input: inputTokens, output: outputTokens, totalTokens, cacheRead: 0, cacheWrite: 0 }
}
