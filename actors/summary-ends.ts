/** Ends of summaries that were asked for by hand, for whoever waits: from committed records. */
import type { CompactionFinished } from '../machines/session-events.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { Services } from './services.ts'

type Ended = (end: CompactionFinished | null) => void

/** Keeps those who wait. */
export class SummaryEnds {
  #services: Services
  #waiting = new Map<string, Ended>()

  constructor(services: Services) {
    this.#services = services
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ event, ignored }: JournalRecord): void {
    if (event.type !== 'compaction.finished' || ignored !== null) return
    this.#waiting.get(String(event['compactionId']))?.(event as unknown as CompactionFinished)
  }

  /** Lets go of whoever waits for a summary that will not be made. */
  forget(compactionId: string): void {
    this.#waiting.get(compactionId)?.(null)
  }

  /** Resolves with the end of a summary, or with null after limits.compactWaitMs; it goes on. */
  async wait(compactionId: string): Promise<CompactionFinished | null> {
    const { clock } = this.#services
    let resolve: Ended = () => {}
    const end = new Promise<CompactionFinished | null>((settle) => {
      resolve = settle
    })
    this.#waiting.set(compactionId, resolve)
    const cancel = clock.after(limits.compactWaitMs, () => resolve(null))
    try {
      return await end
    } finally {
      cancel()
      this.#waiting.delete(compactionId)
    }
  }
}
