/**
 * Frames: one WebSocket text message each, JSON. Step 2 of 8.
 *
 * Checks what is common to both dialects: size is the socket's business, here it is syntax, depth,
 * number of keys, and the three fields that make a request. What the fields mean is the dialect's.
 * Half a surrogate pair, which JSON can name and UTF-8 cannot hold, is refused: it would be read
 * back from the journal as another text than the one that was acted on.
 */
import { GatewayError } from './errors.ts'
import { quote } from './ids.ts'
import { limits } from './limits.ts'
import { isObject } from './members.ts'

/** A request as it came: `method` is absent in the specification's dialect. */
export interface RequestFrame {
  readonly type: 'req'
  readonly id: string
  readonly method?: string
  readonly params: Readonly<Record<string, unknown>>
}

export interface WireError {
  readonly code: string
  readonly message: string
  readonly details?: unknown
  readonly retryable?: boolean
}

/** A response; `id` is the request's, unchanged. */
export type ResponseFrame =
  | { readonly type: 'res'; readonly id: string; readonly ok: true; readonly payload: unknown }
  | { readonly type: 'res'; readonly id: string; readonly ok: false; readonly error: WireError }

/** A notice; `seq` is dense per connection, and absent on the challenge at opening. */
export interface EventFrame {
  readonly type: 'event'
  readonly event: string
  readonly payload: unknown
  readonly seq?: number
}

/**
 * Reads a request frame.
 * @throws {GatewayError} FRAME_INVALID: not JSON, not a request, too deep, too many keys, or a text
 * with half a character.
 */
export function parseRequest(text: string): RequestFrame {
  const value = parseJson(text)
  if (!isObject(value)) throw invalid(`frame: expected an object, got ${describe(value)}`)
  const { type, id, method, params = {} } = value
  if (type !== 'req') throw invalid(`frame.type: expected "req", got ${quote(type)}`)
  if (typeof id !== 'string' || id === '' || id.length > limits.idCharsMax) {
    throw invalid(`frame.id: expected a string of 1 to ${limits.idCharsMax} characters`)
  }
  if (method !== undefined && typeof method !== 'string') {
    throw invalid(`frame.method: expected a string, got ${describe(method)}`)
  }
  if (!isObject(params)) throw invalid(`frame.params: expected an object, got ${describe(params)}`)
  checkText(id)
  checkShape(params, 1, { keys: 0 })
  return method === undefined ? { type, id, params } : { type, id, method, params }
}

/** Writes a frame as JSON text. */
export function formatFrame(frame: ResponseFrame | EventFrame): string {
  return JSON.stringify(frame)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('FRAME_INVALID', 'frame: not valid JSON', {}, cause)
  }
}

function checkShape(value: object, depth: number, count: { keys: number }): void {
  if (depth > limits.frameDepthMax) throw invalid(`frame: deeper than ${limits.frameDepthMax}`)
  for (const [key, member] of Object.entries(value)) {
    count.keys += 1
    if (count.keys > limits.frameKeysMax) throw invalid(`frame: over ${limits.frameKeysMax} keys`)
    checkText(key)
    if (typeof member === 'string') checkText(member)
    else if (typeof member === 'object' && member !== null) checkShape(member, depth + 1, count)
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw invalid('frame: a text holds half a character')
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}

function invalid(message: string): GatewayError {
  return new GatewayError('FRAME_INVALID', message)
}
