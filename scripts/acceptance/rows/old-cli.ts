/** The command line of upstream 2026.1.30, which speaks protocol 3, one command a row. */
import { at, exits, type Expectation, json, type Row, says } from '../row.ts'
import type { Scene } from '../scene.ts'

const NEEDS = ['node22', 'old'] as const

function old(name: string, args: readonly string[], ...expect: readonly Expectation[]): Row {
  return {
    name: `old ${name}`,
    release: 'old',
    needs: NEEDS,
    run: (scene: Scene) => scene.cli(...args),
    expect: [exits(0), ...expect],
  }
}

const isOk = (value: unknown): boolean => at(value, 'ok') === true

/**
 * Sends through a channel that the client has set up, so that its own check of the target lets it
 * ask. No gateway here has such an account: a refusal that names the channel is what must come.
 */
const send: Row = {
  ...old('message send', []),
  run: (scene) => {
    scene.writeClientConfig({
      channels: { whatsapp: {} },
      plugins: { entries: { whatsapp: { enabled: true } } },
    })
    const target = ['--target', '+15555550123', '--channel', 'whatsapp']
    return scene.cli('message', 'send', ...target, '--message', 'hi', '--json')
  },
  expect: [exits(1), says(/whatsapp/i)],
}

export const oldCliRows: readonly Row[] = [
  {
    ...old(
      'gateway call health',
      ['gateway', 'call', 'health', '--json'],
      json('ok is true', isOk),
    ),
    isQuick: true,
  },
  old('health', ['health'], says(/Agents: main \(default\)/)),
  old('status', ['status'], says(/reachable/), says(/^(?!.*unreachable)/s)),
  old('gateway probe --json', ['gateway', 'probe', '--json'], json('ok is true', isOk)),
  old('gateway health', ['gateway', 'health'], says(/^OK \(\d+ms\)/m)),
  old('gateway usage-cost', ['gateway', 'usage-cost'], says(/Usage cost/)),
  old('logs', ['logs', '--limit', '3', '--plain'], says(/Log file: \S+/)),
  old('channels status', ['channels', 'status'], says(/Gateway reachable/)),
  old('devices list', ['devices', 'list'], says(/Paired|No device pairing/)),
  old('nodes status', ['nodes', 'status'], says(/Known: \d+/)),
  old('nodes list', ['nodes', 'list'], says(/Pending: \d+/)),
  old('nodes pending', ['nodes', 'pending'], says(/pending/i)),
  {
    ...old(
      'agent',
      ['agent', '--session-id', 's1', '--message', 'hi there', '--json'],
      json('status is ok', (value) => at(value, 'status') === 'ok'),
      json('the reply echoes', (value) =>
        /echo: [^]*hi there/.test(String(at(value, 'result', 'payloads', 0, 'text'))),
      ),
    ),
    isQuick: true,
  },
  old('system presence', ['system', 'presence'], says(/"mode": "gateway"/)),
  old('system heartbeat last', ['system', 'heartbeat', 'last'], says(/null|"status"/)),
  old('system event', ['system', 'event', '--text', 'hi'], says(/^ok/m)),
  old('cron list', ['cron', 'list'], says(/Schedule|No cron jobs/i)),
  old(
    'cron status',
    ['cron', 'status'],
    json('enabled is told', (value) => 'enabled' in value),
  ),
  old('approvals get', ['approvals', 'get', '--gateway'], says(/Approvals/)),
  send,
]
