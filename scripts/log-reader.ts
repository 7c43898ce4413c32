/**
 * Reads the log's files, rotated ones included, whether or not a gateway is alive.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../protocol/limits.ts'
import { canonicalSessionKey } from '../protocol/session-key.ts'

/** The newest file's name; actors/log-file.ts writes it. */
const LOG_FILE = 'gateway.jsonl'
const NEWLINE = 10
const LOST = '{"level":"warn","msg":"log lines were rotated away before they were read"}\n'
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** One line as written. */
export type LogEntry = Readonly<Record<string, unknown>>

/** Which entries are wanted; null: all of them. */
export interface LogFilter {
  readonly level: string | null // the lowest to show
  readonly session: string | null // a session key in any spelling
  readonly connection: string | null
  readonly run: string | null
  readonly channel: string | null
  readonly since: LogBound | null
  readonly until: LogBound | null
}

/** A moment, by the clock or by the journal: entries that have no such member do not pass. */
export interface LogBound {
  readonly by: 'time' | 'position'
  readonly value: number // ms since epoch, or a position
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
 * Yields entries written behind a place, over rotations, until the signal. Of files that were
 * rotated since the last look the rest is read first; where even the last one that was read is gone,
 * an entry says so.
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
    const { text, next } = await readBehind(directory, place)
    place = next
    for (const line of text.split('\n')) {
      const entry = parseLine(line)
      if (entry !== null && matches(entry)) yield entry
    }
    await sleep(limits.logFollowMs, undefined, { signal }).catch(() => {})
  }
}

interface Behind {
  readonly text: string
  readonly next: LogPlace
}

async function readBehind(directory: string, place: LogPlace): Promise<Behind> {
  const newest = await readFrom(pathOf(directory, 0), place.offset)
  if (newest.inode === place.inode) return { text: newest.text, next: newest }
  const found: string[] = []
  let age = 1
  for (; age < limits.logFilesMax && place.inode !== 0; age += 1) {
    const older = await readFrom(pathOf(directory, age), place.offset)
    if (older.inode !== place.inode) continue
    found.push(older.text)
    break
  }
  const isLost = place.inode !== 0 && age === limits.logFilesMax
  if (isLost) found.push(LOST)
  for (let younger = Math.min(age, limits.logFilesMax) - 1; younger > 0; younger -= 1) {
    if (place.inode !== 0) found.push((await readFrom(pathOf(directory, younger), 0)).text)
  }
  const whole = await readFrom(pathOf(directory, 0), 0)
  return { text: [...found, whole.text].join(''), next: whole }
}

/** Tells the place of a level; unknown ones stand highest, so that they are never hidden. */
function rankOf(level: unknown): number {
  const rank = LEVELS.findIndex((known) => known === level)
  return rank === -1 ? LEVELS.length : rank
}

type Match = (entry: LogEntry) => boolean

function matcher(filter: LogFilter): Match {
  const { level, session, since, until } = filter
  const matches: Match[] = []
  if (level !== null) {
    const lowest = rankOf(level)
    matches.push((entry) => rankOf(entry['level']) >= lowest)
  }
  if (session !== null) matches.push(ofSession(session))
  if (filter.connection !== null) matches.push(of('connection', filter.connection, 'connectionId'))
  if (filter.run !== null) matches.push(of('run', filter.run, 'runId'))
  if (filter.channel !== null) matches.push(of('channel', filter.channel, 'channel'))
  if (since !== null) matches.push((entry) => valueBy(since, entry) >= since.value)
  if (until !== null) matches.push((entry) => valueBy(until, entry) <= until.value)
  return (entry) => matches.every((match) => match(entry))
}

// NaN, where an entry has none, is neither above nor below anything.
function valueBy({ by }: LogBound, entry: LogEntry): number {
  if (by === 'position') return Number(entry['position'] ?? Number.NaN)
  const { time } = entry
  return typeof time === 'string' ? Date.parse(time) : Number.NaN
}

// As a field of its own, or as the stream that an entry is about.
function of(kind: string, name: string, field: string): Match {
  const stream = `${kind}:${name}`
  return (entry) => entry[field] === name || entry['stream'] === stream || entry[field] === stream
}

function ofSession(session: string): Match {
  const key = canonical(session)
  return (entry) =>
    [entry['sessionKey'], entry['stream']].some(
      (field) => typeof field === 'string' && canonicalField(field).includes(key),
    )
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

const ANOTHER = -1 // No inode: of a file that cannot be the one that was read before.

/**
 * Reads whole lines of a file from an offset on; a line that is still being written is left for
 * the next time. A file that is not there reads as empty. A file that has got the inode of one that
 * was rotated away is told by what lies before the offset: it ended a line.
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
    if (!(await endsLine(file, offset))) return { inode: ANOTHER, offset: 0, text: '' }
    const bytes = Buffer.alloc(Math.max(0, size - offset))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    const end = bytes.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1
    return { inode, offset: offset + end, text: bytes.toString('utf8', 0, end) }
  } finally {
    await file.close()
  }
}

async function endsLine(file: FileHandle, offset: number): Promise<boolean> {
  if (offset === 0) return true
  const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, offset - 1)
  return bytesRead === 1 && buffer[0] === NEWLINE
}
