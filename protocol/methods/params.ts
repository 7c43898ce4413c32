/** Parameters that many methods have: each a struct of its own, so that a fault names its place. */
import { array, define, dynamic, size, string, type Struct } from 'superstruct'
import type { Role } from '../auth/scopes.ts'
import { limits } from '../limits.ts'
import { memberOf } from '../members.ts'

/** The roles of what only people's clients may call. */
export const CLIENT: readonly Role[] = ['client']

/** A device, run or session id. */
export const id = () =>
  define<string>('id', (value) =>
    typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value)
      ? true
      : `expected 1 to ${limits.idCharsMax} printable ASCII characters without spaces`,
  )
/** A message. */
export const text = () => size(string(), 1, limits.messageBytesMax)
/** The name of a conversation; its grammar is looked at later. */
export const sessionKey = () => size(string(), 1, limits.sessionKeyBytesMax)
/** A key that a client gives a request, or the name that it gives a run. */
export const idempotencyKey = () => size(string(), 1, limits.idempotencyKeyCharsMax)
/** A name that people give a session. */
export const label = () => size(string(), 1, limits.contextTextCharsMax)
/** The full name of a model. */
export const model = () => size(string(), 1, limits.contextTextCharsMax)
/** The id of a generation of a session. */
export const sessionId = () => size(string(), 1, limits.idCharsMax)
/** Names of events, capabilities and the like. */
export const names = () => size(array(size(string(), 1, 64)), 0, 64)
/** A token, password, signature or key. */
export const secret = () => size(string(), 1, 1_024)

/** How hard a model is asked to think. */
export const THINKING_LEVELS = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const

/** What becomes of a message that comes during a run (machines/rules/queue.ts). */
export const QUEUE_MODES = ['steer', 'followup', 'collect', 'interrupt'] as const

/** One of some structs, by its member `kind`, so that a fault names its place and not the union. */
export function byKind<T, S>(
  kinds: Readonly<Record<string, unknown>>,
  whole: Struct<T, S>,
): Struct<T, null> {
  return dynamic((value) => {
    const kind: unknown = memberOf(value, 'kind')
    const isKnown = typeof kind === 'string' && Object.hasOwn(kinds, kind)
    return (isKnown ? kinds[kind] : whole) as Struct<T>
  })
}
