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
 * Reads a request frame of at most so many keys. `noteId` is told its id as soon as that is known,
 * so that a request whose other members are wrong can be answered under it.
 * @throws {GatewayError} FRAME_INVALID: not JSON, not a request, too deep, too many keys, or a text
 * with half a character.
 */
export function parseRequest(
  text: string,
  keysMax: number = limits.frameKeysMax,
  noteId: (id: string) => void = () => {},
): RequestFrame {
  checkSize(text, keysMax)
  const value = parseJson(text)
  if (!isObject(value)) throw invalid(`frame: expected an object, got ${describe(value)}`)
  const { type, id, method, params = {} } = value
  if (type !== 'req') throw invalid(`frame.type: expected "req", got ${quote(type)}`)
  if (typeof id !== 'string' || id === '' || id.length > limits.idCharsMax) {
    throw invalid(`frame.id: expected a string of 1 to ${limits.idCharsMax} characters`)
  }
  checkText(id)
  noteId(id)
  if (method !== undefined && typeof method !== 'string') {
    throw invalid(`frame.method: expected a string, got ${describe(method)}`)
  }
  if (!isObject(params)) throw invalid(`frame.params: expected an object, got ${describe(params)}`)
  checkTexts(params)
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

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const SQUARE_TO_CURLY = 0x20 // The bit by which [ and { differ, and ] and }.
const OPEN = 0x7b
const CLOSE = 0x7d

/**
 * Judges depth and number of members before anything is made of them: to parse a million keys only
 * to refuse them would stop everybody for seconds. Counts commas and brackets outside of texts;
 * whether it is JSON at all is the parser's to say.
 */
function checkSize(text: string, keysMax: number): void {
  let members = 0
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    const bracket = code | SQUARE_TO_CURLY
    if (code === QUOTE) at = endOfText(text, at)
    else if (bracket === CLOSE) depth -= 1
    else if (code === COMMA) members += 1
    else if (bracket === OPEN) {
      members += 1
      depth += 1
      // The frame itself is one level more than its params.
      if (depth > limits.frameDepthMax + 1)
        throw invalid(`frame: deeper than ${limits.frameDepthMax}`)
    }
    if (members > keysMax) throw invalid(`frame: over ${keysMax} keys`)
  }
}

// Where the quote is that ends a text; the end of all where none does.
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === BACKSLASH) before -= 1
    if ((end - before) % 2 === 1) return end // An even number of backslashes: none of them is ours.
  }
  return text.length
}

function checkTexts(value: object): void {
  for (const [key, member] of Object.entries(value)) {
    checkText(key)
    if (typeof member === 'string') checkText(member)
    else if (typeof member === 'object' && member !== null) checkTexts(member)
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
