/**
 * What answers, put together: the models, the tools that they are told of, and what those tools do
 * in this house.
 */
import type { DeliveryRequested } from '../machines/delivery.ts'
import type { SessionContext } from '../machines/session.ts'
import { streamId, streamName } from '../protocol/ids.ts'
import { canonicalSessionKey } from '../protocol/session-key.ts'
import { draftText } from './bodies.ts'
import { openAskRoutes } from './call-ask.ts'
import { Calls } from './calls.ts'
import type { Channels } from './channel.ts'
import type { ConfigKeeper } from './config.ts'
import type { GatewayOptions } from './gateway.ts'
import { Invocations } from './invocations.ts'
import type { Kernel } from './kernel.ts'
import type { MethodHouse } from './methods/house.ts'
import { type InvokeNode, offerNodes, OfferedTools } from './offered-tools.ts'
import type { Driver } from './outbox.ts'
import { ModelDriver } from './run.ts'
import { deliveryTtlMs } from './run-plan.ts'
import { type Conversations, openConversationTools } from './tools/conversations.ts'
import { openExec } from './tools/exec.ts'
import { openFileTools } from './tools/files.ts'
import { McpServers } from './tools/mcp.ts'
import { ToolRegistry } from './tools/registry.ts'
import { openWebFetch } from './tools/web-fetch.ts'
import { readTranscript } from './transcript.ts'

/** What answers a message. */
export interface Answering {
  readonly models: ModelDriver
  readonly calls: Calls
  readonly invocations: Invocations
  readonly tools: ToolRegistry
  readonly offers: OfferedTools
  /** Begins with the servers of tools that are configured. */
  readonly begin: () => void
  /** Ends every call in hand, of models and of tools, and the sessions with those servers. */
  readonly leave: () => Promise<void>
  readonly drivers: () => [string, Driver][]
}

/** Opens it over a configuration that is read anew for each call. */
export function openAnswering(
  { services, env, version, stateDir, configPath }: GatewayOptions,
  configuration: ConfigKeeper,
  kernel: Kernel,
  {
    channels,
    ...waits
  }: Pick<MethodHouse, 'approvals' | 'grants'> & { readonly channels: () => Channels },
): Answering {
  const { store, registry, work, hub, listen } = kernel
  const tools = new ToolRegistry()
  const settings = (): ConfigKeeper['live']['config']['tools'] => configuration.live.config.tools
  const workspace = (): string | null => settings().workspace
  tools.replace('built-in', [
    ...openConversationTools(openConversations(kernel, configuration, services, channels)),
    ...openFileTools(workspace, { stateDir, configPath }),
    openExec(workspace, env),
    openWebFetch(services.chance),
  ])
  const { approvals, grants } = waits
  const waiting = (): number => approvals.count
  const short = (approvalId: string): string => approvals.short(approvalId)
  const route = openAskRoutes(registry, configuration)
  const calls = new Calls({ store, services, tools, settings, waiting, route, short, grants })
  const house = {
    store,
    registry,
    services,
    usage: work.usage,
    publish: (delta: Parameters<typeof hub.delta>[0]) => hub.delta(delta),
  }
  const models = new ModelDriver(house, {
    concurrentMax: configuration.live.config.agent.maxConcurrent,
    tokensPerDay: () => configuration.live.config.agent.budget.tokensPerDay,
    systemPrompt: () => configuration.live.config.agent.systemPrompt,
    find: (model) => configuration.live.models.find(model),
    tools: (place) => calls.offered(place),
  })
  const drivers = (): [string, Driver][] => [...models.drivers(), ...calls.drivers()]
  const servers = new McpServers({ registry: tools, services, version, env }, settings().servers)
  const leave = (): Promise<void> => {
    models.abortAll()
    calls.abortAll()
    return servers.stop()
  }
  const offers = new OfferedTools(tools)
  const invocations = new Invocations({ store, registry, services })
  listen((record) => invocations.committed(record))
  return { models, calls, invocations, tools, offers, drivers, begin: () => servers.start(), leave }
}

/** Keeps the tools of nodes as their actors say: what they were allowed, while they are connected. */
export function followNodes({ listen }: Kernel, house: MethodHouse): void {
  const { nodes, idempotency, tools, services } = house
  const invoke: InvokeNode = async (asked, { timeoutMs, cause, correlationId }) => {
    const cited = { cause: `${cause}.node`, correlationId }
    const answer = await nodes.invoke({ ...asked, timeoutMs, mark: null }, idempotency, cited)
    const { ok, payloadJson, error } = answer
    if (ok) return { text: payloadJson ?? 'done' }
    return { text: `${error?.code ?? 'FAILED'}: ${error?.message ?? ''}`, isError: true }
  }
  listen(({ stream, ignored }) => {
    if (!stream.startsWith('node:') || ignored !== null) return
    const rows = nodes.list()
    const nodeId = streamName(stream)
    if (rows.every(({ context }) => context.nodeId !== nodeId)) tools.replace(`node:${nodeId}`, [])
    const refused = offerNodes(tools, rows, invoke)
    if (refused.length > 0) services.log.warn('tools of nodes not registered', { nodeId, refused })
  })
}

function openConversations(
  { store, registry, work }: Kernel,
  configuration: ConfigKeeper,
  services: GatewayOptions['services'],
  channels: () => Channels,
): Conversations {
  return {
    list: () => [...work.sessions.values()],
    history: async (sessionKey, limit) => {
      const key = canonicalSessionKey(sessionKey)
      const page = await readTranscript({ store, registry, inFlight: () => null }, { key, limit })
      return page.messages
    },
    route: ({ sessionKey, runId }) => {
      const stream = streamId('session', sessionKey)
      const { current } = registry.snapshot(stream).context as SessionContext
      return current?.runId === runId ? current.route : null
    },
    send: async ({ channel, target, text }, { callId, cause, correlationId }) => {
      channels().assertTarget(channel, target)
      const body = draftText(services.chance, text)
      const event = {
        type: 'delivery.requested',
        deliveryId: callId, // One call sends one message, whatever happens.
        channel,
        target,
        ref: body.ref,
        fileIn: null,
        expiresAt: services.clock.now() + deliveryTtlMs(configuration.live.config),
      } satisfies Omit<DeliveryRequested, 'at'>
      const message = { event, cause: `${cause}.delivery`, correlationId, bodies: [body] }
      await registry.offer(streamId('delivery', callId), message)
      return callId
    },
  }
}
