/** A gateway with a model that answers when told to, for tests of sessions and their runs. */
import type { ServerResponse } from 'node:http'
import type { Frame, TestClient } from './client.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { type ModelServer, startModelServer } from './model-server.ts'
import { until } from './wait.ts'

export interface SessionsWorld {
  house: TestGateway
  model: ModelServer
  calls: ServerResponse[] // of the model `slow/one`, not answered yet
  client: TestClient
}

/** The session of which these tests are. */
export const KEY = 'agent:main:work'

/** Opens the world: call it before each test with that test's context. */
export async function openWorld(world: SessionsWorld): Promise<void> {
  world.calls = []
  world.model = await startModelServer((response) => world.calls.push(response))
  const providers = { slow: { baseUrl: world.model.baseUrl, apiKey: 'x' } }
  world.house = await startTestGateway({ config: { models: { providers } } })
  world.client = world.house.client()
  await world.client.connect()
}

export async function closeWorld({ house, model }: SessionsWorld): Promise<void> {
  await house.stop()
  await model.close()
}

/** A message of `sessions.history`. */
export interface Message {
  id: string
  seq: number
  role: string
  text: string
  runId: string
  [more: string]: unknown
}

export const messagesOf = ({ payload }: Frame): Message[] => payload['messages'] as Message[]
export const textsOf = (answer: Frame): string[] => messagesOf(answer).map(({ text }) => text)
export const code = (frame: Frame): string | undefined => frame.error?.code
export const path = (frame: Frame): unknown => frame.error?.details?.['path']

/** Asks and waits for the answer. */
export async function talk(client: TestClient, message: string, more: object = {}): Promise<Frame> {
  const { payload } = await client.request('agent', { message, sessionKey: KEY, ...more })
  return client.event('agent.done', ({ runId }) => runId === payload['runId'])
}

/** Asks the slow model and waits until it was called. */
export async function begin(
  { client, calls }: SessionsWorld,
  message: string,
  more: object = {},
): Promise<Frame> {
  await client.request('sessions.patch', { key: KEY, model: 'slow/one' })
  const before = calls.length
  const answer = await client.request('agent', { message, sessionKey: KEY, ...more })
  await until(() => calls.length > before, 'call of the model')
  return answer
}
