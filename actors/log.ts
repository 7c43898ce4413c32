/**
 * The log: lines for people, one JSON object each. Losing it loses nothing (the journal does not
 * know it), so it never throws into its caller and never grows without bound.
 *
 *   {"level":"info","time":"2026-02-01T10:30:00.000Z","msg":"run started","runId":"5f…"}
 *
 * Secrets are recognised by the names of their fields and hidden; control characters, terminal
 * escapes and text direction marks are escaped, so that a line is a line wherever it is shown. A line
 * about a record carries its position; one that repeats is counted (log-repeats.ts).
 */
import { pino } from 'pino'
import { LogFile } from './log-file.ts'
import { cleanFields, cleanText } from './log-fields.ts'
import { type LogLine, Repeats } from './log-repeats.ts'
import type { Clock, Log, LogFields } from './services.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly directory: string // made 0700 where it is missing
  readonly clock: Clock
  readonly level?: LogLevel // lowest level in the file; default info
  /** Lines for people: lowest level, and where they go. Absent: none. */
  readonly people?: { readonly level: LogLevel; readonly write: (line: string) => void }
}

export interface GatewayLog extends Log {
  readonly path: string // of the newest file
  /** Writes what waits for the end of the turn. Never throws. */
  readonly flush: () => void
  readonly close: () => void
}

/** Opens the log of a state directory. Errors are on disk when the call returns. */
export function openLog(options: LogOptions): GatewayLog {
  const { clock, level = 'info', people } = options
  const file = new LogFile(options.directory)
  const logger = pino(
    {
      base: null,
      level,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => file.write(escapeControls(line)) },
  )
  const put = (at: LogLevel, phrase: string, fields: LogFields): void => {
    logger[at](fields, '%s', phrase)
    if (at === 'error') file.flush()
    if (people !== undefined && rank(at) >= rank(people.level)) {
      people.write(formatLine(clock.now(), at, phrase, fields))
    }
  }
  const repeats = new Repeats(clock, ({ level: at, phrase: line, fields }: LogLine, lines) => {
    put(levelOf(at), 'line repeated', { ...fields, line, lines })
  })
  const tell = (at: LogLevel, text: string, fields: LogFields = {}): void => {
    if (rank(at) < Math.min(rank(level), people === undefined ? Infinity : rank(people.level))) {
      return
    }
    try {
      const clean = withPosition(cleanFields(fields))
      const phrase = cleanText(text)
      if (repeats.pass({ level: at, phrase, fields: clean })) put(at, phrase, clean)
    } catch {
      // A line that cannot be written is lost; its caller has work to do.
    }
  }
  const settle = (): void => {
    try {
      repeats.settle()
    } catch {
      // The same.
    }
  }
  return {
    debug: (phrase, fields) => tell('debug', phrase, fields),
    info: (phrase, fields) => tell('info', phrase, fields),
    warn: (phrase, fields) => tell('warn', phrase, fields),
    error: (phrase, fields) => tell('error', phrase, fields),
    path: file.path,
    flush: () => file.flush(),
    close: () => {
      settle()
      file.close()
    },
  }
}

// An output's address begins with the position of its record.
function withPosition(fields: LogFields): LogFields {
  if (fields['position'] !== undefined) return fields
  for (const named of [fields['effect'], fields['cause']]) {
    const [, position] = (typeof named === 'string' && /^(\d{1,15})\.[est]\d+$/.exec(named)) || []
    if (position !== undefined) return { ...fields, position: Number(position) }
  }
  return fields
}

function levelOf(level: string): LogLevel {
  return LOG_LEVELS.find((known) => known === level) ?? 'info'
}

/** Tells the place of a level among the levels; -1 for one that is unknown. */
export function rank(level: string): number {
  return LOG_LEVELS.findIndex((known) => known === level)
}

/** Writes one line for people: time, level, phrase, `name=value`. */
function formatLine(at: number, level: LogLevel, phrase: string, fields: LogFields): string {
  const pairs = Object.entries(fields).map(
    ([name, value]) =>
      `${name}=${typeof value === 'string' ? quoteSpaces(value) : JSON.stringify(value)}`,
  )
  const time = new Date(at).toISOString().slice(11, 23)
  const text = [time, level.padEnd(5), cleanText(phrase), ...pairs].join(' ')
  return `${escapeControls(JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"'))}\n`
}

function quoteSpaces(text: string): string {
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text
}

// JSON leaves DEL, the C1 controls (a CSI in one character), line separators and bidi marks alone.
const CONTROLS = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

function escapeControls(json: string): string {
  return json.replaceAll(
    CONTROLS,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
