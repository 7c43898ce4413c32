/**
 * What a message takes along into its session from the configuration, its session's own settings
 * and the calendar: computed at the door, so that machines see neither (K2).
 */
import { matchQueueMode, type QueuePolicy } from '../machines/rules/queue.ts'
import type { RunPlan } from '../machines/rules/plan.ts'
import type { Expiry } from '../machines/session-events.ts'
import type { SessionRow } from '../machines/projections/open-work.ts'
import type { ResolvedReset, ResolvedSession } from '../protocol/config/defaults.ts'
import {
  type ApprovalAnswer,
  DEFAULT_VALUE,
  type Directive,
  readDecision,
  readDirective,
} from '../protocol/directives.ts'
import { limits } from '../protocol/limits.ts'
import { THINKING_LEVELS } from '../protocol/methods/params.ts'
import { parseSessionKey } from '../protocol/session-key.ts'
import type { Approvals } from './approvals.ts'
import type { Intake } from './channel-setup.ts'
import type { ConfigKeeper } from './config.ts'
import { nextDaily } from './cron-plan.ts'
import { planRun } from './run-plan.ts'

/** What a message takes along. */
export interface RunDefaults {
  readonly model: string
  readonly thinking: string
  readonly messagesMax: number
  readonly queue: QueuePolicy
  readonly expiry?: Expiry // absent: its session stays
  readonly plan: RunPlan
}

/** Whose message it is, and when it came. */
export interface Arriving {
  readonly sessionKey: string // canonical
  readonly channel: string | null // null: a client
  readonly at: number // ms since epoch
  readonly model?: string // that the message itself asks for
}

/** Opens the door's view of the configuration. */
export function openIntake(
  configuration: Pick<ConfigKeeper, 'live'>,
  sessions: ReadonlyMap<string, SessionRow>,
  approvals: Pick<Approvals, 'meant'>,
): Intake {
  return {
    defaults: (arriving) => runDefaults(configuration, sessions.get(arriving.sessionKey), arriving),
    directive: (text) => judgeDirective({ configuration, approvals }, text),
  }
}

/** Reads what a message takes along; anew for each, so that a change takes effect at once. */
export async function runDefaults(
  { live }: Pick<ConfigKeeper, 'live'>,
  row: SessionRow | undefined,
  arriving: Arriving,
): Promise<RunDefaults> {
  const { agent, session, queue } = live.config
  const { model = agent.model.primary, thinking = 'off', queue: settled } = row?.facts ?? {}
  const { byChannel, ...policy } = queue
  const own = settled === undefined ? null : matchQueueMode(settled)
  const mode = own ?? byChannel[arriving.channel ?? 'webchat'] ?? policy.mode
  const expiry = await expiryOf(session, arriving)
  return {
    model,
    thinking,
    messagesMax: session.maxMessages,
    queue: { ...policy, mode },
    ...(expiry === null ? {} : { expiry }),
    plan: planRun(live.config, arriving.model ?? model),
  }
}

async function expiryOf(session: ResolvedSession, arriving: Arriving): Promise<Expiry | null> {
  const { mode, atHour, idleMinutes } = resetOf(session, arriving)
  const { at } = arriving
  const daily = mode === 'daily' ? await nextDaily(atHour, at) : null
  const first = daily === null ? null : { ...daily, reason: 'daily' as const }
  if (idleMinutes === null || mode === 'none') return first
  const idleAt = at + idleMinutes * 60_000
  if (first !== null && first.at <= idleAt) return first
  return { at: idleAt, reason: 'idle', zone: 'UTC', offsetMinutes: 0 }
}

// The narrower rule wins: the channel's, then the kind of conversation, then the one for all.
function resetOf(
  { reset, resetByType, resetByChannel }: ResolvedSession,
  { sessionKey, channel }: Arriving,
): ResolvedReset {
  const byChannel = channel === null ? undefined : resetByChannel[channel]
  return byChannel ?? resetByType[typeOf(sessionKey)] ?? reset
}

function typeOf(sessionKey: string): keyof ResolvedSession['resetByType'] {
  const { thread, peerKind } = parseSessionKey(sessionKey)
  if (thread !== null) return 'thread'
  return peerKind === null || peerKind === 'direct' ? 'direct' : 'group'
}

/** What directives are judged by. */
export interface DirectiveHouse {
  readonly configuration: Pick<ConfigKeeper, 'live'>
  readonly approvals: Pick<Approvals, 'meant'>
}

/** Reads a directive off a message and judges its values; null where it is for the agent. */
export function judgeDirective(
  { configuration: { live }, approvals }: DirectiveHouse,
  text: string,
): { directive: Directive; rest: string } | null {
  const written = readDirective(text)
  if (written === null) return null
  const { name, values, rest } = written
  const value = values[0]?.slice(0, limits.contextTextCharsMax) ?? null
  if (name === 'approve') {
    const answer = answerIn(values, approvals)
    return { directive: { name, value, known: !('fault' in answer), answer }, rest }
  }
  const known = value === null || value === DEFAULT_VALUE || isKnown(live, name, value)
  return { directive: { name, value, known }, rest }
}

// Which approval it is, is found here; whether this sender may decide it, and whether it still
// waits, is judged where that is known for certain: by the channel, and by the approval itself.
function answerIn(
  [id, word = '']: readonly string[],
  approvals: Pick<Approvals, 'meant'>,
): ApprovalAnswer {
  const decision = readDecision(word)
  if (id === undefined || decision === null) return { fault: 'usage' }
  const meant = approvals.meant(id)
  return 'fault' in meant ? meant : { ...meant, decision }
}

function isKnown(
  { models }: ConfigKeeper['live'],
  name: Directive['name'],
  value: string,
): boolean {
  if (name === 'queue') return matchQueueMode(value) !== null
  if (name === 'think') return THINKING_LEVELS.some((level) => level === value)
  return name !== 'model' || models.find(value) !== null
}
