/** What a session waits for: that nobody writes any more, or its own end. */
import { generationOf, type SessionContext } from '../session.ts'
import type { Wait } from '../waits.ts'
import { nextOf } from './queue.ts'

/** Lists what a session waits for: the end of what people are writing, or its own. */
export function sessionWaits(value: unknown, context: SessionContext): Wait[] {
  const { key: sessionKey, queue, expiry } = context
  if (value === 'gathering') {
    const { gathersUntil } = nextOf(queue, Number.NEGATIVE_INFINITY)
    return [{ id: 'gather', dueAt: gathersUntil ?? 0, event: { type: 'queue.due' } }]
  }
  if (value !== 'idle' || !expiry) return []
  const { at: dueAt, reason, zone, offsetMinutes } = expiry
  const generation = generationOf(context) + 1
  const facts = { sessionKey, generation, reason, by: '', zone, offsetMinutes }
  return [{ id: 'expire', dueAt, event: { type: 'session.reset', ...facts } }]
}
