/**
 * What a person is asked about a call: the whole request, which is what an approval binds; the same as
 * lists show it; and, where a channel leads to who can decide, the question as it is sent there.
 *
 * Whoever may decide where the call comes from, and writes to us alone, is asked there. Everybody else's
 * calls are asked of the owner, where alerts go: never in a room where others would read the arguments.
 */
import type { ChannelContext } from '../machines/channel.ts'
import type { Granted } from '../machines/grant.ts'
import type { ToolJudgeParams } from '../machines/effects.ts'
import { mayDecide } from '../machines/rules/policy.ts'
import type { SessionContext } from '../machines/session.ts'
import type { Route } from '../machines/session-events.ts'
import { canonical } from '../protocol/codec.ts'
import { cutMiddle, escapeHidden } from '../protocol/exact.ts'
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { agentOf } from '../protocol/session-key.ts'
import type { BodyDraft } from '../store/contract.ts'
import type { ExecRequest } from './approvals.ts'
import { draftText } from './bodies.ts'
import type { ConfigKeeper } from './config.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'
import type { Tool, ToolArguments } from './tools/tool.ts'

/** A call of a tool that is there, with arguments that fit it. */
export interface CallWish {
  readonly tool: Tool
  readonly args: ToolArguments
  readonly params: ToolJudgeParams
}

/** How a call is asked for. */
export interface AskHow {
  readonly route: Route | null // of the question; null: no channel leads to who can decide
  readonly id: string // by which people answer
  readonly grant: Granted | null // what `always` would grant; null: nothing
  readonly askMs: number
}

/** What the judge says beside its verdict, and the texts that it names. */
export interface Ask {
  readonly facts: Readonly<Record<string, unknown>>
  readonly bodies: readonly BodyDraft[]
}

/** Puts into words what a person is asked. */
export function draftAsk({ chance, clock }: Services, wish: CallWish, how: AskHow): Ask {
  const request = formatRequest(wish)
  const whole = draftText(chance, canonical(request))
  const shown = draftText(chance, request.command)
  const { askMs, grant } = how
  const always = grant === null ? {} : { mayAlways: true, grant }
  const facts = { askRef: whole.ref, askTextRef: shown.ref, askMs, ...always }
  if (how.route === null) return { facts, bodies: [whole, shown] }
  const question = draftText(chance, sayQuestion(wish, how, clock.now() + askMs))
  const notice = { ref: question.ref, ...how.route }
  return { facts: { ...facts, notice }, bodies: [whole, shown, question] }
}

/** Makes what finds the way to who can decide about a call. */
export function openAskRoutes(
  registry: Registry,
  configuration: ConfigKeeper,
): (params: ToolJudgeParams) => Route | null {
  return (params) => {
    const own = routeBack(registry, params)
    if (own !== null) return own
    const { channel = null, target = null } = configuration.live.config.gateway.alerts ?? {}
    return channel === null || target === null ? null : { channel, target }
  }
}

// To who asked, if they may decide and nobody else reads there.
function routeBack(
  registry: Registry,
  { asked: { channel, room, sender }, sessionKey, runId }: ToolJudgeParams,
): Route | null {
  if (channel === null || room !== null || sender === null) return null
  const { policy } = registry.snapshot(streamId('channel', channel)).context as ChannelContext
  if (!mayDecide(policy, sender)) return null
  const session = registry.snapshot(streamId('session', sessionKey)).context as SessionContext
  return session.current?.runId === runId ? session.current.route : null
}

function formatRequest({ tool, args, params }: CallWish): ExecRequest {
  const { command: written } = args
  const command =
    tool.name === 'exec' && typeof written === 'string'
      ? written
      : `${tool.name} ${canonical(args)}`
  return {
    command,
    argv: null,
    cwd: null,
    env: {},
    host: 'gateway',
    nodeId: null,
    agentId: agentOf(params.sessionKey),
    sessionKey: params.sessionKey,
    more: { tool: tool.name, source: tool.source, arguments: canonical(args) },
  }
}

function sayQuestion(
  { tool, args, params }: CallWish,
  { id, askMs, grant }: AskHow,
  until: number,
): string {
  const { text, isWhole } = cutMiddle(escapeHidden(canonical(args)), limits.approvalNoticeCharsMax)
  const { channel, sender } = params.asked
  const who = channel === null ? 'a client' : `${escapeHidden(sender ?? 'somebody')} on ${channel}`
  const time = new Date(until).toISOString().slice(0, 16).replace('T', ' ')
  const rest = isWhole ? [] : ['That is not all of it: openclaw approvals list shows the rest.']
  const always = grant === null ? '' : `/approve ${id} always, `
  const wait = `until ${time} UTC (${Math.round(askMs / 60_000)} minutes)`
  return [
    `May ${tool.name} (${escapeHidden(tool.source)}) be run? ${who} asked; the arguments are`,
    text,
    ...rest,
    `Answer /approve ${id} once, ${always}or /approve ${id} deny, ${wait}. Without an answer it is not run.`,
  ].join('\n')
}
