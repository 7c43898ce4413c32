/**
 * The supervisor: a throwing actor is tried again with back-off, then its stream is set aside.
 *
 * A quarantined stream takes nothing more in until the next boot, when new code may cope; all
 * others are served. What was on its way to it stays open work in the journal: nothing is lost.
 */
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import type { StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { Services } from './services.ts'

export interface Supervisor {
  /** Counts a fault; resolves true after a pause to try again, false when the stream is given up. */
  readonly faulted: (stream: StreamId, error: unknown) => Promise<boolean>
  /** Sets a stream aside at once, such as one whose records are damaged. */
  readonly quarantine: (stream: StreamId, error: unknown) => void
  /** @throws {GatewayError} STREAM_QUARANTINED where the stream is set aside. */
  readonly assertServing: (stream: StreamId) => void
  readonly quarantined: () => readonly StreamId[]
}

/** Opens a supervisor; `report` is told once of each stream that is set aside. */
export function openSupervisor(
  { clock, log }: Services,
  report: (stream: StreamId, code: string) => void,
): Supervisor {
  const faults = new Map<StreamId, number>()
  const setAside = new Set<StreamId>()

  function quarantine(stream: StreamId, error: unknown): void {
    if (setAside.has(stream)) return
    setAside.add(stream)
    faults.delete(stream)
    const { code, message } = toGatewayError(error)
    log.error('stream quarantined', { stream, code, error: message })
    report(stream, code)
  }

  async function faulted(stream: StreamId, error: unknown): Promise<boolean> {
    const count = (faults.get(stream) ?? 0) + 1
    if (count >= limits.actorRetriesMax) {
      quarantine(stream, error)
      return false
    }
    faults.set(stream, count)
    log.warn('actor fault', { stream, count, error: toGatewayError(error).message })
    await new Promise<void>((resume) => {
      clock.after(limits.actorBackoffMs * 2 ** (count - 1), resume)
    })
    return true
  }

  return {
    faulted,
    quarantine,
    assertServing: (stream) => {
      if (!setAside.has(stream)) return
      throw new GatewayError('STREAM_QUARANTINED', `${stream}: set aside after repeated faults`, {
        stream,
      })
    },
    quarantined: () => [...setAside],
  }
}
