/**
 * The drivers of calls of tools: which rule decides, and the running of what may run.
 *
 *   tool.judge   the tool, its arguments and the rules of now ─► allow, ask (and what a person reads), deny
 *   tool.call    runs it once, bounded in time and in what it says
 *   tool.cancel  ends what runs
 *
 * Rules are read from the live configuration at each call, and again before it is run: what was denied
 * while a person was asked is not run. The rule that decided is in the record.
 */
import type { ToolCallParams, ToolJudgeParams } from '../machines/effects.ts'
import type { Granted } from '../machines/grant.ts'
import type { Route } from '../machines/session-events.ts'
import { judgeTool, type ToolVerdict } from '../machines/rules/tool-policy.ts'
import { sayCallFault } from '../protocol/calls.ts'
import type { ResolvedTools } from '../protocol/config/tools.ts'
import { messageOf } from '../protocol/errors.ts'
import { cutText } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { isObject, memberOf } from '../protocol/members.ts'
import { agentOf, MAIN_SESSION_KEY, parseSessionKey } from '../protocol/session-key.ts'
import type { StoreReader } from '../store/contract.ts'
import { draftText, readText } from './bodies.ts'
import { type CallWish, draftAsk } from './call-ask.ts'
import { isVisible } from '../machines/effects.ts'
import type { ModelTool } from './models/provider.ts'
import type { Grants } from './grants.ts'
import type { Driver, EffectContext, Outcome } from './outbox.ts'
import type { Services } from './services.ts'
import type { ToolRegistry } from './tools/registry.ts'
import {
  type Tool,
  type ToolArguments,
  type ToolContext,
  ToolError,
  ToolGone,
} from './tools/tool.ts'

/** Where a call comes from, as far as rules ask. */
export type CallPlace = Pick<ToolJudgeParams, 'sessionKey' | 'asked'>

/** The place of a session, as far as its key tells. */
export function placeOf(sessionKey: string): CallPlace {
  const { channel, peer } = parseSessionKey(sessionKey)
  return { sessionKey, asked: { channel, room: null, sender: peer, at: 0 } }
}

/** What becomes of a tool in a place: the policy's verdict, or why it cannot run at all. */
export interface ToolStanding extends ToolVerdict {
  readonly fault: string | null // in words
}

export interface CallHouse {
  readonly store: StoreReader
  readonly services: Services
  readonly tools: ToolRegistry
  readonly settings: () => ResolvedTools
  /** How many calls and commands wait for a person. */
  readonly waiting: () => number
  /** Where the person who can decide about a call is told of it; null: no channel leads there. */
  readonly route: (params: ToolJudgeParams) => Route | null
  /** By which beginning of its id people mean an approval. */
  readonly short: (approvalId: string) => string
  readonly grants: Pick<Grants, 'grantable' | 'stands' | 'isFull'>
}

/** Judges and runs calls. */
export class Calls {
  #house: CallHouse
  #running = new Map<string, AbortController>() // by call

  constructor(house: CallHouse) {
    this.#house = house
  }

  /** What becomes of a tool where a call comes from there. */
  standing(tool: Tool, place: CallPlace): ToolStanding {
    return { ...judgeTool(tool.name, this.#rules(place)), fault: tool.fault() }
  }

  /** The tools that may run where a call comes from there, or be asked for. */
  running(place: CallPlace): Tool[] {
    return this.#house.tools.list().filter((tool) => {
      const { verdict, fault } = this.standing(tool, place)
      return verdict !== 'deny' && fault === null
    })
  }

  /** The same, as a model is told of them. */
  offered(place: CallPlace): ModelTool[] {
    return this.running(place).map(({ name, description, parameters }) => {
      return { name, description, parameters }
    })
  }

  drivers(): [string, Driver][] {
    return [
      [
        'tool.judge',
        {
          visible: false,
          run: ({ params }) => Promise.resolve(this.#judge(params as unknown as ToolJudgeParams)),
        },
      ],
      [
        'tool.call',
        {
          visible: isVisible('tool.call'),
          run: ({ params }, context) => this.#call(params as unknown as ToolCallParams, context),
        },
      ],
      [
        'tool.cancel',
        {
          visible: false,
          run: ({ params }) => {
            this.#running.get(String(params['callId']))?.abort()
            return Promise.resolve({ type: 'effect.done' })
          },
        },
      ],
    ]
  }

  /** Ends every call in hand: the process is about to end. */
  abortAll(): void {
    for (const abort of this.#running.values()) abort.abort()
  }

  #rules({ sessionKey, asked }: CallPlace): ResolvedTools['rules'] {
    const { rules, byAgent, byChannel } = this.#house.settings()
    const ofAgent = byAgent.filter(({ agentId }) => agentId === agentOf(sessionKey))
    // Of where it was asked for, and of where its session is: a client or a job may work there, too.
    const channels = new Set([asked.channel, parseSessionKey(sessionKey).channel])
    const ofChannels = [...channels].flatMap((channel) => {
      const own = channel === null ? undefined : byChannel[channel]
      return own === undefined ? [] : [own]
    })
    return [...rules, ...ofAgent, ...ofChannels]
  }

  #judge(params: ToolJudgeParams): Outcome {
    const { tools, store } = this.#house
    const tool = tools.find(params.name)
    if (tool === null) return this.#denied('unknown', this.#knownNames(params))
    const { source } = tool
    const { verdict, rule, fault } = this.standing(tool, params)
    if (verdict === 'deny') return this.#denied('denied', null, { rule, source: cutText(source) })
    if (fault !== null) return this.#denied('unavailable', fault, { rule })
    const args = parseArguments(tool, readText(store, params.ref))
    if (typeof args === 'string') return this.#denied('arguments', args, { rule })
    const timeoutMs = tool.timeoutMs ?? limits.toolCallMs
    const facts = { verdict, rule, source: cutText(source), timeoutMs }
    if (verdict === 'allow') return { type: 'effect.done', facts }
    const wish = { tool, args, params }
    const grant = this.#house.grants.grantable(wish, this.#house.settings().workspace)
    if (grant !== null && this.#house.grants.stands(grant.grantId)) {
      const byGrant = { verdict: 'allow', rule: `grant:${grant.grantId}` }
      return { type: 'effect.done', facts: { ...facts, ...byGrant } }
    }
    if (params.mayAsk === false) return this.#denied('approval', null, { rule })
    if (this.#house.waiting() >= limits.approvalsWaitingMax) {
      return this.#denied('busy', null, { rule })
    }
    return this.#asked(facts, wish, grant)
  }

  #asked(
    facts: Readonly<Record<string, unknown>>,
    wish: CallWish,
    grantable: Granted | null,
  ): Outcome {
    const { services, settings, route, short, grants } = this.#house
    const grant = grants.isFull ? null : grantable
    const asked = { route: route(wish.params), id: short(wish.params.callId) }
    const how = { ...asked, grant, askMs: settings().askMs }
    const ask = draftAsk(services, wish, how)
    return { type: 'effect.done', facts: { ...facts, ...ask.facts }, bodies: ask.bodies }
  }

  // A model that writes a name or arguments amiss is told how to mend it.
  #denied(
    fault: string,
    more: string | null,
    facts: Readonly<Record<string, string>> = {},
  ): Outcome {
    const head = { verdict: 'deny', fault, ...facts }
    if (more === null) return { type: 'effect.done', facts: head }
    const body = draftText(this.#house.services.chance, `${sayCallFault(fault)} ${more}`)
    const words = { ref: body.ref, bytes: body.bytes.length }
    return { type: 'effect.done', facts: { ...head, ...words }, bodies: [body] }
  }

  #knownNames(place: CallPlace): string {
    return `There are: ${this.running(place)
      .map(({ name }) => name)
      .join(', ')}.`
  }

  async #call(params: ToolCallParams, effect: EffectContext): Promise<Outcome> {
    const { tools, store } = this.#house
    const tool = tools.find(params.name)
    // Meanwhile another source may have taken its name.
    if (tool === null || cutText(tool.source) !== params.source || tool.fault() !== null) {
      return unmade('unavailable')
    }
    // A person may have taken a day to allow it: what a rule denies by now stays denied.
    if (this.standing(tool, params).verdict === 'deny') return unmade('denied')
    const args = parseArguments(tool, readText(store, params.ref))
    if (typeof args === 'string') return this.#told(args, true)
    const abort = new AbortController()
    this.#running.set(params.callId, abort)
    try {
      const { text, isError = false } = await tool.run(
        args,
        contextOf(params, effect, abort.signal),
      )
      return this.#told(text, isError)
    } catch (error) {
      if (error instanceof ToolGone) {
        return { type: 'effect.failed', class: 'gone', retryable: false, sent: 'maybe' }
      }
      if (!(error instanceof ToolError)) {
        const fields = { tool: tool.name, callId: params.callId, error: messageOf(error) }
        this.#house.services.log.warn('tool failed', fields)
      }
      return this.#told(messageOf(error), true)
    } finally {
      this.#running.delete(params.callId)
    }
  }

  #told(text: string, isError: boolean): Outcome {
    const body = draftText(this.#house.services.chance, cutResult(text))
    const facts = { ref: body.ref, bytes: body.bytes.length, isError }
    return { type: 'effect.done', facts, bodies: [body] }
  }
}

// Nothing of it was done.
function unmade(fault: 'unavailable' | 'denied'): Outcome {
  return { type: 'effect.failed', class: fault, retryable: false, sent: 'no' }
}

function contextOf(
  { callId, runId, sessionKey, asked, timeoutMs }: ToolCallParams,
  { correlationId, address: cause }: EffectContext,
  signal: AbortSignal,
): ToolContext {
  const isOwner = asked.channel === null && sessionKey === MAIN_SESSION_KEY
  return { callId, runId, sessionKey, asked, timeoutMs, isOwner, correlationId, cause, signal }
}

// Reads arguments as a model wrote them; a text says what is wrong with them.
function parseArguments(tool: Tool, written: string): ToolArguments | string {
  if (Buffer.byteLength(written) > limits.toolArgumentsBytesMax) {
    return `They have more than ${limits.toolArgumentsBytesMax} bytes.`
  }
  let args: unknown
  try {
    args = written.trim() === '' ? {} : JSON.parse(written)
  } catch (error) {
    return `They are no JSON: ${messageOf(error)}.`
  }
  if (!isObject(args)) return 'They are no JSON object.'
  return misfitOf(tool, args) ?? args
}

// What every tool can rely on: required members are there, and plain types are what they should be.
function misfitOf({ parameters }: Tool, args: ToolArguments): string | null {
  const { required, properties } = parameters
  const missing = (Array.isArray(required) ? required : []).find(
    (name) => typeof name === 'string' && !Object.hasOwn(args, name),
  )
  if (missing !== undefined) return `${String(missing)} is missing.`
  for (const [name, value] of Object.entries(args)) {
    const known = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : null
    const type = memberOf(known, 'type')
    if (typeof type === 'string' && !isOfType(value, type)) return `${name} is no ${type}.`
  }
  return null
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  if (type === 'null') return value === null
  return typeof value === type
}

function cutResult(text: string): string {
  const whole = text.toWellFormed()
  const max = limits.toolResultCharsMax
  if (whole.length <= max) return whole
  const kept = whole.slice(0, max).toWellFormed()
  return `${kept}\n[… ${whole.length - kept.length} characters left out …]`
}
