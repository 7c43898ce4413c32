/**
 * What the history verbs read: the state directory's journal, a copy somewhere else, or an incident
 * file.
 *
 * Read only and straight from the files, so that it works while the gateway runs, after it has
 * died, and on what came from another machine.
 */
import { statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Bundle, openBundle } from '../../actors/bundle.ts'
import { readFork } from '../../actors/forks.ts'
import { openHistory } from '../../actors/history.ts'
import { openIncidents } from '../../actors/incidents.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import { openBranch } from '../../machines/history/branch.ts'
import { openWorkAt } from '../../machines/history/open.ts'
import { openWorkOf } from '../../machines/history/segment.ts'
import type { History } from '../../machines/history/source.ts'
import type { OpenWork } from '../../machines/projections/open-work.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StoreReader } from '../../store/contract.ts'
import { programName } from '../exit.ts'
import { note } from '../output.ts'
import { readSettings } from '../settings.ts'
import { findJournal } from './place.ts'

/** An open source. */
export interface Source {
  readonly name: string // what people call it: the directory or the file
  readonly stateDir: string // where notes, incidents and forks lie
  readonly history: History
  /** A text or other body; null where it is withheld, erased, or was never written. */
  readonly body: (ref: string) => Uint8Array | null
  readonly headHash: () => string // 64 hex digits
  /** Open work at the head. */
  readonly openWork: () => OpenWork
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
  if (journal === undefined) return openJournal(undefined)
  const path = resolve(journal)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isDirectory() === true) return openJournal(path)
  const { stateDir } = await readSettings({})
  if (stats !== undefined) return openFile(path, stateDir)
  if (/^inc-\d+$/.test(journal)) return openFile(openIncidents(stateDir).bundle(journal), stateDir)
  throw new GatewayError('NOT_FOUND', `no journal is at ${path}`, { path })
}

async function openJournal(path: string | undefined): Promise<Source> {
  const directory = await findJournal(path)
  const stateDir = basename(directory) === 'journal' ? dirname(directory) : directory
  const { openLmdbReader } = await import('../../store/lmdb/open.ts') // Not for incident files.
  const reader = await openLmdbReader(directory, { damaged: warn })
  return {
    name: stateDir,
    stateDir,
    history: openHistory(reader),
    body: reader.body,
    headHash: () => Buffer.from(reader.head().hash).toString('hex'),
    openWork: () => loadOpenWork(reader),
    reader,
    bundle: null,
    close: reader.close,
  }
}

// What is whole is shown all the same: it may be what explains the damage.
function warn({ message }: GatewayError): void {
  note(
    `The journal is damaged: ${message}. What lies before it is shown; see: ${programName()} doctor`,
  )
}

function openFile(path: string, stateDir: string): Source {
  const bundle = openBundle(path)
  const { history, body, manifest, segment } = bundle
  return {
    name: path,
    stateDir,
    history,
    body,
    headHash: () => manifest.head.hash,
    openWork: () => openWorkOf(segment),
    reader: null,
    bundle,
    close: () => Promise.resolve(),
  }
}

/**
 * Where an address names a fork (`@try-retry#12`), the same source read along that fork.
 * @throws {GatewayError} NOT_FOUND: no such fork.
 */
export function alongFork(source: Source, ...addresses: readonly (string | undefined)[]): Source {
  const names = addresses.flatMap((text) => /@([\w.-]+)/.exec(text ?? '')?.[1] ?? [])
  const [name] = names
  if (name === undefined) return source
  const { at, records } = readFork(source.stateDir, name)
  const history = openBranch(source.history, { at, records })
  return {
    ...source,
    name: `${source.name} @${name}`,
    history,
    openWork: () => openWorkAt(history, history.head()),
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
