/**
 * Names and addresses: streams, positions, outputs, correlation.
 *
 *   stream    kind:id            session:agent:main:main   run:5f…   channel:irc
 *   output    position.letter+i  1838.e0 effect · 1838.s1 send · 1838.t0 wait
 *   cause     an output, or      ext:irc:… · req:<connection>:… · boot:7
 */
import { GatewayError } from './errors.ts'
import { limits } from './limits.ts'

/** The kinds of actor; each has a machine of the same name. */
export const STREAM_KINDS = [
  'gateway',
  'connection',
  'pairing',
  'session',
  'run',
  'channel',
  'delivery',
  'config',
  'alert',
  'node',
  'invocation',
  'approval',
  'cron',
  'compaction',
  'call',
  'grant',
] as const

export type StreamKind = (typeof STREAM_KINDS)[number]

/** Names one actor and its records: `kind:id`. */
export type StreamId = `${StreamKind}:${string}`

const KINDS: ReadonlySet<string> = new Set(STREAM_KINDS)

/** Builds a stream id from its two halves. */
export function streamId(kind: StreamKind, id: string): StreamId {
  return `${kind}:${id}`
}

/** The one actor of the gateway itself. */
export const GATEWAY: StreamId = streamId('gateway', 'main')

/** Reads the kind of a stream id. @throws {GatewayError} INVALID_REQUEST: no known kind. */
export function streamKind(stream: string): StreamKind {
  const kind = stream.slice(0, stream.indexOf(':'))
  if (isStreamKind(kind)) return kind
  throw new GatewayError('INVALID_REQUEST', `stream: expected kind:id, got ${quote(stream)}`)
}

/** Reads the part of a stream id behind its kind. */
export function streamName(stream: string): string {
  return stream.slice(stream.indexOf(':') + 1)
}

function isStreamKind(kind: string): kind is StreamKind {
  return KINDS.has(kind)
}

export type OutputLetter = 'e' | 's' | 't'

/** Formats the address of an output: effect `e`, send `s`, wait `t`. */
export function outputAddress(position: number, letter: OutputLetter, index: number): string {
  return `${position}.${letter}${index}`
}

/** Checks that a text is usable as a device, run or message id: printable, without spaces, short. */
export function isId(text: string): boolean {
  return text.length > 0 && text.length <= limits.idCharsMax && /^[\x21-\x7e]+$/.test(text)
}

const CALL = 'call_' // What begins the id of each call of a tool, and tells nobody anything.

/** Shows of an approval's id what people write, at least: behind the beginning that all have. */
export function shortApprovalId(id: string, chars: number = limits.approvalPrefixCharsMin): string {
  return (id.startsWith(CALL) ? id.slice(CALL.length) : id).slice(0, chars)
}

/** Tells whether somebody may mean an approval by this beginning of its id, whatever the case. */
export function isMeant(id: string, written: string): boolean {
  const [whole, beginning] = [id.toLowerCase(), written.toLowerCase()]
  return whole.startsWith(beginning) || whole.startsWith(CALL + beginning)
}

/** Tells whether somebody wrote too little of an id: what all calls begin with counts for nothing. */
export function isShort(written: string): boolean {
  const own = written.toLowerCase().startsWith(CALL) ? written.length - CALL.length : written.length
  return own < limits.approvalPrefixCharsMin
}

/** Cuts a text to what a context may hold (K1); never leaves half a character at its end. */
export function cutText(text: string): string {
  return text.slice(0, limits.contextTextCharsMax).toWellFormed()
}

/** Shows a value in an error message: JSON, cut to 64 characters. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= 64 ? text : `${text.slice(0, 61)}...`
}
