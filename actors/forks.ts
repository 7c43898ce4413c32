/**
 * Forks as files beside the journal: `<stateDir>/forks/<name>.json`, 0600 (decisions.md 13).
 *
 * A fork needs no lock and no writer: it is written whole or not at all, and read by anybody.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Edit } from '../machines/history/edits.ts'
import type { ForkResult } from '../machines/history/fork.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote, type StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { writePrivate } from './private-file.ts'

export const FORK_SCHEMA = 'openclaw-fork-file/1'

/** What a fork's file holds. */
export interface ForkFile {
  readonly schema: typeof FORK_SCHEMA
  readonly name: string
  /** The journal that it was cut from, as it was then. */
  readonly parent: { readonly position: number; readonly hash: string }
  readonly at: number // the cut: the last position of the parent that is the fork's too
  readonly until: number // the last position that was run again
  readonly stream: StreamId | null // that it is about; null: all
  readonly createdAt: number // ms since epoch
  readonly code: string // identity of the code of its records
  readonly edits: readonly Edit[]
  readonly records: readonly JournalRecord[]
  readonly result: ForkResult
}

/** Checks the name of a fork. @throws {GatewayError} USAGE */
export function checkForkName(name: string): string {
  if (/^(?=.*\w)[\w.-]{1,64}$/.test(name) && !name.startsWith('.')) return name
  const text = `fork: expected a name of letters, digits, _, - and ., got ${quote(name)}`
  throw new GatewayError('USAGE', text)
}

/**
 * Writes a fork, whole or not at all.
 * @throws {GatewayError} USAGE: the name is taken; PAYLOAD_TOO_LARGE; UNAVAILABLE: too many.
 */
export async function writeFork(stateDir: string, fork: ForkFile): Promise<void> {
  const path = pathOf(stateDir, fork.name)
  if (existsSync(path)) {
    throw new GatewayError(
      'USAGE',
      `fork: ${quote(fork.name)} exists: drop it or take another name`,
    )
  }
  if (listForks(stateDir).length >= limits.forksMax) {
    throw new GatewayError('UNAVAILABLE', `fork: ${limits.forksMax} forks are kept: drop some`)
  }
  const text = `${JSON.stringify(fork)}\n`
  if (text.length > limits.forkFileBytesMax) throw tooLarge(text.length)
  await mkdir(folderOf(stateDir), { recursive: true, mode: 0o700 })
  writePrivate(path, text)
}

/**
 * Reads a fork.
 * @throws {GatewayError} NOT_FOUND; RECORD_FORMAT: of another version, or damaged.
 */
export function readFork(stateDir: string, name: string): ForkFile {
  const path = pathOf(stateDir, name)
  if (!existsSync(path)) throw new GatewayError('NOT_FOUND', `no fork is called ${quote(name)}`)
  const { size } = statSync(path)
  if (size > limits.forkFileBytesMax) throw tooLarge(size)
  const fork = parse(readFileSync(path, 'utf8'))
  const isWhole = fork?.schema === FORK_SCHEMA && fork.name === name
  if (isWhole && Array.isArray(fork.records) && Number.isInteger(fork.at)) return fork
  throw new GatewayError('RECORD_FORMAT', `fork ${name}: expected ${FORK_SCHEMA}`)
}

/** Lists the names of forks, in order. */
export function listForks(stateDir: string): string[] {
  const folder = folderOf(stateDir)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && !file.startsWith('.'))
    .map((file) => file.slice(0, -'.json'.length))
    .toSorted()
}

/** Removes a fork. @throws {GatewayError} NOT_FOUND */
export async function dropFork(stateDir: string, name: string): Promise<void> {
  const path = pathOf(stateDir, name)
  if (!existsSync(path)) throw new GatewayError('NOT_FOUND', `no fork is called ${quote(name)}`)
  await rm(path)
}

function parse(text: string): ForkFile | null {
  try {
    return JSON.parse(text) as ForkFile | null
  } catch {
    return null
  }
}

function tooLarge(bytes: number): GatewayError {
  const text = `fork: ${bytes} bytes, at most ${limits.forkFileBytesMax}: bound it with --until`
  return new GatewayError('PAYLOAD_TOO_LARGE', text)
}

function folderOf(stateDir: string): string {
  return join(stateDir, 'forks')
}

function pathOf(stateDir: string, name: string): string {
  return join(folderOf(stateDir), `${checkForkName(name)}.json`)
}
