/**
 * Directives that a person writes in a web client: what is done, and what is said of it.
 *
 * The same words as in channels. What is said stands in no transcript: the agent must not read it.
 */
import { DIRECTIVES, type Directive } from '../../../protocol/directives.ts'
import { allows } from '../../../protocol/auth/scopes.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { type Phrase, wordPhrase } from '../../../protocol/phrases.ts'
import { settingUnknown } from '../../../machines/rules/directives.ts'
import type { ApprovalState } from '../../../machines/approval.ts'
import { agentOf, DEFAULT_AGENT_ID } from '../../../protocol/session-key.ts'
import { judgeDirective, runDefaults } from '../../intake.ts'
import type { Call, UpstreamHouse } from '../house.ts'
import { keyNamed } from '../keys.ts'
import type { Said } from './chat.ts'

/** Lists what a person can write. */
export function listDirectives(): object[] {
  return DIRECTIVES.map(({ word, takes, rest, says }) => ({
    name: word,
    nativeName: word,
    textAliases: [`/${word}`],
    description: says,
    category: word === 'status' ? 'status' : 'session',
    source: 'native',
    scope: 'both',
    acceptsArgs: takes.length > 0 || rest === true,
  }))
}

/**
 * Does what a directive says, and says so to whoever follows the session's chat; null where the
 * message is for the agent. What stands behind `/new` is left to be said to the agent.
 * @throws {GatewayError} FORBIDDEN: `/new` without the scope that resets sessions, `/approve` without
 * the one that decides.
 */
export async function obey(
  house: UpstreamHouse,
  said: Said,
  call: Call,
): Promise<{ rest: string } | null> {
  const found = judgeDirective(house, said.message)
  if (found === null) return null
  const sessionKey = keyNamed(said)
  const phrase = await perform(house, { sessionKey, directive: found.directive }, call)
  if (found.rest === '') announce(house, { sessionKey, runId: said.idempotencyKey }, phrase)
  return { rest: found.rest }
}

interface Ordered {
  readonly sessionKey: string
  readonly directive: Directive
}

async function perform(
  house: UpstreamHouse,
  { sessionKey: key, directive }: Ordered,
  call: Call,
): Promise<Phrase> {
  const { name, value, known } = directive
  if (name === 'new') {
    assertMay(call, 'operator.admin', '/new and /reset need')
    await house.perform({ method: 'sessions.reset', params: { key, reason: 'new' } }, call)
    return { id: 'session.new', facts: {} }
  }
  if (name === 'stop') {
    const done = await house.perform({ method: 'sessions.abort', params: { key } }, call)
    return { id: 'runs.stopped', facts: { runs: (done as { aborted: unknown[] }).aborted.length } }
  }
  if (name === 'approve') return decide(house, directive, call)
  const now = await settingsOf(house, key)
  if (name === 'status') return { id: 'status', facts: { ...now, ...countsOf(house, key) } }
  const setting = name === 'think' ? 'thinking' : name
  if (value === null) return { id: 'setting.now', facts: { setting, value: now[setting] } }
  if (!known) return settingUnknown(name, value)
  const member = setting === 'queue' ? 'queueMode' : setting
  const params = { key, [member]: value === 'default' ? null : value }
  await house.perform({ method: 'sessions.patch', params }, call)
  const told = value === 'default' ? 'as configured' : value
  return { id: 'setting.changed', facts: { setting, value: told } }
}

function assertMay({ caller }: Call, scope: string, what: string): void {
  if (allows(caller.admission.scopes, scope)) return
  const text = `missing scope: ${scope}, which ${what}`
  throw new GatewayError('FORBIDDEN', text, { missingScope: scope })
}

const WAS: Readonly<Record<ApprovalState, string>> = {
  requested: 'approval.unknown',
  allowed: 'approval.wasAllowed',
  denied: 'approval.wasDenied',
  expired: 'approval.expired',
  cancelled: 'approval.withdrawn',
}

async function decide(
  house: UpstreamHouse,
  { value, answer = { fault: 'usage' } }: Directive,
  call: Call,
): Promise<Phrase> {
  assertMay(call, 'operator.approvals', '/approve needs')
  if ('fault' in answer) return { id: `approval.${answer.fault}`, facts: { id: value ?? '' } }
  const { approvalId: id, decision } = answer
  const { state, context } = house.approvals.find(id)
  if (state !== 'requested') return { id: WAS[state], facts: { id } }
  if (decision === 'allow-always' && !context.mayAlways) {
    return { id: 'approval.onceOnly', facts: { id } }
  }
  try {
    await house.perform({ method: 'approval.resolve', params: { approvalId: id, decision } }, call)
    return { id: DONE[decision], facts: { id } }
  } catch (error) {
    // Somebody else was first.
    const after = house.approvals.find(id).state
    if (after === 'requested') throw error
    return { id: WAS[after], facts: { id } }
  }
}

const DONE = {
  'allow-once': 'approval.allowed',
  'allow-always': 'approval.always',
  deny: 'approval.denied',
} as const

interface Settings {
  readonly model: string
  readonly thinking: string
  readonly queue: string
}

async function settingsOf(house: UpstreamHouse, sessionKey: string): Promise<Settings> {
  const arriving = { sessionKey, channel: null, at: house.services.clock.now() }
  const row = house.work.sessions.get(sessionKey)
  const { model, thinking, queue } = await runDefaults(house.configuration, row, arriving)
  return { model, thinking, queue: queue.mode }
}

function countsOf({ work }: UpstreamHouse, sessionKey: string): Phrase['facts'] {
  const { messages = 0, pending = 0 } = work.sessions.get(sessionKey) ?? {}
  const running = pending > 0 ? 1 : 0
  return { messages, running, waiting: pending - running }
}

function announce(
  { feed, services }: UpstreamHouse,
  { sessionKey, runId }: { readonly sessionKey: string; readonly runId: string },
  phrase: Phrase,
): void {
  const content = [{ type: 'text', text: wordPhrase(phrase) }]
  const message = { role: 'assistant', content, timestamp: services.clock.now() }
  const agentId = agentOf(sessionKey) ?? DEFAULT_AGENT_ID
  const head = { runId, sessionKey, agentId, seq: 1 }
  feed.announce('chat', { ...head, state: 'final', stopReason: 'stop', message })
}
