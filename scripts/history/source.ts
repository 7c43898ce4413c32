/**
 * What the history verbs read: the state directory's journal, a copy somewhere else, or an incident
 * file.
 *
 * Read only and straight from the files, so that it works while the gateway runs, after it has
 * died, and on what came from another machine.
 */
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Bundle, openBundle } from '../../actors/bundle.ts'
import { openHistory } from '../../actors/history.ts'
import { openIncidents } from '../../actors/incidents.ts'
import type { History } from '../../machines/history/source.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StoreReader } from '../../store/contract.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { readSettings } from '../settings.ts'

/** An open source. */
export interface Source {
  readonly name: string // what people call it: the directory or the file
  readonly stateDir: string // where notes, incidents and forks lie
  readonly history: History
  /** A text or other body; null where it is withheld, erased, or was never written. */
  readonly body: (ref: string) => Uint8Array | null
  readonly reader: StoreReader | null // null: an incident file
  readonly bundle: Bundle | null // null: a journal
  readonly close: () => Promise<void>
}

/**
 * Opens what `--journal` names: a state directory, a journal directory, an incident file, or the id
 * of an imported one; by default our own journal.
 * @throws {GatewayError} NOT_FOUND: nothing there; STORE_CORRUPT, STORE_ROLLBACK, RECORD_FORMAT.
 */
export async function openSource(journal: string | undefined): Promise<Source> {
  if (journal === undefined) return openJournal((await readSettings({})).stateDir)
  const path = resolve(journal)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isDirectory() === true) return openJournal(path)
  const { stateDir } = await readSettings({})
  if (stats !== undefined) return openFile(path, stateDir)
  if (/^inc-\d+$/.test(journal)) return openFile(openIncidents(stateDir).bundle(journal), stateDir)
  throw new GatewayError('NOT_FOUND', `journal: nothing at ${path}`, { path })
}

async function openJournal(stateDir: string): Promise<Source> {
  const reader = await openLmdbReader(findJournal(stateDir))
  return {
    name: stateDir,
    stateDir,
    history: openHistory(reader),
    body: reader.body,
    reader,
    bundle: null,
    close: reader.close,
  }
}

function openFile(path: string, stateDir: string): Source {
  const bundle = openBundle(path)
  const { history, body } = bundle
  const close = (): Promise<void> => Promise.resolve()
  return { name: path, stateDir, history, body, reader: null, bundle, close }
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
