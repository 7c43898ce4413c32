/**
 * Goals: what `why --not` was expected to happen, from the words that a person typed.
 *
 *   reply-to:#7     an answer to the message of #7      #8.e0            that effect, done
 *   run:ID          that run, done                      delivery:ID      that delivery, sent
 *   FILTER          any record that passes it (with --from)
 */
import { GatewayError } from '../../protocol/errors.ts'
import { type Filter, parseFilter, passes } from '../../protocol/history/filter.ts'
import { outputAddress, quote, type StreamId } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { type History, factsOf, requireRecord } from './source.ts'

/** Where to begin, and what to look for. */
export interface Goal {
  readonly from: JournalRecord
  readonly isGoal: (record: JournalRecord) => boolean
  readonly says: string // `a reply to #7`
}

/**
 * Reads a goal.
 * @throws {GatewayError} USAGE: no goal, or a filter without a beginning; NOT_FOUND: no such record.
 */
export function readGoal(history: History, target: string, fromPosition: number | null): Goal {
  const reply = /^reply-to:#?(\d+)$/.exec(target)
  if (reply !== null) return replyGoal(requireRecord(history, Number(reply[1])))
  const output = /^#?(\d+)\.e(\d+)$/.exec(target)
  if (output !== null) return effectGoal(history, Number(output[1]), Number(output[2]))
  if (/^(?:run|delivery):./.test(target)) return streamGoal(history, target as StreamId)
  if (fromPosition === null) {
    throw new GatewayError(
      'USAGE',
      `--not: expected reply-to:#N, #N.e0, run:ID, delivery:ID, or a filter with --from, got ${quote(target)}`,
    )
  }
  return filterGoal(history, parseFilter([target]), requireRecord(history, fromPosition), target)
}

function replyGoal(from: JournalRecord): Goal {
  const { type, runId, route, channel } = from.event
  if (type !== 'message.received' && type !== 'message.accepted') {
    const text = `reply-to:#${from.position}: expected a message, got ${type}`
    throw new GatewayError('USAGE', text, { position: from.position })
  }
  const goesOut = type === 'message.received' || (route !== null && channel !== null)
  const says = `a reply to #${from.position}`
  if (goesOut) {
    const delivery = `delivery:reply-${String(runId)}`
    return { from, says, isGoal: ({ stream, value }) => stream === delivery && value === 'sent' }
  }
  const isGoal = ({ event }: JournalRecord): boolean =>
    event.type === 'run.finished' && event['runId'] === runId && event['status'] === 'done'
  return { from, says, isGoal }
}

function effectGoal(history: History, position: number, index: number): Goal {
  const from = requireRecord(history, position)
  const effect = from.effects[index]
  if (effect === undefined) {
    const text = `#${position}.e${index}: the record has ${from.effects.length} effects`
    throw new GatewayError('NOT_FOUND', text, { position })
  }
  const address = outputAddress(position, 'e', index)
  const isGoal = ({ cause, event }: JournalRecord): boolean =>
    cause === address && event.type === 'effect.done'
  return { from, says: `${effect.name} #${address}`, isGoal }
}

function streamGoal(history: History, stream: StreamId): Goal {
  const first = history.positionOf(stream, 1)
  if (first === null) throw new GatewayError('NOT_FOUND', `${stream}: no such actor`, { stream })
  const wanted = stream.startsWith('run:') ? 'done' : 'sent'
  const isGoal = (record: JournalRecord): boolean =>
    record.stream === stream && record.value === wanted
  return { from: requireRecord(history, first), says: stream, isGoal }
}

function filterGoal(history: History, filter: Filter, from: JournalRecord, says: string): Goal {
  const facts = factsOf(history)
  return { from, says, isGoal: (record) => record !== from && passes(filter, record, facts) }
}
