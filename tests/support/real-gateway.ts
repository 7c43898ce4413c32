/** A gateway as people start it, in the foreground, with clients that hold it to its word. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startCli } from './cli.ts'
import { type Frame, TestClient } from './client.ts'
import type { Running } from './process.ts'

/** A gateway that serves. */
export interface RealGateway extends Running {
  readonly url: string
  readonly client: TestClient
}

/** Writes the configuration of a state directory. */
export function configure(stateDir: string, text = '{ gateway: { port: 0 } }'): void {
  writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })
}

/** Starts `openclaw gateway` and connects one client to it. */
export async function startReal(
  stateDir: string,
  env: NodeJS.ProcessEnv = {},
): Promise<RealGateway> {
  const running = startCli(stateDir, ['gateway', '--json', '--port', '0'], env)
  const { url } = JSON.parse(await running.says(/\n/)) as { url: string }
  const client = new TestClient(url)
  await client.connect()
  return { ...running, url, client }
}

/** Ends it in order. */
export async function stopReal({ child, client, ended }: RealGateway): Promise<void> {
  await client.close()
  child.kill('SIGTERM')
  await ended
}

/** Asks once under a key, in a session. */
export function ask(client: TestClient, key: string, session = 'real'): Promise<Frame> {
  const sessionKey = `agent:main:${session}`
  return client.request('agent', { message: `message ${key}`, sessionKey, idempotencyKey: key })
}

/** Asks in a session and waits for the end of the run. */
export async function turn(client: TestClient, key: string, session = 'real'): Promise<void> {
  const { payload } = await ask(client, key, session)
  await client.event('agent.done', ({ runId }) => runId === payload['runId'])
}

/** Asks under some keys, one after another; returns the answers by key. */
export async function askAll(
  client: TestClient,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const answers = new Map<string, string>()
  for (const key of keys) {
    const { ok, payload, error } = await ask(client, key)
    answers.set(key, ok === true ? JSON.stringify(payload) : `refused: ${error?.code}`)
  }
  return answers
}
