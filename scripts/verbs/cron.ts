/**
 * `openclaw cron list | add | remove | run`: what is said to a session at set times.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { memberOf } from '../../protocol/members.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime, formatWord, rowsOf } from '../ask.ts'
import { note, show, showJson, showRows } from '../output.ts'
import { defineVerb } from '../verb.ts'

const HEADINGS = ['JOB', 'NAME', 'WHEN', 'STATE', 'NEXT', 'LAST']

export const cronList = defineVerb({
  name: 'cron list',
  description: 'List the jobs and when they are due',
  args: { ...reachArgs, all: { type: 'boolean', description: 'those that are off too' } },
  async run(args) {
    const asked = args.all ? { disabled: true } : {}
    const answer = await askGateway(args, 'cron.list', asked)
    if (args.json) {
      showJson(answer)
      return 0
    }
    const rows = rowsOf(answer, 'jobs')
    const cells = rows.map(({ jobId, name, schedule, state, nextAt, lastRun }) => [
      ...[jobId, name].map(String),
      formatSchedule(schedule),
      String(state),
      formatTime(nextAt),
      formatWord(memberOf(lastRun, 'status')),
    ])
    showRows(HEADINGS, cells, 'no jobs')
    return 0
  },
})

export const cronAdd = defineVerb({
  name: 'cron add',
  description: 'Add a job: --every, --at or --cron says when, --message or --event what',
  args: {
    ...reachArgs,
    name: { type: 'string', valueHint: 'NAME', required: true, description: 'what you call it' },
    every: { type: 'string', valueHint: 'SPAN', description: 'again and again: 30m, 2h, 1d' },
    at: {
      type: 'string',
      valueHint: 'TIME',
      description: 'once: an ISO 8601 time, or 20m from now',
    },
    cron: { type: 'string', valueHint: 'EXPR', description: 'as a calendar says: "0 9 * * 1-5"' },
    tz: { type: 'string', valueHint: 'ZONE', description: 'of --cron; else that of the gateway' },
    message: { type: 'string', valueHint: 'TEXT', description: 'asked in a session of its own' },
    event: { type: 'string', valueHint: 'TEXT', description: 'told to the main session' },
    session: { type: 'string', valueHint: 'KEY', description: 'another session' },
  },
  async run(args) {
    const { name, session } = args
    const sessionKey = session ?? (args.event === undefined ? undefined : 'main')
    const answer = await askGateway(args, 'cron.add', {
      name,
      schedule: scheduleOf(args),
      payload: payloadOf(args),
      ...(sessionKey === undefined ? {} : { sessionKey }),
    })
    const job: unknown = answer['job']
    if (args.json) showJson(answer)
    else show(`added ${String(memberOf(job, 'jobId'))}: ${formatTime(memberOf(job, 'nextAt'))}`)
    return 0
  },
})

const idArgs = {
  ...reachArgs,
  id: { type: 'positional', valueHint: 'job', description: 'as `cron list` shows it' },
} as const

export const cronRemove = defineVerb({
  name: 'cron remove',
  description: 'Remove a job; a run in hand goes on',
  args: idArgs,
  async run(args) {
    const answer = await askGateway(args, 'cron.remove', { jobId: args.id })
    if (args.json) showJson(answer)
    else if (answer['removed'] === true) show(`removed ${args.id}`)
    else note(`no job ${quote(args.id)}`)
    return answer['removed'] === true ? 0 : 10
  },
})

export const cronRun = defineVerb({
  name: 'cron run',
  description: 'Run a job now, also one that is off',
  args: idArgs,
  async run(args) {
    const answer = await askGateway(args, 'cron.run', { jobId: args.id })
    if (args.json) showJson(answer)
    else show(answer['started'] === true ? `started ${args.id}` : `${args.id} runs already`)
    return 0
  },
})

const SPANS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function spanOf(text: string): number | null {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = SPANS[unit]
  return count === undefined || unitMs === undefined ? null : Number(count) * unitMs
}

interface When {
  readonly every?: string | undefined
  readonly at?: string | undefined
  readonly cron?: string | undefined
  readonly tz?: string | undefined
}

function scheduleOf({ every, at, cron, tz }: When): object {
  const given = [every, at, cron].filter((each) => each !== undefined)
  if (given.length !== 1) throw usage('expected one of --every, --at and --cron')
  if (every !== undefined) {
    const everyMs = spanOf(every)
    if (everyMs === null) throw usage(`--every: expected a span such as 30m, got ${quote(every)}`)
    return { kind: 'every', everyMs }
  }
  if (cron !== undefined) return { kind: 'cron', expr: cron, ...(tz === undefined ? {} : { tz }) }
  return { kind: 'at', atMs: momentOf(at ?? '') }
}

function momentOf(text: string): number {
  const span = spanOf(text)
  const at = span === null ? Date.parse(text) : new Date().getTime() + span
  if (Number.isFinite(at)) return at
  throw usage(`--at: expected an ISO 8601 time or a span such as 20m, got ${quote(text)}`)
}

function payloadOf(args: {
  readonly message?: string | undefined
  readonly event?: string | undefined
}): object {
  const { message, event } = args
  if (message !== undefined && event === undefined) return { kind: 'agentTurn', message }
  if (event !== undefined && message === undefined) return { kind: 'systemEvent', text: event }
  throw usage('expected one of --message and --event')
}

function usage(text: string): GatewayError {
  return new GatewayError('USAGE', text, { verb: 'cron add' })
}

function formatSchedule(schedule: unknown): string {
  const kind = memberOf(schedule, 'kind')
  if (kind === 'at') return `once ${formatTime(memberOf(schedule, 'atMs'))}`
  if (kind === 'every') return `every ${String(Number(memberOf(schedule, 'everyMs')) / 1_000)} s`
  const tz = memberOf(schedule, 'tz')
  return `${String(memberOf(schedule, 'expr'))}${typeof tz === 'string' ? ` (${tz})` : ''}`
}
