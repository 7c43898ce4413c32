/**
 * Reads the log's files, rotated ones included, whether or not a gateway is alive.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../protocol/limits.ts'
import { canonicalSessionKey } from '../protocol/session-key.ts'

/** The newest file's name; actors/log-file.ts writes it. */
const LOG_FILE = 'gateway.jsonl'
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** One line as written. */
export type LogEntry = Readonly<Record<string, unknown>>

export interface LogFilter {
  readonly level: string | null // the lowest to show
  readonly session: string | null // a session key in any spelling
}

/** How far the newest file was read. */
export interface LogPlace {
  readonly inode: number // 0: there was no file
  readonly offset: number // bytes
}

/** Reads the newest entries that pass, oldest first, and tells where what follows them begins. */
export async function readLog(
  directory: string,
  filter: LogFilter,
  count: number,
): Promise<{ entries: LogEntry[]; place: LogPlace }> {
  const matches = matcher(filter)
  const found: LogEntry[] = []
  let place: LogPlace = { inode: 0, offset: 0 }
  for (let age = 0; age < limits.logFilesMax && (age === 0 || found.length < count); age += 1) {
    const part = await readFrom(pathOf(directory, age), 0)
    if (age === 0) place = part
    const lines = part.text.split('\n')
    for (let index = lines.length - 1; index >= 0 && found.length < count; index -= 1) {
      const entry = parseLine(lines[index] ?? '')
      if (entry !== null && matches(entry)) found.push(entry)
    }
  }
  return { entries: found.toReversed(), place }
}

/**
 * Yields entries written behind a place, over rotations, until the signal. Of a file that was
 * rotated since the last look the rest is read first; two rotations in one look lose lines.
 */
export async function* followLog(
  directory: string,
  filter: LogFilter,
  from: LogPlace,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const matches = matcher(filter)
  let place = from
  while (!signal.aborted) {
    let text = ''
    let part = await readFrom(pathOf(directory, 0), place.offset)
    if (part.inode !== place.inode) {
      const older = await readFrom(pathOf(directory, 1), place.offset)
      if (older.inode === place.inode) text = older.text
      part = await readFrom(pathOf(directory, 0), 0)
    }
    place = part
    for (const line of `${text}${part.text}`.split('\n')) {
      const entry = parseLine(line)
      if (entry !== null && matches(entry)) yield entry
    }
    await sleep(limits.logFollowMs, undefined, { signal }).catch(() => {})
  }
}

/** Tells the place of a level; unknown ones stand highest, so that they are never hidden. */
function rankOf(level: unknown): number {
  const rank = LEVELS.findIndex((known) => known === level)
  return rank === -1 ? LEVELS.length : rank
}

function matcher({ level, session }: LogFilter): (entry: LogEntry) => boolean {
  const lowest = level === null ? 0 : rankOf(level)
  const key = session === null ? null : canonical(session)
  return (entry) => {
    if (rankOf(entry['level']) < lowest) return false
    if (key === null) return true
    return [entry['sessionKey'], entry['stream']].some(
      (field) => typeof field === 'string' && canonicalField(field).includes(key),
    )
  }
}

function canonical(key: string): string {
  try {
    return canonicalSessionKey(key)
  } catch {
    return canonicalField(key) // Part of a key: looked for as it is.
  }
}

function canonicalField(field: string): string {
  return field.toLowerCase().replaceAll(':dm:', ':direct:')
}

function parseLine(line: string): LogEntry | null {
  if (line.trim() === '') return null
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Cut by a crash, or not ours: shown as it is.
  }
  return { msg: line }
}

function pathOf(directory: string, age: number): string {
  return join(directory, age === 0 ? LOG_FILE : `${LOG_FILE}.${age}`)
}

/**
 * Reads whole lines of a file from an offset on; a line that is still being written is left for
 * the next time. A file that is not there reads as empty.
 */
async function readFrom(path: string, offset: number): Promise<LogPlace & { text: string }> {
  let file
  try {
    file = await open(path, 'r')
  } catch {
    return { inode: 0, offset: 0, text: '' }
  }
  try {
    const { ino: inode, size } = await file.stat()
    const bytes = Buffer.alloc(Math.max(0, size - offset))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    const end = bytes.subarray(0, bytesRead).lastIndexOf(10) + 1
    return { inode, offset: offset + end, text: bytes.toString('utf8', 0, end) }
  } finally {
    await file.close()
  }
}
