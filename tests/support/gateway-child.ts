/**
 * A main file: one gateway over a state directory, for tests and benchmarks that kill it.
 *
 *   node gateway-child.js <state directory>
 *   stdout   one line of JSON when it serves, a ChildReady; or {"error": …} and exit code 1
 *   stderr   the log, one line of JSON each
 *   SIGTERM  stops it in order · end of stdin: whoever started it is gone, so it goes too
 */
import '../../actors/trap.ts'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../../actors/gateway.ts'
import { type Log, type LogFields, systemChance, systemClock } from '../../actors/services.ts'
import { toGatewayError } from '../../protocol/errors.ts'

/** What the child says once it serves. */
export interface ChildReady {
  readonly port: number
  readonly pid: number
  readonly recovered: RunningGateway['recovered']
  readonly importMs: number // from the start of the process until everything is imported
  readonly startMs: number // of startGateway
}

const log: Log = {
  debug: () => {},
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
}

function write(level: string) {
  return (phrase: string, fields: LogFields = {}): void => {
    process.stderr.write(`${JSON.stringify({ level, phrase, ...fields })}\n`)
  }
}

async function main(stateDir: string): Promise<void> {
  const importMs = performance.now()
  const gateway = await startGateway({
    stateDir,
    configPath: join(stateDir, 'openclaw.json'),
    port: 0,
    env: process.env,
    services: { clock: systemClock, chance: systemChance, log },
    version: '0.0.0-child',
  })
  const startMs = performance.now() - importMs
  const { port, recovered } = gateway
  const ready = { port, pid: process.pid, recovered, importMs, startMs } satisfies ChildReady
  process.stdout.write(`${JSON.stringify(ready)}\n`)
  process.once('SIGTERM', () => void gateway.stop('SIGTERM').then(() => process.exit(0)))
  void gateway.failed.then(() => process.kill(process.pid, 'SIGKILL'))
}

process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume()
try {
  await main(process.argv[2] ?? '.')
} catch (thrown) {
  const { code, message, details } = toGatewayError(thrown)
  process.stdout.write(`${JSON.stringify({ error: { code, message, details } })}\n`)
  process.exit(1)
}
