/**
 * The main job on real parts: ngIRCd, an OpenAI-compatible HTTP server, a gateway in a process of
 * its own, people on raw sockets, and WebSocket clients.
 */
import { LLMock } from '@copilotkit/aimock'
import { type ChildGateway, makeStateDir, type StateDir, startServing } from './child.ts'
import { TestClient } from './client.ts'
import { connectIrcUser, type IrcUser, type Ngircd, startNgircd } from './ngircd.ts'
import { until } from './wait.ts'

export interface IrcScene {
  irc: Ngircd
  model: LLMock
  state: StateDir
  gateway: ChildGateway
  users: IrcUser[]
  clients: TestClient[]
}

/**
 * Starts all servers and the gateway, and waits until the bot is in its room. `changesOf` is asked for
 * parts of the configuration once the servers and the state directory are there.
 */
export async function openIrcScene<Scene extends IrcScene>(
  scene: Scene,
  changesOf: (scene: Scene) => object = () => ({}),
): Promise<void> {
  scene.users = []
  scene.clients = []
  scene.irc = await startNgircd()
  scene.model = new LLMock({ port: 0, host: '127.0.0.1' })
  await scene.model.start()
  hearAll(scene.model)
  scene.state = makeStateDir({})
  scene.state.configure({ ...ircConfig(scene), ...changesOf(scene) })
  await startGatewayOf(scene)
}

/** The configuration of a scene as it is without changes. */
export function ircConfig(scene: IrcScene): object {
  return {
    models: { providers: { home: { baseUrl: `${scene.model.url}/v1`, apiKey: 'test-key' } } },
    agents: { defaults: { model: 'home/test' } },
    channels: { irc: ircChannel(scene.irc.port) },
  }
}

/** Answers whatever no earlier rule answers with what was heard. */
export function hearAll(model: LLMock): void {
  model.on({}, ({ messages }) => {
    const content = messages.at(-1)?.content
    return { content: `I heard: ${typeof content === 'string' ? content : 'no text'}` }
  })
}

/** Ends everything; also what a failed test has left half open. */
export async function closeIrcScene(scene: Partial<IrcScene>): Promise<void> {
  for (const client of scene.clients ?? []) await client.close()
  for (const user of scene.users ?? []) user.close()
  await scene.gateway?.kill()
  await scene.irc?.stop()
  await scene.model?.stop()
  scene.state?.remove()
}

/** Starts the gateway, again after a kill, and waits until its channel is connected. */
export async function startGatewayOf(scene: IrcScene): Promise<void> {
  scene.gateway = await startServing(scene.state.path)
  const client = await connectClient(scene, { deviceId: 'watch', subscribe: [] })
  await channelIs(client, 'connected')
  await client.close()
}

/** Waits until the IRC channel is in a state. */
export async function channelIs(client: TestClient, state: string): Promise<void> {
  const look = async (): Promise<boolean> => {
    const { payload } = await client.request('health')
    return (payload['channels'] as Record<string, string>)['irc'] === state
  }
  await until(look, `irc ${state}`)
}

/** Connects a WebSocket client to the gateway of now. */
export async function connectClient(
  scene: IrcScene,
  params: Record<string, unknown> = {},
): Promise<TestClient> {
  const client = new TestClient(scene.gateway.url)
  scene.clients.push(client)
  const answer = await client.connect(params)
  if (answer.ok !== true) throw new Error(`connect: ${answer.error?.message}`)
  return client
}

/** A person comes to the IRC server. */
export async function enter(scene: IrcScene, nick: string, ...rooms: string[]): Promise<IrcUser> {
  const user = await connectIrcUser(scene.irc.port, nick, ...rooms)
  scene.users.push(user)
  return user
}

/** The configuration of the bot `heron` in `#home`, open to everybody who speaks to it. */
export function ircChannel(port: number): object {
  return {
    host: '127.0.0.1',
    port,
    tls: false,
    nick: 'heron',
    channels: ['#home'],
    dmPolicy: 'open',
    groupPolicy: 'allowlist',
    groups: { '#home': { requireMention: true, allowFrom: ['*'] } },
  }
}
