/**
 * The end of the log, or what came since: upstream's clients poll it by a byte offset.
 *
 * Each of our lines is rewritten into the form that they read; a line that is none is passed on.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../../protocol/members.ts'
import { limits } from '../../protocol/limits.ts'
import { LOG_FILE } from '../log-file.ts'

interface Asked {
  readonly cursor?: number | undefined // byte offset of the last look
  readonly limit?: number | undefined // lines
  readonly maxBytes?: number | undefined
}

/** Reads the newest file of a log directory; `{ file, cursor, size, lines, truncated, reset }`. */
export function tailLog(directory: string, asked: Asked): Record<string, unknown> {
  const file = join(directory, LOG_FILE)
  const { cursor, limit = limits.logTailDefault, maxBytes = limits.logTailBytesMax / 4 } = asked
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return { file, cursor: 0, size: 0, lines: [], truncated: false, reset: false }
  }
  try {
    const { size } = fstatSync(descriptor)
    const reset = cursor !== undefined && cursor > size // Another file has taken its place.
    const from = cursor === undefined || reset ? 0 : cursor
    const start = Math.max(from, size - maxBytes)
    const isWhole = start === from || isAfterLine(descriptor, start)
    const { lines, end } = readLines(descriptor, { start, size, isWhole })
    const truncated = start > from || lines.length > limit
    const shown = limit === 0 ? [] : lines.slice(-limit).map(rewrite)
    return { file, cursor: end, size, lines: shown, truncated, reset }
  } finally {
    closeSync(descriptor)
  }
}

interface Stretch {
  readonly start: number
  readonly size: number
  readonly isWhole: boolean // its first byte begins a line
}

// The bytes that are allowed may begin just where a line does.
function isAfterLine(descriptor: number, start: number): boolean {
  const byte = Buffer.alloc(1)
  return readSync(descriptor, byte, 0, 1, start - 1) === 1 && byte[0] === 0x0a
}

function readLines(
  descriptor: number,
  { start, size, isWhole }: Stretch,
): { lines: string[]; end: number } {
  const bytes = Buffer.alloc(Math.max(0, size - start))
  const read = readSync(descriptor, bytes, 0, bytes.length, start)
  const last = bytes.subarray(0, read).lastIndexOf(0x0a)
  if (last === -1) return { lines: [], end: start }
  const lines = bytes.subarray(0, last).toString('utf8').split('\n')
  return { lines: isWhole ? lines : lines.slice(1), end: start + last + 1 }
}

function rewrite(line: string): string {
  const entry = parse(line)
  if (entry === null) return line
  const { level, time, msg, ...fields } = entry
  const meta = { logLevelName: String(level).toUpperCase(), date: time, name: 'gateway' }
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const message = [String(msg), ...shown].join(' ')
  return JSON.stringify({ 0: message, _meta: meta, time, level, message, ...fields })
}

function parse(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const entry: unknown = JSON.parse(line)
    return isObject(entry) ? entry : null
  } catch {
    return null
  }
}
