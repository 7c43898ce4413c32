/**
 * A main file: one gateway over a state directory, for tests and benchmarks that kill it.
 *
 *   node gateway-child.js <state directory>
 *   stdout   one line of JSON when it serves, a ChildReady; or {"error": …} and exit code 1
 *   stderr   the log, one line of JSON each
 *   SIGTERM  stops it in order · end of stdin: whoever started it is gone, so it goes too
 */
import { join } from 'node:path'
import type { RunningGateway } from '../../actors/gateway.ts'
import { type Log, type LogFields, systemChance, systemClock } from '../../actors/services.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { startVerified } from '../../scripts/start.ts'

/** What the child says once it serves. */
export interface ChildReady {
  readonly port: number
  readonly pid: number
  readonly recovered: RunningGateway['recovered']
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
  const gateway = await startVerified({
    stateDir,
    configPath: join(stateDir, 'openclaw.json'),
    port: 0,
    env: process.env,
    services: { clock: systemClock, chance: systemChance, log },
    version: '0.0.0-child',
    watched: false,
  })
  const { port, recovered } = gateway
  const ready = { port, pid: process.pid, recovered } satisfies ChildReady
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
