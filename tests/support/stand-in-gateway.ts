/**
 * `openclaw gateway` with a stand-in behind it: a real process with the real lock, log and signals.
 * STAND_IN_FAULT says what goes wrong: config, reject, hang, stuck, dies, or fails.
 */
import type { GatewayOptions, RunningGateway } from '../../actors/gateway.ts'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { reportError } from '../../scripts/exit.ts'
import { gatewayVerb } from '../../scripts/verbs/gateway.ts'
import { StandIn } from './stand-in.ts'

const fault = process.env['STAND_IN_FAULT'] ?? ''

async function start({ port = 0, services }: GatewayOptions): Promise<RunningGateway> {
  if (fault === 'config')
    throw new GatewayError('CONFIG_INVALID', 'openclaw.json:3:7: bad', { line: 3 })
  if (fault === 'dies') process.exit(9)
  if (fault === 'hang') await new Promise(() => setInterval(() => {}, 60_000))
  services.log.warn('websocket refused', { address: '10.0.0.7' })
  const standIn = await StandIn.start({}, port).catch((cause: unknown) => {
    throw new GatewayError('PORT_TAKEN', `port ${port} is taken`, { port }, cause)
  })
  if (fault === 'reject')
    void Promise.resolve().then(() => Promise.reject(new Error('nobody listens')))
  return {
    port: standIn.port,
    url: `ws://127.0.0.1:${standIn.port}`,
    model: 'echo',
    recovered: { sessions: 3, effectsLost: 1, sends: 0, waits: 2 },
    pulse: () => (fault === 'pulseless' ? 'a commit hangs' : null),
    failed:
      fault === 'fails'
        ? Promise.resolve(new GatewayError('STORE_FAILED', 'no space'))
        : new Promise(() => {}),
    stop: () => (fault === 'stuck' ? new Promise(() => {}) : standIn.stop()),
  }
}

try {
  process.exitCode = await gatewayVerb(async () => start).run(process.argv.slice(3))
} catch (thrown) {
  process.exitCode = reportError(toGatewayError(thrown), process.argv.includes('--json'))
}
