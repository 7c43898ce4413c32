/**
 * Runs as upstream's clients follow them: `agent` and `chat`, with a `seq` of each run's own.
 *
 *   run.requested   lifecycle start
 *   a call's begin  tool start, also as `session.tool`   (a call: `actors/calls.ts`)
 *   a call's end    tool result, also as `session.tool`
 *   deltas          assistant, and chat delta; gathered, for a text is sent whole each time
 *   run.finished    lifecycle end or error, and chat final, aborted or error
 *
 * Tools are told as upstream does: `agent` to whoever asked for the run, or wrote to its session
 * meanwhile, and has the capability `tool-events`; `session.tool` to the others who follow the session.
 */
import { DEFAULT_AGENT_ID, agentOf } from '../../protocol/session-key.ts'
import { sayCallFault } from '../../protocol/calls.ts'
import { streamName } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { type EndedRun, endedRuns, sayFailure } from '../../protocol/runs.ts'
import { readTextOrMark } from '../bodies.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Delta } from '../run.ts'
import type { Cancel } from '../services.ts'
import type { Feed, Listener } from './feed.ts'
import { formatSession } from './rows.ts'

interface Told {
  readonly runId: string // as its client named it
  readonly sessionKey: string
  readonly startedAt: number
  readonly askers: Set<string> // connections that wrote it, or to its session since
  seq: number
  attempt: number
  text: string
  untold: string
  replace: boolean // the answer began anew
  cancel: Cancel | null // of the timer that tells what was gathered
}

const UNTOLD: Omit<Told, 'runId' | 'sessionKey' | 'startedAt' | 'askers'> = {
  seq: 0,
  attempt: 1,
  text: '',
  untold: '',
  replace: false,
  cancel: null,
}

export class RunTeller {
  #house: MethodHouse
  #feed: Feed
  #runs = new Map<string, Told>() // by our own id
  #asked = new Map<string, string>() // run that has not begun -> connection that asked for it

  constructor(house: MethodHouse, feed: Feed) {
    this.#house = house
    this.#feed = feed
  }

  committed(record: JournalRecord): void {
    const { event, stream } = record
    if (event.type === 'message.accepted') this.#ask(record)
    if (event.type === 'run.requested' && stream.startsWith('run:')) this.#begin(record)
    if (stream.startsWith('call:') && record.ignored === null) this.#call(record)
    for (const ended of endedRuns(record)) this.#end(ended, record)
  }

  #ask({ event, stream, cause }: JournalRecord): void {
    const [by, connectionId = ''] = cause.split(':', 2)
    if (by !== 'req') return
    this.#asked.set(String(event['runId']), connectionId)
    const key = streamName(stream)
    for (const run of this.#runs.values()) {
      if (run.sessionKey === key) run.askers.add(connectionId)
    }
  }

  // What is said beside a call is told before it.
  #call({ stream, effects, sends, event }: JournalRecord): void {
    const begun = event.type === 'call.requested' ? event : null
    const ended = sends.find((send) => send.event.type === 'call.finished')
    const runId = begun === null ? streamName(ended?.to ?? '') : String(begun['runId'])
    const run = this.#runs.get(runId)
    if (run === undefined || this.#feed.idle || (effects.length === 0 && ended === undefined))
      return
    const toolCallId = streamName(stream)
    const { store } = this.#house
    if (begun !== null) {
      this.#flush(run)
      const args = argumentsOf(readTextOrMark(store, String(begun['ref'])))
      this.#tool(run, { phase: 'start', name: begun['name'], toolCallId, args })
    }
    if (ended === undefined) return
    const { name, ref, fault, isError } = ended.event
    const text = ref === '' ? sayCallFault(String(fault)) : readTextOrMark(store, String(ref))
    const result = { content: [{ type: 'text', text }] }
    this.#tool(run, { phase: 'result', name, toolCallId, isError, result })
  }

  /** Gathers a piece of an answer; it is told at once where none was told just now. */
  delta({ runId: id, attempt, text }: Delta): void {
    const run = this.#runs.get(id)
    if (run === undefined) return
    if (attempt !== run.attempt) {
      run.replace = run.text !== ''
      Object.assign(run, { attempt, text: '', untold: '' })
    }
    run.text += text
    run.untold += text
    if (run.cancel !== null) return
    this.#flush(run)
    run.cancel = this.#house.services.clock.after(limits.upstreamDeltaEveryMs, () => {
      run.cancel = null
      this.#flush(run)
    })
  }

  #begin({ event, at, stream }: JournalRecord): void {
    const id = streamName(stream)
    const { sessionKey, runKey } = event
    if (typeof sessionKey !== 'string') return
    const asker = this.#asked.get(id)
    const run: Told = {
      runId: typeof runKey === 'string' ? runKey : id,
      sessionKey,
      startedAt: at,
      askers: new Set(asker === undefined ? [] : [asker]),
      ...UNTOLD,
    }
    this.#asked.delete(id)
    this.#runs.set(id, run)
    this.#agent(run, 'lifecycle', { phase: 'start', startedAt: at })
  }

  #flush(run: Told): void {
    if (run.untold === '' || this.#feed.idle) return
    const { text, untold: delta, replace } = run
    run.untold = ''
    run.replace = false
    this.#agent(run, 'assistant', { text, delta })
    const more = replace ? { replace: true } : {}
    this.#chat(run, { state: 'delta', deltaText: delta, message: this.#message(text), ...more })
  }

  #end(ended: EndedRun, { stream, at: endedAt }: JournalRecord): void {
    const { runId: id, status, ref, into } = ended
    const run = this.#runs.get(id) ?? this.#unseen(ended, streamName(stream), endedAt)
    this.#runs.delete(id)
    this.#asked.delete(id)
    run.cancel?.()
    this.#flush(run)
    const { startedAt } = run
    const times = { startedAt, endedAt }
    if (status === 'done') this.#done(run, into === undefined ? ref : null, times)
    else if (status === 'aborted') this.#aborted(run, times)
    else this.#failed(run, ended, times)
  }

  // What a message that was merged into another run is answered is said by that run.
  #done(run: Told, ref: string | null, ended: object): void {
    const text = ref === null ? '' : readTextOrMark(this.#house.store, ref)
    const reply = { disposition: text === '' ? 'empty' : 'visible', text }
    const stopReason = 'stop'
    this.#agent(run, 'lifecycle', {
      phase: 'end',
      ...ended,
      aborted: false,
      stopReason,
      terminalReply: reply,
    })
    const said = ref === null ? {} : { message: this.#message(text) }
    this.#chat(run, { state: 'final', stopReason, ...said })
  }

  #aborted(run: Told, ended: object): void {
    const stopReason = 'rpc'
    const partial = run.text === '' ? {} : { message: this.#message(run.text) }
    this.#chat(run, { state: 'aborted', stopReason, ...partial })
    const phase = { phase: 'end', ...ended, status: 'cancelled', aborted: true, stopReason }
    this.#agent(run, 'lifecycle', phase)
  }

  #failed(run: Told, ended: EndedRun, times: object): void {
    const { fault } = ended
    const error = sayFailure(ended)
    this.#agent(run, 'lifecycle', { phase: 'error', ...times, error })
    this.#chat(run, { state: 'error', errorMessage: error, errorKind: kindOf(fault) })
  }

  // A run of before this process, or one that was aborted while it waited.
  #unseen({ runId, runKey = runId }: EndedRun, sessionKey: string, startedAt: number): Told {
    return { runId: runKey, sessionKey, startedAt, askers: new Set(), ...UNTOLD }
  }

  #message(text: string): object {
    const timestamp = this.#house.services.clock.now()
    return { role: 'assistant', content: [{ type: 'text', text }], timestamp }
  }

  // Clients file these by session and agent, so both stand in every one of them.
  #agent(run: Told, stream: string, data: object): void {
    this.#feed.announce('agent', this.#payloadOf(run, stream, data))
  }

  #tool(run: Told, data: object): void {
    const { sessionKey, askers } = run
    const session = formatSession(this.#house, sessionKey)
    const payload = { ...this.#payloadOf(run, 'tool', data), session }
    const isTold = (listener: Listener): boolean => {
      const { connectionId } = listener
      return (
        listener.toolEvents === 'all' || (listener.toolEvents === 'own' && askers.has(connectionId))
      )
    }
    this.#feed.announce('agent', payload, isTold)
    this.#feed.announce('session.tool', payload, (listener) => {
      return listener.follows(sessionKey) && !isTold(listener)
    })
  }

  #payloadOf(run: Told, stream: string, data: object): object {
    run.seq += 1
    const { runId, sessionKey, seq } = run
    const agentId = agentOf(sessionKey) ?? DEFAULT_AGENT_ID
    const ts = this.#house.services.clock.now()
    return { runId, stream, data, sessionKey, agentId, seq, ts, isHeartbeat: false }
  }

  #chat(run: Told, said: object): void {
    const { runId, sessionKey, seq } = run
    const agentId = agentOf(sessionKey) ?? DEFAULT_AGENT_ID
    this.#feed.announce('chat', { runId, sessionKey, agentId, seq, ...said })
  }
}

function argumentsOf(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json // As the model wrote it.
  }
}

function kindOf(fault: string): 'timeout' | 'rate_limit' | 'unknown' {
  if (fault === 'timeout') return 'timeout'
  return fault === 'rate-limit' || fault === 'rate' ? 'rate_limit' : 'unknown'
}
