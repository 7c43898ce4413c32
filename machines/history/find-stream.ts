/** From what a person calls an actor to its stream. */
import { GatewayError } from '../../protocol/errors.ts'
import { quote, type StreamId, streamId, streamName } from '../../protocol/ids.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import type { History } from './source.ts'

const CANDIDATES_SHOWN = 5

/** How somebody names an actor: by a session's key, or by its stream. */
export interface ActorName {
  readonly session?: string | undefined
  readonly actor?: string | undefined
}

/**
 * Finds the one stream that is meant: a whole name, an end or beginning of one that no other has,
 * or one with a part left out, as the timeline prints it (`delivery:…4242`; `...` is taken too).
 * @throws {GatewayError} USAGE: nobody is named, or several fit; NOT_FOUND: none fits.
 */
export function findStream(history: History, { session, actor }: ActorName): StreamId {
  if (session !== undefined) return findSession(history, session)
  if (actor === undefined) {
    throw new GatewayError('USAGE', 'name an actor: --session KEY or --actor KIND:ID')
  }
  if (history.version(actor as StreamId) > 0) return actor as StreamId
  return pick(history, actor, '')
}

function findSession(history: History, text: string): StreamId {
  const whole = streamId('session', canonicalOrSame(text))
  return history.version(whole) > 0 ? whole : pick(history, text, 'session:')
}

function canonicalOrSame(key: string): string {
  try {
    return canonicalSessionKey(key)
  } catch {
    return key
  }
}

function pick(history: History, text: string, kind: string): StreamId {
  const fits = fitting(text)
  const near: StreamId[] = []
  for (const stream of history.streams()) {
    if (!stream.startsWith(kind)) continue
    if (streamName(stream) === text) return stream
    if (fits(stream) || fits(streamName(stream))) near.push(stream)
  }
  const [only, second] = near
  if (only !== undefined && second === undefined) return only
  if (only === undefined) throw new GatewayError('NOT_FOUND', `${quote(text)}: no such actor`)
  const shown = near.slice(0, CANDIDATES_SHOWN)
  const more = near.length > shown.length ? ` and ${near.length - shown.length} more` : ''
  throw new GatewayError(
    'USAGE',
    `${quote(text)}: several actors fit: ${shown.join(', ')}${more}`,
    {
      candidates: shown,
    },
  )
}

function fitting(text: string): (stream: string) => boolean {
  const [head = '', ...rest] = text.replaceAll('...', '…').split('…')
  const tail = rest.at(-1)
  if (tail === undefined) {
    return (stream) => text !== '' && (stream.endsWith(text) || stream.startsWith(text))
  }
  if (`${head}${tail}` === '') return () => false
  return (stream) => stream.startsWith(head) && stream.endsWith(tail)
}
