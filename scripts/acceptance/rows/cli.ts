/** The command line of upstream 2026.9.6, as npm has it, one command a row. */
import { at, exits, type Expectation, json, type Row, says } from '../row.ts'
import type { Scene } from '../scene.ts'

const NEEDS = ['node24', 'openclaw'] as const

/** A row that runs one command and judges what it said. */
function cli(name: string, args: readonly string[], ...expect: readonly Expectation[]): Row {
  return {
    name: `cli ${name}`,
    release: 'new',
    needs: NEEDS,
    run: (scene: Scene) => scene.cli(...args.map((arg) => fill(arg, scene))),
    expect: [exits(0), ...expect],
  }
}

/** Puts address and token where a command wants them. */
function fill(arg: string, { url, target }: Scene): string {
  return arg.replace('<url>', url).replace('<token>', target.token)
}

const isOk = (value: unknown): boolean => at(value, 'ok') === true
const listAt = (value: unknown, key: string): boolean => Array.isArray(at(value, key))

const CALL = ['gateway', 'call', 'health', '--url', '<url>', '--token', '<token>', '--json']

export const cliRows: readonly Row[] = [
  { ...cli('gateway call health', CALL, json('ok is true', isOk)), isQuick: true },
  { ...cli('health', ['health'], says(/Agents: main \(default\)/)), isQuick: true },
  cli('health --json', ['health', '--json'], json('ok is true', isOk)),
  {
    ...cli('status', ['status'], says(/Gateway.*reachable/), says(/^(?!.*unreachable)/s)),
    isQuick: true,
  },
  cli('status --deep', ['status', '--deep'], says(/reachable/), says(/^(?!.*unreachable)/s)),
  cli(
    'status --json',
    ['status', '--json'],
    json('the gateway is reachable', (value) => at(value, 'gateway', 'reachable') === true),
  ),
  cli('gateway status', ['gateway', 'status'], says(/Connectivity probe: ok/)),
  cli('gateway health', ['gateway', 'health'], says(/^OK \(\d+ms\)/m)),
  cli('gateway probe --json', ['gateway', 'probe', '--json'], json('ok is true', isOk)),
  cli('gateway stability', ['gateway', 'stability'], says(/Events: \d+/)),
  cli('gateway usage-cost', ['gateway', 'usage-cost'], says(/Usage cost/), says(/tokens/)),
  {
    ...cli(
      'logs',
      ['logs', '--limit', '3', '--plain'],
      says(/Log file: \S+/),
      says(/\d\d:\d\d:\d\d.*\w/),
    ),
    isQuick: true,
  },
  cli('channels status', ['channels', 'status'], says(/Gateway reachable/)),
  cli(
    'channels status --probe --json',
    ['channels', 'status', '--probe', '--json'],
    json('channelOrder is a list', (value) => listAt(value, 'channelOrder')),
  ),
  cli('channels list', ['channels', 'list'], says(/Chat channels/)),
  cli('nodes status', ['nodes', 'status'], says(/Known: \d+ · Paired: \d+ · Connected: \d+/)),
  cli('nodes list', ['nodes', 'list'], says(/Pending: \d+ · Paired: \d+/)),
  cli('nodes pending', ['nodes', 'pending'], says(/pending/i)),
  {
    ...cli(
      'agent',
      ['agent', '--session-id', 's1', '--message', 'hi there', '--json'],
      json('status is ok', (value) => at(value, 'status') === 'ok'),
      json('the reply echoes', (value) =>
        /echo: [^]*hi there/.test(String(at(value, 'result', 'payloads', 0, 'text'))),
      ),
    ),
    isQuick: true,
  },
  cli('system presence', ['system', 'presence'], says(/"mode": "gateway"/)),
  cli('system heartbeat last', ['system', 'heartbeat', 'last'], says(/null|"status"/)),
  cli('system event', ['system', 'event', '--text', 'hi'], says(/^ok/m)),
  cli('cron list', ['cron', 'list'], says(/Schedule|No cron jobs|No automations/i)),
  cli(
    'cron status',
    ['cron', 'status'],
    json('enabled is told', (value) => 'enabled' in value),
  ),
  cli('approvals get', ['approvals', 'get', '--gateway'], says(/Approvals/)),
  cli('skills list', ['skills', 'list'], says(/Skills|No skills found/)),
]
