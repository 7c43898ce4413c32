/**
 * Which journal a verb looks at: that of the state directory, or one that is named, also a copy.
 */
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { GatewayError } from '../../protocol/errors.ts'
import { jsonArgs } from '../arguments.ts'
import { readSettings } from '../settings.ts'

/** Flags of verbs that read a journal from its files, whether a gateway runs or not. */
export const journalArgs = {
  ...jsonArgs,
  journal: {
    type: 'string',
    alias: 'log',
    valueHint: 'DIR',
    description: 'a state directory, a journal directory, or a copy of one',
  },
} as const

/**
 * Finds the directory of a journal's data file.
 * @throws {GatewayError} NOT_FOUND: there is none.
 */
export async function findJournal(named: string | undefined): Promise<string> {
  const root = named === undefined ? (await readSettings({})).stateDir : resolve(named)
  for (const directory of [root, join(root, 'journal')]) {
    if (await isFile(join(directory, 'journal.mdb'))) return directory
  }
  throw new GatewayError('NOT_FOUND', `no journal is at ${root}`, { path: root })
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() === true
}
