/** Upstream's methods with which people talk. Step 4 of 8. */
import type { MessageAccepted } from '../../../machines/session-events.ts'
import type { chatMethods } from '../../../protocol/dialect/upstream/methods/chat.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'
import { sessionIdOf } from '../../../protocol/session-id.ts'
import { agentOf, canonicalSessionKey, DEFAULT_AGENT_ID } from '../../../protocol/session-key.ts'
import { markRequest } from '../../idempotency.ts'
import { acceptMessage } from '../../methods/accept.ts'
import { findRun } from '../../methods/find-run.ts'
import type { RunEnd } from '../../run-ends.ts'
import { readTranscript } from '../../transcript.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'
import { keyNamed } from '../keys.ts'
import { formatDefaults, formatMessage, formatSession, modelOf, usageOf } from '../rows.ts'
import { listDirectives, obey } from './directives.ts'
import { listModels, partsOf } from './models.ts'

export const chatHandlers: Handlers<typeof chatMethods> = {
  'chat.history': readHistory,
  'chat.startup': readHistory,
  'chat.metadata': (house) => ({ models: listModels(house), commands: listDirectives() }),
  'chat.send': sendChat,
  'chat.abort': async (house, { sessionKey, runId }, call) => {
    const key = canonicalSessionKey(sessionKey)
    const runIds = await abort(house, { key, runId }, call)
    return { ok: true, aborted: runIds.length > 0, runIds }
  },
  'chat.inject': async (house, { sessionKey, message, label }, call) => {
    const params = { key: sessionKey, message, ...(label === undefined ? {} : { label }) }
    const done = await house.perform({ method: 'sessions.inject', params }, call)
    return { ok: true, messageId: (done as { messageId: string }).messageId }
  },
  agent: runAgent,
  'agent.wait': async (house, { runId, timeoutMs = limits.runWaitMsDefault }, call) => {
    const owner = call.caller.admission.deviceId
    const run = findRun(house, { owner, key: runId })
    if (run === null) return { runId, status: 'pending' }
    return formatEnd(runId, await house.runEnds.wait(run.runId, timeoutMs))
  },
  send: sendMessage,
  // There are no heartbeats to wait for: what wakes is said at once.
  wake: async (house, { text: said, sessionKey }, call) => {
    const key = keyNamed({ sessionKey })
    await acceptMessage(house, { sessionKey: key, text: `System: ${said}`, mark: null }, call)
    return { ok: true }
  },
}

interface HistoryAsked {
  readonly sessionKey: string
  readonly sessionId?: string | undefined
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly maxChars?: number | undefined
}

async function readHistory(house: UpstreamHouse, asked: HistoryAsked): Promise<unknown> {
  const { sessionKey, offset = 0, limit = limits.transcriptPageDefault } = asked
  const key = canonicalSessionKey(sessionKey)
  const { sessionId, maxChars } = asked
  const page = await readTranscript(house, { key, sessionId, limit, offset, maxChars })
  const { inFlight } = page
  const running =
    inFlight === null
      ? {}
      : {
          inFlightRun: {
            runId: inFlight.runKey ?? inFlight.runId,
            text: inFlight.text,
            startedAt: inFlight.startedAt,
          },
        }
  return {
    sessionKey,
    sessionId: page.sessionId,
    messages: page.messages.map(formatMessage),
    pendingInputs: { items: [], total: 0 },
    hasMore: page.hasMore,
    ...(page.hasMore ? { nextOffset: offset + page.messages.length } : {}),
    totalMessages: page.total,
    thinkingLevel: house.work.sessions.get(key)?.facts.thinking ?? 'off',
    defaults: formatDefaults(house),
    sessionInfo: formatSession(house, key),
    ...running,
  }
}

/** A message as any of these methods brings it. */
export interface Said {
  readonly sessionKey?: string | undefined
  readonly agentId?: string | undefined
  readonly sessionId?: string | undefined
  readonly message: string
  readonly idempotencyKey: string
  readonly thinking?: string | undefined
  readonly model?: string | undefined
  readonly queueMode?: 'configured'
}

async function sendChat(house: UpstreamHouse, params: Said, call: Call): Promise<unknown> {
  const obeyed = await obey(house, params, call)
  if (obeyed?.rest === '') return { runId: params.idempotencyKey, status: 'ok' }
  const message = obeyed?.rest ?? params.message
  return startRun(house, { ...params, message, queueMode: 'configured' }, call)
}

/** Takes a message in; `{ runId, status }`: `started`, or of a repeated one where its run stands. */
export async function startRun(house: UpstreamHouse, said: Said, call: Call): Promise<unknown> {
  const { isNew, open } = await accept(house, said, call)
  const status = isNew ? 'started' : open ? 'in_flight' : 'ok'
  return { runId: said.idempotencyKey, status }
}

interface Accepted {
  readonly runId: string // ours
  readonly sessionKey: string
  readonly isNew: boolean
  readonly open: boolean
  readonly at: number
}

async function accept(house: UpstreamHouse, said: Said, call: Call): Promise<Accepted> {
  const { message, idempotencyKey: runKey, thinking, model } = said
  const sessionKey = keyNamed(said)
  const owner = call.caller.admission.deviceId
  const told = { message, sessionKey, thinking, model }
  const mark = markRequest(owner, runKey, 'upstream.run', told)
  let isNew = false
  const record = await acceptMessage(
    house,
    {
      sessionKey,
      text: message,
      runKey,
      mark,
      ...(said.queueMode === undefined ? {} : { queueMode: said.queueMode }),
      ...(thinking === undefined ? {} : { thinking }),
      ...(model === undefined ? {} : { model }),
      begun: () => {
        isNew = true
      },
    },
    call,
  )
  const { runId } = record.event as unknown as MessageAccepted
  const open = findRun(house, { owner, key: runId })?.open ?? isNew
  return { runId, sessionKey, isNew, open, at: record.at }
}

// Two answers: accepted, which is on disk, and, when the run has ended, its end.
async function runAgent(house: UpstreamHouse, said: Said, call: Call): Promise<unknown> {
  const { runId, sessionKey, isNew, at } = await accept(house, said, call)
  const agentId = agentOf(sessionKey) ?? DEFAULT_AGENT_ID
  const name = said.idempotencyKey
  if (isNew) {
    call.accept({ runId: name, sessionKey, agentId, status: 'accepted', acceptedAt: at })
  }
  const end = await house.runEnds.wait(runId, limits.runWaitMsMax)
  if (end.status !== 'ok') throw runFault(name, end)
  return formatAnswer(house, { name, sessionKey, at }, end)
}

const NO_ANSWER = 'the model gave no answer (unknown)'

function runFault(runId: string, { status, reason = NO_ANSWER }: RunEnd): GatewayError {
  const text = status === 'aborted' ? 'the run was aborted' : reason
  const wire = status === 'timeout' ? 'TIMEOUT' : 'UNAVAILABLE'
  return new GatewayError(wire, text, { runId, status: status === 'ok' ? 'error' : status })
}

interface Asked {
  readonly name: string
  readonly sessionKey: string
  readonly at: number
}

function formatAnswer(house: UpstreamHouse, { name, sessionKey, at }: Asked, end: RunEnd): unknown {
  const { text = '', usage, endedAt } = end
  const { provider, model } = partsOf(end.model ?? modelOf(house, sessionKey))
  const row = house.work.sessions.get(sessionKey)
  const sessionId = sessionIdOf(sessionKey, row?.generation ?? 0)
  const tokens = usage === undefined ? {} : { usage: countsOf(usage) }
  return {
    runId: name,
    status: 'ok',
    summary: 'completed',
    result: {
      payloads: [{ text, mediaUrl: null }],
      meta: {
        durationMs: Math.max(0, (endedAt ?? at) - at),
        agentMeta: { sessionId, provider, model, ...tokens },
      },
    },
  }
}

function countsOf(usage: NonNullable<RunEnd['usage']>): object {
  const { totalTokens: total, ...counts } = usageOf(usage)
  return { ...counts, total }
}

function formatEnd(runId: string, { status, startedAt, endedAt, text, reason }: RunEnd): unknown {
  const said = status === 'aborted' ? 'error' : status
  return {
    runId,
    status: said,
    ...(startedAt === null ? {} : { startedAt }),
    ...(endedAt === null ? {} : { endedAt }),
    ...(status === 'aborted' ? { error: 'aborted', stopReason: 'rpc' } : {}),
    ...(reason === undefined ? {} : { error: reason }),
    ...(text === undefined
      ? {}
      : {
          stopReason: 'stop',
          terminalReply: { disposition: text === '' ? 'empty' : 'visible', text },
        }),
  }
}

/** Ends runs; resolves with their names as their clients know them. */
export async function abort(
  house: UpstreamHouse,
  { key, runId }: { key?: string | undefined; runId?: string | undefined },
  call: Call,
): Promise<string[]> {
  const open = [...house.work.sessions.values()].flatMap(({ runs }) => runs)
  const nameOf = (id: string): string => open.find((run) => run.runId === id)?.runKey ?? id
  const params = {
    ...(key === undefined ? {} : { key }),
    ...(runId === undefined ? {} : { runId }),
  }
  const done = await house.perform({ method: 'sessions.abort', params }, call)
  return (done as { aborted: string[] }).aborted.map(nameOf)
}

interface Sent {
  readonly to: string
  readonly message?: string | undefined
  readonly channel?: string | undefined
  readonly sessionKey?: string | undefined
  readonly idempotencyKey: string
}

async function sendMessage(house: UpstreamHouse, sent: Sent, call: Call): Promise<unknown> {
  const { to: target, message, sessionKey, idempotencyKey } = sent
  const channel = sent.channel ?? Object.keys(house.channels.states())[0] ?? ''
  if (message === undefined) {
    throw new GatewayError('INVALID_REQUEST', 'message is required', { path: 'message' })
  }
  if (!(channel in house.channels.states())) {
    const text = channel === '' ? 'no channel is configured' : `unsupported channel: ${channel}`
    throw new GatewayError('INVALID_REQUEST', text, { path: 'channel' })
  }
  const filed = sessionKey === undefined ? {} : { sessionKey }
  const params = { channel, target, message, idempotencyKey, ...filed }
  const done = await house.perform({ method: 'send', params }, call)
  const { deliveryId } = done as { deliveryId: string }
  return { runId: idempotencyKey, messageId: deliveryId, channel, to: target, via: 'gateway' }
}
