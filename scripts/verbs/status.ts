/**
 * `openclaw status` and `openclaw gateway status`: is it running, where, and if not, why.
 */
import { reachArgs } from '../arguments.ts'
import { programName } from '../exit.ts'
import { columns, formatSpan, note, show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { type Fault, readStanding, type Standing } from '../standing.ts'
import { defineVerb } from '../verb.ts'
import { deliveriesRow, SAYINGS, spaceText } from './health.ts'

/** Exit code 0: running and ready; 3: not running; 1: running, but something is in the way. */
export const status = defineVerb({
  name: 'gateway status',
  description: 'Tell whether the gateway is running, where, and if not, why',
  args: reachArgs,
  async run(args) {
    const standing = await readStanding(await readSettings(args))
    if (args.json) showJson(standing)
    else showStanding(standing)
    if (!standing.running) return 3
    return standing.fault === null ? 0 : 1
  },
})

function showStanding(standing: Standing): void {
  const { says, pid, version, uptime, url, stateDir, certificate, service, auth, fault, health } =
    standing
  const rows = [['gateway', says]]
  if (pid !== null)
    rows.push(['process', `${pid}, version ${version}, up ${formatSpan(uptime ?? 0)}`])
  rows.push(['address', url], ['state', stateDir])
  if (certificate !== null) rows.push(['certificate', `SHA-256 ${certificate}`])
  if (service !== null) rows.push(['service', service])
  if (auth !== 'unknown') rows.push(['admission', auth])
  for (const name of SAYINGS) {
    const why: unknown = health?.[name]
    if (typeof why === 'string') rows.push([name, why])
  }
  const space = health?.['space']
  if (space !== undefined) rows.push(['room', spaceText(space)])
  if (health !== null) rows.push(...deliveriesRow(health))
  for (const line of columns(rows)) show(line)
  if (fault !== null) note(adviceOn(fault, standing.running))
}

function adviceOn(fault: Fault, running: boolean): string {
  const program = programName()
  if (fault === 'token') {
    return 'The token is at fault: --token TOKEN, OPENCLAW_GATEWAY_TOKEN, or gateway.auth.token'
  }
  if (running) return `The ${fault} is at fault. Look: ${program} logs --level warn`
  return fault === 'port'
    ? `Take another port: ${program} gateway --port N`
    : `Start it: ${program} gateway --daemon`
}
