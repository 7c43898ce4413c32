/**
 * Checks of the gateway that runs, or of the place where one would.
 */
import { createServer } from 'node:net'
import { findPortHolder } from '../port-holder.ts'
import type { Settings } from '../settings.ts'
import { type CheckContext, fail, type Finding, ok, warn } from './finding.ts'

/** Checks that the port is ours, or free for us. */
export async function checkPort({ standing, settings }: CheckContext): Promise<readonly Finding[]> {
  const { running, url, pid } = await standing()
  if (!running) return [await tryPort(settings)]
  return [ok('port', `${url} is ours (process ${String(pid)})`)]
}

/** Tries to listen where the gateway would. */
async function tryPort({ host, port }: Settings): Promise<Finding> {
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

/** Checks that a gateway that runs takes work. */
export async function checkGateway({ standing }: CheckContext): Promise<readonly Finding[]> {
  const name = 'gateway'
  const { running, fault, says, url } = await standing()
  if (!running) return [ok(name, 'not running')]
  if (fault === null) return [ok(name, `${says} at ${url}`)]
  const todo =
    fault === 'token' ? 'check gateway.auth.token, or --token' : 'openclaw logs --level warn'
  return [fail(name, says, todo)]
}

/** Checks the links of a gateway that runs. */
export async function checkChannels({ standing }: CheckContext): Promise<readonly Finding[]> {
  const channels: unknown = (await standing()).health?.['channels']
  if (typeof channels !== 'object' || channels === null) return []
  return Object.entries(channels).map(([channel, state]) =>
    state === 'connected'
      ? ok(`channel ${channel}`, 'connected')
      : warn(`channel ${channel}`, String(state), `openclaw logs --channel ${channel}`),
  )
}
