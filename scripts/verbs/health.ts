/**
 * `openclaw health`: what the gateway says of itself; with `--probe` it looks before it answers.
 */
import { reachArgs } from '../arguments.ts'
import { connectGateway, type Payload } from '../client.ts'
import { programName } from '../exit.ts'
import { columns, formatSpan, show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'
import { memberOf } from '../../protocol/members.ts'

/** Members of a health report that say in words what is wrong. */
export const SAYINGS = ['journal', 'disk', 'configuration', 'held', 'tailscale'] as const

/** Exit code 0: healthy, and every probe passed. */
export const health = defineVerb({
  name: 'health',
  description: 'Ask the gateway how it is',
  args: {
    ...reachArgs,
    probe: { type: 'boolean', description: 'look at journal, channels and models first' },
  },
  async run(args) {
    const client = await connectGateway(await readSettings(args), { subscribe: [] })
    try {
      const report = await client.request('health', args.probe ? { probe: true } : {})
      if (args.json) showJson(report)
      else for (const line of healthLines(report)) show(line)
      return isWell(report) ? 0 : 1
    } finally {
      client.close()
    }
  },
})

/** Tells whether a health report has nothing to complain of. */
export function isWell({ status, probes }: Payload): boolean {
  return (
    status === 'healthy' && membersOf(probes).every(([, probe]) => memberOf(probe, 'ok') === true)
  )
}

function healthLines(report: Payload): string[] {
  const { status, uptime, sessions, agents, channels, probes, space } = report
  const rows = [
    ['status', String(status)],
    ['uptime', typeof uptime === 'number' ? formatSpan(uptime) : 'unknown'],
    ['sessions', String(sessions)],
    ['agents', String(agents)],
  ]
  if (space !== undefined) rows.push(['room', spaceText(space)])
  for (const name of SAYINGS) {
    if (typeof report[name] === 'string') rows.push([name, report[name]])
  }
  rows.push(...deliveriesRow(report))
  for (const [name, state] of membersOf(channels)) {
    const age = memberOf(report['evidence'], name)
    const heard = typeof age === 'number' ? `, heard ${formatSpan(age)} ago` : ''
    const reason = memberOf(report['reasons'], name)
    const why = typeof reason === 'string' ? `: ${reason}` : ''
    rows.push([`channel ${name}`, `${String(state)}${heard}${why}`])
  }
  for (const [name, loss] of membersOf(report['lost'])) {
    const at = new Date(Number(memberOf(loss, 'at'))).toISOString()
    rows.push([`lost ${name}`, `${String(memberOf(loss, 'count'))} messages, the last at ${at}`])
  }
  for (const [name, probe] of membersOf(probes)) {
    const detail = memberOf(probe, 'detail')
    const verdict = memberOf(probe, 'ok') === true ? 'ok' : 'FAILED'
    const words = [verdict, `${String(memberOf(probe, 'ms'))} ms`, detail ?? '']
    rows.push([`probe ${name}`, words.map(String).join('  ')])
  }
  return columns(rows)
}

/** Writes how much room a gateway has left, in its own words. */
export function spaceText(space: unknown): string {
  return `${String(memberOf(space, 'level'))}: ${String(memberOf(space, 'says'))}`
}

/** Writes which messages wait for a person, and what they do then; no row where none does. */
export function deliveriesRow({ deliveries }: Payload): [string, string][] {
  const counted = [
    [memberOf(deliveries, 'uncertain'), 'may or may not have been sent'],
    [memberOf(deliveries, 'dead'), 'not sent'],
  ] as const
  const words = counted.flatMap(([count, what]) =>
    typeof count === 'number' && count > 0 ? [`${count} ${what}`] : [],
  )
  if (words.length === 0) return []
  return [['deliveries', `${words.join(', ')}: ${programName()} deliveries list`]]
}

function membersOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}
