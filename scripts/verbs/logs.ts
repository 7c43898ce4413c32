/**
 * `openclaw logs`: the newest lines of the log, filtered; a dead gateway's as well.
 */
import { join } from 'node:path'
import { systemClock } from '../../actors/services.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { parseAddress } from '../../protocol/history/address.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { jsonArgs, wholeNumber } from '../arguments.ts'
import { followLog, type LogBound, type LogEntry, type LogFilter, readLog } from '../log-reader.ts'
import { note, plain, show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const LINES_MAX = 1_000_000

export const logs = defineVerb({
  name: 'logs',
  description: 'Show the log, also of a gateway that is dead',
  args: {
    ...jsonArgs,
    tail: {
      type: 'string',
      alias: 'limit',
      valueHint: 'N',
      description: `the newest N lines (default ${limits.logTailDefault})`,
    },
    session: { type: 'string', valueHint: 'KEY', description: 'only lines about this session' },
    connection: { type: 'string', valueHint: 'ID', description: 'only lines about this one' },
    run: { type: 'string', valueHint: 'ID', description: 'only lines about this run' },
    channel: { type: 'string', valueHint: 'NAME', description: 'only lines about this channel' },
    since: {
      type: 'string',
      valueHint: 'TIME',
      description: 'from then on: 10:30, 2026-11-25T10:30Z, -2h, or a position as #1842',
    },
    until: { type: 'string', valueHint: 'TIME', description: 'until then, the same' },
    level: {
      type: 'enum',
      options: ['debug', 'info', 'warn', 'error'],
      description: 'only lines of this level and above',
    },
    follow: { type: 'boolean', alias: 'f', description: 'go on with what is written from now' },
  },
  async run(args) {
    const directory = join((await readSettings({})).stateDir, 'logs')
    const filter: LogFilter = {
      level: args.level ?? null,
      session: args.session ?? null,
      connection: args.connection ?? null,
      run: args.run ?? null,
      channel: args.channel ?? null,
      since: parseBound('--since', args.since),
      until: parseBound('--until', args.until),
    }
    const count = wholeNumber('--tail', args.tail ?? String(limits.logTailDefault), 0, LINES_MAX)
    const { entries, place } = await readLog(directory, filter, count)
    if (args.json && !args.follow) {
      showJson(entries)
      return 0
    }
    const print = args.json ? showJson : (entry: LogEntry) => show(formatEntry(entry))
    for (const entry of entries) print(entry)
    if (entries.length === 0) note(`no matching lines in ${directory}`)
    if (!args.follow) return 0
    const interrupted = new AbortController()
    process.once('SIGINT', () => interrupted.abort())
    for await (const entry of followLog(directory, filter, place, interrupted.signal)) print(entry)
    return 0
  },
})

function parseBound(flag: string, text: string | undefined): LogBound | null {
  if (text === undefined) return null
  const address = parseAddress(text, { now: systemClock.now(), utc: false, date: null })
  if (address.kind === 'time') return { by: 'time', value: address.at }
  if (address.kind === 'position') return { by: 'position', value: address.position }
  const message = `${flag}: expected a time or a #position, got ${quote(text)}`
  throw new GatewayError('USAGE', message, { verb: 'logs' })
}

/** Writes an entry as one line: time, level, phrase, `name=value`. */
function formatEntry({ time, level, msg, ...fields }: LogEntry): string {
  const pairs = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const head = [time, typeof level === 'string' ? level.padEnd(5) : undefined, msg]
  const words = [...head.filter((word) => typeof word === 'string'), ...pairs]
  // One entry is one line: a newline inside a field may not pass for an entry of its own.
  return plain(words.join(' ')).replaceAll('\n', String.raw`\n`)
}
