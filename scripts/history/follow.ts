/** Following a journal: the records that are written from now on, until Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { History } from '../../machines/history/source.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'

/** Yields what is recorded behind a position, as it comes; ends at an interrupt. */
export async function* followRecords(
  history: History,
  from: number,
): AsyncGenerator<JournalRecord> {
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  let position = from
  while (!interrupted.signal.aborted) {
    const head = history.head()
    for (const record of history.range(position + 1, head)) yield record
    position = head
    // An interrupt ends the wait, and the loop with it.
    await sleep(limits.logFollowMs, undefined, { signal: interrupted.signal }).catch(() => {})
  }
}
