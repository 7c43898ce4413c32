/** Upstream's dialect for tests: its `connect` as its clients send it, requests, and their answers. */
import type { Frame, TestClient } from './client.ts'
import { KeyedDevice } from './device.ts'
import type { TestGateway } from './gateway.ts'

/** A configuration with the secret that upstream's clients show. */
export const WITH_TOKEN = { gateway: { auth: { mode: 'token', token: 'tok' } } }

/** What differs from client to client. */
export interface Guise {
  readonly id?: string
  readonly mode?: string
  readonly role?: 'operator' | 'node'
  readonly scopes?: readonly string[]
  readonly caps?: readonly string[]
  readonly commands?: readonly string[]
  readonly displayName?: string
  readonly device?: KeyedDevice
}

let asked = 0

/** Sends a request; resolves with its id, under which every answer comes. */
export async function send(client: TestClient, method: string, params: unknown): Promise<string> {
  const id = `r${(asked += 1)}`
  await client.send(JSON.stringify({ type: 'req', id, method, params }))
  return id
}

/** Sends a request and waits for its (first) answer. */
export async function ask(client: TestClient, method: string, params: unknown = {}) {
  const id = await send(client, method, params)
  return client.frame((frame) => frame.id === id, `answer to ${method}`)
}

/** Waits for the answer of a number, from 0 on, to one request. */
export async function answer(client: TestClient, id: string, index: number): Promise<Frame> {
  const nth = () => client.frames.filter((frame) => frame.id === id)[index]
  await client.frame(() => nth() !== undefined, `answer ${index} to ${id}`)
  return nth() as Frame
}

/** Connects with a device of its own and the shared secret; a person's screen unless told. */
export async function enter(house: TestGateway, guise: Guise = {}): Promise<TestClient> {
  const client = house.client()
  const hello = await knock(client, guise)
  if (hello.ok !== true) throw new Error(JSON.stringify(hello))
  return client
}

/** Sends `connect`; resolves with its answer. */
export async function knock(client: TestClient, guise: Guise = {}): Promise<Frame> {
  const { id = 'openclaw-control-ui', mode = 'webchat', role = 'operator', caps = [] } = guise
  const { scopes = role === 'node' ? [] : ['operator.admin'], commands, displayName } = guise
  const { device = new KeyedDevice() } = guise
  const { payload } = await client.event('connect.challenge')
  const [nonce, signedAt] = [String(payload['nonce']), Number(payload['ts'])]
  const { auth } = device.answer(nonce, signedAt, {
    params: { role, scopes },
    auth: { token: 'tok' },
    signed: { clientId: id, clientMode: mode, platform: 'linux' },
  })
  const { challengeResponse: signature, publicKey } = auth as Record<string, string>
  return ask(client, 'connect', {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id, mode, version: '1', platform: 'linux', ...(displayName ? { displayName } : {}) },
    role,
    scopes,
    caps,
    ...(commands === undefined ? {} : { commands }),
    auth: { token: 'tok' },
    device: { id: device.id, publicKey, signature, signedAt, nonce },
  })
}
