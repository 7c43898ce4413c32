/**
 * What the history verbs read: the state directory's journal, or a copy somewhere else.
 *
 * Read only and straight from the files, so that it works while the gateway runs, after it has
 * died, and on a directory from another machine.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openHistory } from '../../actors/history.ts'
import type { History } from '../../machines/history/source.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StoreReader } from '../../store/contract.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { readSettings } from '../settings.ts'

/** An open source. */
export interface Source {
  readonly name: string // what people call it: the directory
  readonly stateDir: string // where notes, incidents and forks lie
  readonly history: History
  readonly reader: StoreReader
  readonly close: () => Promise<void>
}

/**
 * Opens what `--journal` names: a state directory, a journal directory; by default our own.
 * @throws {GatewayError} NOT_FOUND: no journal there; STORE_CORRUPT, STORE_ROLLBACK.
 */
export async function openSource(journal: string | undefined): Promise<Source> {
  const stateDir = journal === undefined ? (await readSettings({})).stateDir : resolve(journal)
  const directory = findJournal(stateDir)
  const reader = await openLmdbReader(directory)
  return {
    name: stateDir,
    stateDir,
    history: openHistory(reader),
    reader,
    close: reader.close,
  }
}

function findJournal(path: string): string {
  for (const directory of [join(path, 'journal'), path]) {
    if (existsSync(join(directory, 'journal.mdb'))) return directory
  }
  throw new GatewayError('NOT_FOUND', `journal: none in ${path}`, { path })
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
