/**
 * One call of a tool: a model's wish, judged, perhaps allowed by a person, and run once.
 *
 *   new ──call.requested──► judging ──allow──────────────► calling ──effect.done──► done
 *                             │ │      ▲ (allowed)            ├──effect.failed────► failed
 *                             │ └─ask─► asking                ├──call.due─────────► failed (timeout)
 *                             │          └─denied, expired─┐  └──effect.lost──────► uncertain (started)
 *                             └─deny───────────────────────┴─► refused              calling (never started)
 *
 *   run.aborted ends it in any of them: aborted.
 *
 * A call that a client asks for itself has no run, which is told nothing of it.
 *
 * The arguments are one body, and the ref here is its salted digest: what a person allows is that
 * call, of the source that was shown, and no other. Where the judge names a way to who can decide,
 * the question goes there too, and that its time is over. What may have been done is never done again by itself (K6). Each end
 * but an abort tells the run; a fault without words of its own is put into words where a prompt is made.
 */
import { assign, enqueueActions, setup } from 'xstate'
import { type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import {
  type Asked,
  collected,
  type EffectCancelled,
  type EffectDone,
  type EffectFailed,
  type EffectLost,
  type SendParams,
  type ToolCallParams,
  type ToolJudgeParams,
} from './effects.ts'
import type { Granted } from './grant.ts'
import { isCurrent } from './rules/attempt.ts'
import { keyFact } from './rules/plan.ts'
import { say } from './rules/session-sends.ts'
import type { IdempotencyMark } from './session-events.ts'
import type { Wait } from './waits.ts'

export type CallRequested = {
  type: 'call.requested'
  callId: string
  runId: string
  sessionKey: string
  name: string // of the tool, as the model wrote it
  ref: string // of the arguments, as the model wrote them
  asked: Asked
  runKey?: string // the client's own name of the run
  invokedBy?: string // the client that asks for it itself; absent: a run does
  mayAsk?: boolean // false: what a person would be asked for is refused; absent: true
  idempotency?: IdempotencyMark // of such a client
  at: number
}

/** What the judge says: which rule decides, and where a person is asked, what that person reads. */
type Judged = EffectDone<{
  verdict?: 'allow' | 'ask' | 'deny' // of `tool.judge`
  rule?: string
  source?: string // who offers the tool
  fault?: string // why not, where it is not the policy
  timeoutMs?: number
  askRef?: string // of the whole request, as canonical JSON
  askTextRef?: string // of it as people read it
  askMs?: number
  mayAlways?: boolean
  grant?: Granted // what `always` would grant; absent: nothing
  notice?: CallNotice // absent: no channel leads to who can decide
  ref?: string // of the result, or of why there is none
  bytes?: number
  isError?: boolean
}>

/** The question as a channel tells it to who can decide. */
export interface CallNotice {
  ref: string
  channel: string
  target: string
}

export type CallEvent =
  | CallRequested
  | Judged
  | EffectFailed
  | EffectCancelled
  | EffectLost
  | {
      type: 'approval.ended'
      approvalId: string
      decision: string
      by: string
      channel?: string // of the sender who decided; absent: a device, or nobody
      at: number
    }
  | { type: 'call.due'; at: number }
  | { type: 'run.aborted'; by: string; at: number }

export interface CallContext {
  callId: string
  runId: string
  sessionKey: string
  name: string
  ref: string // of the arguments
  asked: Asked
  attempt: number
  rule: string // that decided; '' until one has
  source: string
  timeoutMs: number
  dueAt: number // ms since epoch; 0 unless it runs
  resultRef: string // '' where there is nothing but a fault
  bytes: number
  isError: boolean
  fault: string // '' where the tool has answered
  by: string // who allowed or refused it; '' where nobody was asked
  runKey?: string
  notice?: CallNotice // where who can decide was asked; absent: in no channel
  invokedBy?: string // the client that asked for it itself; absent: a run did
  mayAsk?: boolean // absent: true
}

const machine = setup({
  types: { context: {} as CallContext, events: {} as CallEvent },
  actions: {
    'request.keep': assign(({ context, event }) => {
      if (event.type !== 'call.requested') return context
      const { callId, runId, sessionKey, name, ref, asked } = event
      const facts = { callId, runId, sessionKey, name, ref, asked, attempt: 1 }
      return { ...context, ...facts, ...keyFact(event), ...invokedFacts(event) }
    }),
    'verdict.keep': assign(({ context, event }) => {
      if (event.type !== 'effect.done') return context
      const { rule = '', source = '', timeoutMs = limits.toolCallMs, fault, ref } = event
      const isDenied = event.verdict !== 'allow' && event.verdict !== 'ask'
      const why = isDenied ? { fault: fault ?? 'denied', isError: true } : {}
      const words = isDenied && ref !== undefined ? { resultRef: ref, bytes: event.bytes ?? 0 } : {}
      const asked = event.notice === undefined ? {} : { notice: event.notice }
      return { ...context, rule, source, timeoutMs, ...why, ...words, ...asked }
    }),
    'call.begin': assign(({ context, event }) => ({
      ...context,
      attempt: 1,
      dueAt: event.at + context.timeoutMs,
      ...('by' in event ? { by: event.by } : {}),
    })),
    'attempt.next': assign(({ context }) => ({ ...context, attempt: context.attempt + 1 })),
    'result.keep': assign(({ context, event }) => {
      if (event.type !== 'effect.done') return context
      const { ref = '', bytes = 0, isError = false } = event
      return { ...context, resultRef: ref, bytes, isError, dueAt: 0 }
    }),
    'fault.keep': assign(({ context, event }) => ({
      ...context,
      fault: faultOf(event),
      isError: true,
      dueAt: 0,
      ...('by' in event ? { by: event.by } : {}),
    })),
    'approval.request': enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'effect.done') return
      const { callId, sessionKey } = context
      const { askRef = '', askTextRef = '', askMs = limits.approvalMsDefault } = event
      const request = {
        type: 'exec.requested',
        approvalId: callId,
        ref: askRef,
        textRef: askTextRef,
        deviceId: '',
        sessionKey,
        mayAlways: event.mayAlways === true,
        expiresAt: event.at + askMs,
        callId,
        ...(event.grant === undefined ? {} : { grant: event.grant }),
      }
      enqueue({ type: 'stream.send', params: { to: approvalOf(context), event: request } })
      const notice = noticeOf(request, event.notice)
      if (notice !== null) enqueue({ type: 'stream.send', params: notice })
    }),
    // Whoever was asked in a channel may still have the question before them.
    'expiry.tell': enqueueActions(({ context: { callId, notice }, event, enqueue }) => {
      if (event.type !== 'approval.ended' || event.decision !== 'expired') return
      if (notice === undefined) return
      const { channel, target } = notice
      const reply = { deliveryId: `over-${callId}`, channel, target }
      const phrase = { id: 'approval.expired', facts: { id: callId } }
      enqueue({ type: 'stream.send', params: say(reply, phrase, event.at) })
    }),
    // A client that asked for it itself waits for the record.
    'run.tell': enqueueActions(({ context, enqueue }) => {
      if (context.invokedBy !== undefined) return
      enqueue({ type: 'stream.send', params: told(context) })
    }),
    'tool.judge': collected<ToolJudgeParams>,
    'tool.call': collected<ToolCallParams>,
    'tool.cancel': collected<{ callId: string; attempt: number }>,
    'stream.send': collected<SendParams>,
  },
  guards: {
    'judge.allows': ({ context, event }) => isVerdict(context, event, 'allow'),
    'judge.asks': ({ context, event }) => isVerdict(context, event, 'ask'),
    'judge.denies': ({ context, event }) => isCurrent(context, event, 'tool.judge'),
    'judge.again': ({ context, event }) =>
      isCurrent(context, event, 'tool.judge') && context.attempt < limits.runAttemptsMax,
    'call.current': ({ context, event }) => isCurrent(context, event, 'tool.call'),
    'call.unstarted': ({ context, event }) =>
      event.type === 'effect.lost' &&
      isCurrent(context, event, 'tool.call') &&
      !event.started &&
      context.attempt < limits.runAttemptsMax,
    'call.mayHaveRun': ({ context, event }) =>
      isCurrent(context, event, 'tool.call') &&
      ((event.type === 'effect.lost' && event.started) ||
        (event.type === 'effect.failed' && event.sent === 'maybe')),
    'person.allows': ({ context, event }) =>
      event.type === 'approval.ended' &&
      event.approvalId === context.callId &&
      event.decision === 'allowed',
    'person.ends': ({ context, event }) =>
      event.type === 'approval.ended' && event.approvalId === context.callId,
  },
})

function isVerdict(context: CallContext, event: CallEvent, verdict: string): boolean {
  return (
    event.type === 'effect.done' &&
    isCurrent(context, event, 'tool.judge') &&
    event.verdict === verdict
  )
}

// Where a person decided, what it was: denied by a person is another fault than by a rule.
const DECISIONS: Readonly<Record<string, string>> = { denied: 'refused', expired: 'expired' }

function faultOf(event: CallEvent): string {
  switch (event.type) {
    case 'effect.failed':
      return event.class
    case 'effect.lost':
      return 'lost'
    case 'call.due':
      return 'timeout'
    case 'approval.ended':
      return DECISIONS[event.decision] ?? 'cancelled'
    case 'run.aborted':
    case 'effect.cancelled':
      return 'aborted'
    default:
      return ''
  }
}

function approvalOf({ callId }: CallContext): StreamId {
  return streamId('approval', callId)
}

// As long as the question itself, and worth nothing behind it.
function noticeOf(
  { callId, expiresAt }: { readonly callId: string; readonly expiresAt: number },
  notice: CallNotice | undefined,
): SendParams | null {
  if (notice === undefined) return null
  const deliveryId = `ask-${callId}`
  const head = { type: 'delivery.requested', deliveryId, ...notice, fileIn: null }
  return { to: streamId('delivery', deliveryId), event: { ...head, expiresAt, passing: true } }
}

function told(context: CallContext): SendParams {
  const { callId, runId, sessionKey, name, resultRef: ref, bytes, isError, fault } = context
  const what = { callId, sessionKey, name, ...keyFact(context) }
  const result = { type: 'call.finished', ...what, ref, bytes, isError, fault }
  return { to: streamId('run', runId), event: result }
}

function invokedFacts({
  invokedBy,
  mayAsk,
}: Pick<CallContext, 'invokedBy' | 'mayAsk'>): Partial<CallContext> {
  const asking = mayAsk === undefined ? {} : { mayAsk }
  return invokedBy === undefined ? asking : { invokedBy, ...asking }
}

const FAULT = ['fault.keep', 'run.tell'] as const

const CANCEL = {
  type: 'tool.cancel' as const,
  params: ({ context: { callId, attempt } }: { context: CallContext }) => ({ callId, attempt }),
}

const WITHDRAW = {
  type: 'stream.send' as const,
  params: ({ context }: { context: CallContext }): SendParams => ({
    to: approvalOf(context),
    event: { type: 'exec.cancelled', deviceId: '' },
  }),
}

function judgeParams({ context }: { context: CallContext }): ToolJudgeParams {
  const { callId, runId, sessionKey, name, ref, asked, attempt } = context
  const facts = { callId, runId, sessionKey, name, ref, asked, attempt }
  return { ...facts, ...keyFact(context), ...invokedFacts(context) }
}

export const callMachine = machine.createMachine({
  id: 'call',
  context: {
    callId: '',
    runId: '',
    sessionKey: '',
    name: '',
    ref: '',
    asked: { channel: null, room: null, sender: null, at: 0 },
    attempt: 0,
    rule: '',
    source: '',
    timeoutMs: 0,
    dueAt: 0,
    resultRef: '',
    bytes: 0,
    isError: false,
    fault: '',
    by: '',
  },
  initial: 'new',
  states: {
    new: {
      on: {
        'call.requested': { target: 'judging', actions: 'request.keep' },
        'run.aborted': { target: 'aborted', actions: 'fault.keep' },
      },
    },
    judging: {
      entry: { type: 'tool.judge', params: judgeParams },
      on: {
        'effect.done': [
          { guard: 'judge.allows', target: 'calling', actions: ['verdict.keep', 'call.begin'] },
          { guard: 'judge.asks', target: 'asking', actions: ['verdict.keep', 'approval.request'] },
          { guard: 'judge.denies', target: 'refused', actions: ['verdict.keep', 'run.tell'] },
        ],
        'effect.failed': { guard: 'judge.denies', target: 'failed', actions: [...FAULT] },
        'effect.lost': [
          { guard: 'judge.again', target: 'judging', reenter: true, actions: 'attempt.next' },
          { guard: 'judge.denies', target: 'failed', actions: [...FAULT] },
        ],
        'run.aborted': { target: 'aborted', actions: 'fault.keep' },
      },
    },
    asking: {
      on: {
        'approval.ended': [
          { guard: 'person.allows', target: 'calling', actions: 'call.begin' },
          { guard: 'person.ends', target: 'refused', actions: [...FAULT, 'expiry.tell'] },
        ],
        'run.aborted': { target: 'aborted', actions: ['fault.keep', WITHDRAW] },
      },
    },
    calling: {
      entry: {
        type: 'tool.call',
        params: ({ context }) => ({
          ...judgeParams({ context }),
          source: context.source,
          timeoutMs: context.timeoutMs,
        }),
      },
      on: {
        'effect.done': {
          guard: 'call.current',
          target: 'done',
          actions: ['result.keep', 'run.tell'],
        },
        'effect.failed': [
          { guard: 'call.mayHaveRun', target: 'uncertain', actions: [...FAULT] },
          { guard: 'call.current', target: 'failed', actions: [...FAULT] },
        ],
        'effect.cancelled': { guard: 'call.current', target: 'failed', actions: [...FAULT] },
        'effect.lost': [
          { guard: 'call.unstarted', target: 'calling', reenter: true, actions: 'attempt.next' },
          { guard: 'call.mayHaveRun', target: 'uncertain', actions: [...FAULT] },
          { guard: 'call.current', target: 'failed', actions: [...FAULT] },
        ],
        'call.due': { target: 'failed', actions: [CANCEL, ...FAULT] },
        'run.aborted': { target: 'aborted', actions: ['fault.keep', CANCEL] },
      },
    },
    done: { type: 'final' },
    refused: { type: 'final' },
    failed: { type: 'final' },
    uncertain: { type: 'final' },
    aborted: { type: 'final' },
  },
})

/** Lists what a call waits for: while it runs, its deadline. */
export function callWaits(value: unknown, { dueAt }: CallContext): Wait[] {
  if (value !== 'calling') return []
  return [{ id: 'deadline', dueAt, event: { type: 'call.due' } }]
}
