/** Whether the gateway that writes a source still lives: its lock tells, and its last record. */
import { askLock } from '../../actors/lock.ts'
import type { Source } from './source.ts'

/** Tells whether a process holds the state directory of a source. */
export async function isAlive({ stateDir, history }: Source): Promise<boolean> {
  const newest = history.read(history.head())
  if (newest === null || newest.event.type === 'gateway.stopped') return false
  try {
    return (await askLock(stateDir)) !== null
  } catch {
    return true // Somebody holds it and does not answer.
  }
}
