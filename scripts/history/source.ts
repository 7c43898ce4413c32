/**
 * What the history verbs read: the state directory's journal, or a copy somewhere else.
 *
 * Read only and straight from the files, so that it works while the gateway runs, after it has
 * died, and on a directory from another machine.
 */
import { basename, dirname } from 'node:path'
import { openHistory } from '../../actors/history.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import type { History } from '../../machines/history/source.ts'
import type { OpenWork } from '../../machines/projections/open-work.ts'
import type { StoreReader } from '../../store/contract.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { findJournal } from './place.ts'

/** An open source. */
export interface Source {
  readonly name: string // what people call it: the directory
  readonly stateDir: string // where notes, incidents and forks lie
  readonly history: History
  readonly reader: StoreReader
  /** A text by its ref; null where it was erased or is not here. */
  readonly body: (ref: string) => string | null
  readonly headHash: () => string
  /** Open work at the head. */
  readonly openWork: () => OpenWork
  readonly close: () => Promise<void>
}

/**
 * Opens what `--journal` names: a state directory, a journal directory; by default our own.
 * @throws {GatewayError} NOT_FOUND: no journal there; STORE_CORRUPT, STORE_ROLLBACK.
 */
export async function openSource(journal: string | undefined): Promise<Source> {
  const directory = await findJournal(journal)
  const stateDir = basename(directory) === 'journal' ? dirname(directory) : directory
  const reader = await openLmdbReader(directory)
  return {
    name: stateDir,
    stateDir,
    history: openHistory(reader),
    reader,
    body: (ref) => {
      const bytes = reader.body(ref)
      return bytes === null ? null : Buffer.from(bytes).toString('utf8')
    },
    headHash: () => Buffer.from(reader.head().hash).toString('hex'),
    openWork: () => loadOpenWork(reader),
    close: reader.close,
  }
}

/** Opens a source for the time of a look, and closes it whatever comes. */
export async function withSource<T>(
  journal: string | undefined,
  look: (source: Source) => T | Promise<T>,
): Promise<T> {
  const source = await openSource(journal)
  try {
    return await look(source)
  } finally {
    await source.close()
  }
}
