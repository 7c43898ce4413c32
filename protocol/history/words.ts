/**
 * Words: what a record says, as half a sentence for people: `channel:irc took a message from ann`.
 *
 * Facts only, never bodies. A type that is not known here is told by its name.
 */
import { streamName } from '../ids.ts'
import { isObject } from '../members.ts'
import type { Effect, JournalEvent, JournalRecord } from '../record.ts'

type Say = (event: JournalEvent, record: JournalRecord) => string

function text(fact: unknown): string {
  if (typeof fact === 'string') return fact
  return fact === null || fact === undefined ? 'nobody' : JSON.stringify(fact)
}

// A sender is named with their channel.
function whoIn({ by, channel }: JournalEvent): string {
  return channel === undefined ? text(by) : `${text(channel)}:${text(by)}`
}

function namesIn(changes: unknown): string {
  return isObject(changes) ? Object.keys(changes).join(', ') : 'nothing'
}

const SAYINGS: Readonly<Record<string, Say>> = {
  'message.received': ({ messageId, senderId, roomId, peer }, { stream }) => {
    const where = peer === 'direct' ? '' : ` in ${text(roomId)}`
    return `${stream} received message ${text(messageId)} from ${text(senderId)}${where}`
  },
  'message.accepted': ({ runId, channel, sender }, { stream }) => {
    const from = channel === null ? 'a client' : text(sender)
    return `${stream} accepted a message from ${from} for run ${text(runId)}`
  },
  'message.filed': ({ deliveryId }, { stream }) => `${stream} filed delivery ${text(deliveryId)}`,
  'message.injected': ({ by }, { stream }) => `${stream} was given a message by ${text(by)}`,
  'session.created': ({ by }, { stream }) => `${stream} was created by ${text(by)}`,
  'session.patched': ({ by, changes }, { stream }) =>
    `${stream} was changed by ${text(by)}: ${namesIn(changes)}`,
  'session.reset': ({ by, reason }, { stream }) =>
    by === '' ? `${stream} reset itself (${text(reason)})` : `${stream} was reset by ${text(by)}`,
  'session.deleted': ({ by }, { stream }) => `${stream} was deleted by ${text(by)}`,
  'session.aborted': ({ by, runId }, { stream }) => {
    const what = runId === null ? 'all runs' : `run ${text(runId)}`
    return `${stream} let go of ${what}, by ${text(by)}`
  },
  'compaction.asked': ({ by }, { stream }) => `${stream} was to be summarised, by ${text(by)}`,
  'compaction.requested': ({ sessionKey, count, model }, { stream }) =>
    `${stream} was to summarise ${text(count)} entries of ${text(sessionKey)}, by ${text(model)}`,
  'compaction.finished': ({ status, count, fault }, { stream }) => {
    const why = status === 'done' ? '' : ` (${text(fault)})`
    return `${stream} heard that the summary of ${text(count)} entries is ${text(status)}${why}`
  },
  'run.requested': ({ model }, { stream }) => `${stream} was asked of ${text(model)}`,
  'run.finished': ({ runId, status, fault }, { stream }) => {
    const why = fault === '' || fault === undefined ? '' : ` (${text(fault)})`
    return `${stream} heard that run ${text(runId)} is ${text(status)}${why}`
  },
  'session.asked': ({ by, about }, { stream }) =>
    `${stream} was asked about ${text(about)} by ${text(by)}`,
  'queue.due': (_event, { stream }) => `${stream} had waited until nobody wrote any more`,
  'run.steered': ({ runId }, { stream }) => `${stream} was shown the message of run ${text(runId)}`,
  'run.merged': ({ into }, { stream }) => `${stream} was answered by run ${text(into)}`,
  'run.aborted': ({ by }, { stream }) => `${stream} was aborted by ${text(by)}`,
  'calls.kept': ({ runId }, { stream }) =>
    `${stream} kept the calls of run ${text(runId)}, which it had let go`,
  'call.requested': ({ name, runId, invokedBy }, { stream }) => {
    const by = invokedBy === undefined ? `run ${text(runId)}` : text(invokedBy)
    return `${stream} was asked for ${text(name)} by ${by}`
  },
  'call.finished': ({ callId, fault, isError }, { stream }) => {
    const how = fault === '' || fault === undefined ? 'has a result' : `ended (${text(fault)})`
    return `${stream} heard that call ${text(callId)} ${how}${isError === true ? ', an error' : ''}`
  },
  'approval.ended': (event, { stream }) =>
    `${stream} was ${text(event['decision'])}${event['by'] === '' ? '' : ` by ${whoIn(event)}`}`,
  'grant.given': (event, { stream }) =>
    `${stream} was given by ${whoIn(event)}, for ${text(event['tool'])}`,
  'grant.revoked': ({ by }, { stream }) => `${stream} was revoked by ${text(by)}`,
  'exec.requested': ({ sessionKey }, { stream }) =>
    `${stream} waits for a person${sessionKey === '' ? '' : `, for ${text(sessionKey)}`}`,
  'exec.allowed': ({ by, always }, { stream }) =>
    `${stream} was allowed ${always === true ? 'for always' : 'once'} by ${text(by)}`,
  'exec.denied': ({ by }, { stream }) => `${stream} was denied by ${text(by)}`,
  'exec.answered': (event, { stream }) =>
    `${whoIn(event)} said ${text(event['decision'])} to ${stream}`,
  'exec.expired': ({ reason }, { stream }) =>
    reason === 'time' ? `the time of ${stream} was over` : `nobody could be asked about ${stream}`,
  'exec.cancelled': (_event, { stream }) => `${stream} was taken back`,
  'call.due': (_event, { stream }) => `the time of ${stream} was over`,
  'retry.due': (_event, { stream }) => `the wait of ${stream} was over`,
  'delivery.requested': ({ channel, target }, { stream }) =>
    `${stream} was requested, to ${text(target)} on ${text(channel)}`,
  'delivery.resolved': ({ by, sent }, { stream }) =>
    `${stream} was ${sent === true ? '' : 'not '}sent, says ${text(by)}`,
  'delivery.resubmitted': ({ by }, { stream }) => `${stream} was sent again by ${text(by)}`,
  'delivery.dismissed': ({ by }, { stream }) => `${stream} was let go by ${text(by)}`,
  'effect.started': ({ name }, { stream }) => `${stream} began to try ${text(name)}`,
  'effect.done': ({ name, effect, verdict, rule }, { stream }) => {
    const how = verdict === undefined ? 'is done' : `says ${text(verdict)}, by ${text(rule)}`
    return `${stream}: ${text(name)} #${text(effect)} ${how}`
  },
  'effect.failed': ({ name, effect, class: fault }, { stream }) =>
    `${stream}: ${text(name)} #${text(effect)} failed (${text(fault)})`,
  'effect.cancelled': ({ name, effect }, { stream }) =>
    `${stream}: ${text(name)} #${text(effect)} was cancelled`,
  'effect.lost': ({ name, effect, started }, { stream }) => {
    const how = started === true ? 'it may or may not have happened' : 'it was never started'
    return `${stream}: ${text(name)} #${text(effect)} was lost with its process; ${how}`
  },
  'channel.enabled': (_event, { stream }) => `${stream} was enabled`,
  'channel.disabled': (_event, { stream }) => `${stream} was disabled`,
  'link.dropped': ({ reason, final }, { stream }) =>
    `${stream} lost its link${final === true ? ' for good' : ''} (${text(reason)})`,
  'cursor.moved': ({ cursor }, { stream }) => `${stream} was read up to ${text(cursor)}`,
  'room.moved': ({ from, room }, { stream }) =>
    `${stream}: the room ${text(from)} is ${text(room)} now`,
  'messages.lost': ({ count, reason }, { stream }) =>
    `${stream} lost ${text(count)} messages for good (${text(reason)})`,
  'connection.opened': ({ deviceId }, { stream }) => `${stream} was opened by ${text(deviceId)}`,
  'connection.closed': ({ code }, { stream }) => `${stream} was closed with ${text(code)}`,
  'device.approved': ({ rule }, { stream }) => `${stream} was approved by the rule ${text(rule)}`,
  'upgrade.approved': ({ by, scopes }, { stream }) => {
    const all = Array.isArray(scopes) ? scopes.join(', ') : ''
    return `${stream} was granted ${all} by ${text(by)}`
  },
  'device.revoked': ({ by }, { stream }) => `${stream} was revoked by ${text(by)}`,
  'config.proposed': ({ via, by, paths }) =>
    `a configuration was proposed by ${text(by)} through ${text(via)} (${text(paths)} paths differ)`,
  'config.booted': ({ hash, reason }) => {
    const which = reason === '' ? 'the written configuration' : 'the last good configuration'
    return `the gateway runs with ${which} (${text(hash).slice(0, 8)})`
  },
  'restart.due': () => 'the time of the restart had come',
  'gateway.booted': ({ epoch }) => `the gateway started (epoch ${text(epoch)})`,
  'gateway.stopped': ({ reason }) => `the gateway stopped (${text(reason)})`,
  'bodies.read': ({ by, count }) => `${text(by)} read the texts of ${text(count)} records`,
  'stream.quarantined': ({ stream, code }) => `${text(stream)} was set aside (${text(code)})`,
}

/** Says what a record tells; long ids are cut, its position has them whole. */
export function sayRecord(record: JournalRecord): string {
  const { event, stream } = record
  const say = Object.hasOwn(SAYINGS, event.type) ? SAYINGS[event.type] : undefined
  return cutIds(say === undefined ? `${stream} took ${event.type}` : say(event, record))
}

/** Cuts the ids in a text to their first eight characters. */
export function cutIds(text: string): string {
  return text.replaceAll(
    /\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g,
    '$1…',
  )
}

/** Says what an effect asks for. */
export function sayEffect({ name, params }: Effect): string {
  const { channel, target, model, ref } = params
  const to = target === undefined ? '' : ` to ${text(target)}`
  const on = channel === undefined ? '' : ` on ${text(channel)}`
  const by = model === undefined ? '' : ` of ${text(model)}`
  return `${name}${to}${on}${by}${typeof ref === 'string' ? ` (${ref})` : ''}`
}

/** Says where a chain of causes begins. */
export function sayRoot(cause: string): string {
  const [kind = '', ...rest] = cause.split(':')
  const name = rest.join(':')
  switch (kind) {
    case 'ext':
      return `${rest[0] ?? ''} from outside (${cause})`
    case 'req':
    case 'ws':
      return `a request on connection ${name.slice(0, name.indexOf(':'))} (${cause})`
    case 'boot':
      return `the start of the gateway, epoch ${name}`
    case 'sys':
      return `the gateway itself (${name})`
    default:
      return cause
  }
}

/** Shortens a stream for a column: `run:5f1c…9a2e`. */
export function shortStream(stream: string, width: number): string {
  if (stream.length <= width) return stream
  const kind = stream.slice(0, stream.indexOf(':') + 1)
  const name = streamName(stream)
  const room = width - kind.length - 1
  return room < 4 ? `${stream.slice(0, width - 1)}…` : `${kind}…${name.slice(-room)}`
}
