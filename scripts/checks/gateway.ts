/**
 * Checks of the gateway that runs, or of the place where one would.
 */
import { createServer } from 'node:net'
import { findPortHolder } from '../port-holder.ts'
import type { Settings } from '../settings.ts'
import { readStanding, type Standing } from '../standing.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** Checks port, gateway and channels. */
export async function checkGateway(settings: Settings): Promise<Finding[]> {
  const standing = await readStanding(settings)
  if (!standing.running) {
    const port = await checkPort(settings)
    return [port, ok('gateway', 'not running')]
  }
  const port = ok('port', `${standing.url} is ours (process ${String(standing.pid)})`)
  return [port, checkRunning(standing), ...checkChannels(standing)]
}

/** Tries to listen where the gateway would. */
async function checkPort({ host, port }: Settings): Promise<Finding> {
  const name = 'port'
  const fault = await new Promise<string | null>((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(null)))
  })
  if (fault === null) return ok(name, `${port} is free`)
  if (fault !== 'EADDRINUSE') {
    return fail(
      name,
      `${host}:${port} cannot be listened on: ${fault}`,
      'check gateway.bind and gateway.port',
    )
  }
  const holder = await findPortHolder(port)
  const who = holder === null ? 'another process' : `process ${holder.pid} (${holder.name})`
  return fail(name, `${port} is taken by ${who}`, 'end that process, or set gateway.port')
}

function checkRunning({ fault, says, url }: Standing): Finding {
  const name = 'gateway'
  if (fault === null) return ok(name, `${says} at ${url}`)
  const todo =
    fault === 'token' ? 'check gateway.auth.token, or --token' : 'openclaw logs --level warn'
  return fail(name, says, todo)
}

function checkChannels({ health }: Standing): Finding[] {
  const channels: unknown = health?.['channels']
  if (typeof channels !== 'object' || channels === null) return []
  return Object.entries(channels).map(([channel, state]) =>
    state === 'connected'
      ? ok(`channel ${channel}`, 'connected')
      : warn(`channel ${channel}`, String(state), `openclaw logs --level warn | grep ${channel}`),
  )
}
