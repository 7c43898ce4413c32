/**
 * Journals for tests: temporary directories that are removed when the process ends.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLmdb } from '../../store/lmdb/open.ts'
import { draft } from './contract.ts'
import type { Store } from '../../store/contract.ts'
import type { OpenOptions } from '../../store/lmdb/open.ts'

const made: string[] = []
process.on('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

/** Makes a directory for one journal. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-store-'))
  made.push(directory)
  return directory
}

/** Opens a journal without the verifying child. */
export function openJournal(directory: string, options: Partial<OpenOptions> = {}): Promise<Store> {
  return openLmdb({ directory, verify: false, ...options })
}

/** Appends records to `streams` streams in turn, from a fresh journal on. */
export async function fill(store: Store, records: number, streams = 3): Promise<void> {
  const appends: Promise<unknown>[] = []
  for (let i = 0; i < records; i += 1) {
    const fact = `fact ${i} ${'.'.repeat(i % 60)}`
    appends.push(store.append(draft(`run:${i % streams}`, Math.floor(i / streams), fact)))
  }
  await Promise.all(appends)
}

/** Fills a new journal, closes it and returns its directory. */
export async function closedJournal(use: (store: Store) => Promise<void>): Promise<string> {
  const directory = temporaryDirectory()
  const store = await openJournal(directory)
  await use(store)
  await store.close()
  return directory
}
