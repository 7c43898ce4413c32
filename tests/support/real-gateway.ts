/** A gateway as people start it, in the foreground, with clients that hold it to its word. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { startCli } from './cli.ts'
import { type Frame, TestClient } from './client.ts'
import type { Running } from './process.ts'

const LARGE_BYTES = 200_000 // Of a message of the crowd.

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
  shell: string | null = null,
): Promise<RealGateway> {
  const running = startCli(stateDir, ['gateway', '--json', '--port', '0'], env, shell)
  const said = await running.says(/\n/)
  const { url = null } = JSON.parse(said) as { url?: string }
  if (url === null) throw new Error(`it did not start: ${said}`)
  const client = new TestClient(url)
  await client.connect()
  return { ...running, url, client }
}

const START_MS = 15_000

/** Waits until a gateway that was started with little serves or is gone; true: it serves. */
export async function servesOrEnds({ says, child }: Running): Promise<boolean> {
  const impatience = setTimeout(() => child.kill('SIGKILL'), START_MS)
  const serves = await says(/"url"/).then(
    () => true,
    () => false,
  )
  clearTimeout(impatience)
  if (serves) child.kill('SIGTERM')
  return serves
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

/** What a crowd of large messages came to. */
export interface Crowd {
  readonly promised: Map<string, string> // by key
  readonly refused: Set<string> // codes
}

/** Asks with large messages until `count` were answered or the gateway is gone. */
export async function crowd({ client }: RealGateway, count: number): Promise<Crowd> {
  const promised = new Map<string, string>()
  const refused = new Set<string>()
  const text = 'x'.repeat(LARGE_BYTES)
  const keys = Array.from({ length: count }, (_, n) => `crowd-${n}`).values()
  const lanes = Array.from({ length: 8 }, async () => {
    for (const key of keys) {
      const params = { message: text, sessionKey: `agent:main:${key}`, idempotencyKey: key }
      const { ok, payload, error } = await client.request('agent', params)
      if (ok === true) promised.set(key, JSON.stringify(payload))
      else refused.add(String(error?.code))
    }
  })
  await Promise.allSettled(lanes)
  return { promised, refused }
}

/** Starts anew without want; every key that was answered gets the same answer. */
export async function keepsItsWord(stateDir: string, { promised }: Crowd): Promise<boolean> {
  const gateway = await startReal(stateDir)
  let kept = true
  for (const [key, answer] of promised) {
    const text = 'x'.repeat(LARGE_BYTES)
    const params = { message: text, sessionKey: `agent:main:${key}`, idempotencyKey: key }
    const { payload } = await gateway.client.request('agent', params)
    kept &&= JSON.stringify(payload) === answer
  }
  await stopReal(gateway)
  return kept
}

/** Starts anew without faults; what was acknowledged must be answered as it was. */
export async function holdToItsWord(
  stateDir: string,
  promised: Map<string, string>,
): Promise<void> {
  const gateway = await startReal(stateDir)
  const again = await askAll(gateway.client, [...promised.keys()])
  const next = await ask(gateway.client, 'next')
  await stopReal(gateway)
  assert.equal([...again], [...promised])
  assert.is(next.ok, true)
  const { faults } = await verifyInChild(join(stateDir, 'journal'), { deep: true })
  assert.equal(faults, [])
}
