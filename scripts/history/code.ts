/**
 * Which code a history verb runs: `--with current`, `recorded`, a directory, or the id of code that
 * the journal keeps.
 */
import { existsSync } from 'node:fs'
import { readCodeIdentity } from '../../actors/code.ts'
import { type LoadCode, readCodeTree, storedCode } from '../../actors/code-files.ts'
import type { CodeChoice, CodeHouse } from '../../actors/other-code.ts'
import { systemClock } from '../../actors/services.ts'
import { codeOf } from '../../machines/history/take.ts'
import { kinds } from '../../machines/kinds.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { parseArchive, readCode } from '../../store/code-archive.ts'
import type { Source } from './source.ts'

/** The flag of verbs that run code. */
export const codeArgs = {
  with: {
    type: 'string',
    alias: 'code',
    valueHint: 'CODE',
    description: 'current | recorded | a compiled directory | the id of stored code',
  },
  'run-code': {
    type: 'boolean',
    description: 'let code that came in an incident file run (in a process without doors)',
  },
} as const

/**
 * Finds the code that a journal keeps; it is checked against its id before it is handed out. That of
 * an incident file is somebody else's: it is only run where that was asked for.
 */
function findCodeIn({ reader, bundle }: Source, runForeign: boolean): LoadCode {
  return (id) => {
    if (reader !== null) return Promise.resolve(readCode(reader, id))
    const archive = runForeign ? bundle?.code.get(id) : undefined
    return Promise.resolve(archive === undefined ? null : parseArchive(id, archive))
  }
}

/** Makes what is needed to run code over a source. */
export function codeHouse(source: Source, runForeign = false): CodeHouse {
  const own = codeOf(readCodeIdentity(), kinds)
  return { own, loadCode: findCodeIn(source, runForeign), clock: systemClock }
}

/**
 * Reads `--with`.
 * @throws {GatewayError} NOT_FOUND: neither a directory with machines nor stored code.
 */
export async function chooseCode({ own, loadCode }: CodeHouse, text: string): Promise<CodeChoice> {
  if (text === 'current' || text === 'recorded') return text
  if (existsSync(text)) return readCodeTree(text)
  if (text === own.id) return 'current'
  const stored = /^[0-9a-f]{16}$/.test(text) ? await loadCode(text) : null
  if (stored !== null) return storedCode(text, stored.files)
  throw new GatewayError(
    'NOT_FOUND',
    `--with: expected current, recorded, a directory or the id of stored code, got ${quote(text)}`,
  )
}

/** Names a choice for people and programs. */
export function nameOfCode(choice: CodeChoice, own: string): string {
  if (choice === 'current') return own
  return choice === 'recorded' ? 'recorded' : choice.id
}
