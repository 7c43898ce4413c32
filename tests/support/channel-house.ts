/** A house for tests of channels: a kernel, one channel, and an adapter that does what it is told. */
import '../../actors/trap.ts'
import { draftText } from '../../actors/bodies.ts'
import { type Channels, openChannels } from '../../actors/channel.ts'
import type { ChannelSetup } from '../../actors/channel-setup.ts'
import type { ChannelHost, DeliveryFault, Resume } from '../../actors/channels/adapter.ts'
import type { ConfigKeeper } from '../../actors/config.ts'
import { openWaiting } from '../../actors/entrance.ts'
import { openIntake } from '../../actors/intake.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import { openModels } from '../../actors/models/registry.ts'
import type { Driver } from '../../actors/outbox.ts'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Store } from '../../store/contract.ts'
import { settle } from './clock.ts'
import { readRecords } from './kernel.ts'
import { openTestServices, type TestServices } from './services.ts'

/** A kernel with one channel over an adapter of the test's own. */
export interface House {
  readonly kernel: Kernel
  readonly channels: Channels
  readonly services: TestServices
  readonly delivered: string[]
  readonly targets: string[] // to whom, in the same order
  readonly heard: () => void // a sign of life of the other side
  /** The platform brings a message. */
  readonly hear: (changes: Partial<InboundMessage>, cursor?: string) => Promise<unknown>
  readonly hosts: readonly ChannelHost[]
  /** Where the adapter was told to go on, at each opening. */
  readonly resumed: (Resume | null)[]
  /** What the next deliveries come to; null: they arrive. */
  readonly faults: (DeliveryFault | null)[]
  /** Calls of a model that wait for their answers. */
  readonly calls: ModelCalled[]
}

/** A call of a model. */
export interface ModelCalled {
  readonly runId: unknown
  readonly answer: (text: string) => void
}

/** Everybody may write directly. */
export const open: ChannelPolicy = {
  dmPolicy: 'open',
  allowFrom: [],
  groupPolicy: 'disabled',
  rooms: {},
}

/** Lives of one journal share their services: what was drawn once is not drawn again. */
type HouseOptions = Pick<ChannelSetup, 'account'> & { readonly services?: TestServices }

/** A kernel with one channel whose link opens when `opened` resolves, or what it gives each time. */
export function openHouse(
  store: Store,
  opened: Promise<void> | (() => Promise<void>),
  policy = open,
  { services = openTestServices(), ...account }: HouseOptions = {},
): House {
  const delivered: string[] = []
  const targets: string[] = []
  const hosts: ChannelHost[] = []
  const resumed: (Resume | null)[] = []
  const faults: (DeliveryFault | null)[] = []
  const setup: ChannelSetup = {
    name: 'irc',
    policy,
    ...account,
    refuseTarget: () => null,
    sessionKey: ({ peer, roomId }) =>
      peer === 'direct' ? 'agent:main:main' : `agent:main:irc:${peer}:${roomId}`,
    open: (host) => {
      hosts.push(host)
      return {
        open: (_, resume) => {
          resumed.push(resume)
          return typeof opened === 'function' ? opened() : opened
        },
        deliver: ({ text, target }) => {
          const fault = faults.shift() ?? null
          if (fault !== null) return Promise.reject(fault)
          delivered.push(text)
          targets.push(target)
          return Promise.resolve({ messageId: null })
        },
        close: () => Promise.resolve(),
      }
    },
  }
  const drivers = new Map<string, Driver>()
  const kernel = openKernel(store, drivers, services, 'test')
  const { registry, work, listen } = kernel
  const live = { config: resolveConfig({}), models: openModels(resolveConfig({}), services, {}) }
  const { approvals } = openWaiting(kernel, { services, stateDir: '' })
  const intake = openIntake({ live } as unknown as ConfigKeeper, work.sessions, approvals)
  const channels = openChannels([setup], intake, { registry, store, work, listen, services })
  for (const [name, driver] of channels.drivers) drivers.set(name, driver)
  const calls: ModelCalled[] = []
  for (const [name, driver] of modelDrivers(calls, services)) drivers.set(name, driver)
  const hear: House['hear'] = (changes, cursor) =>
    Promise.all(hosts.map((host) => host.received({ ...HELLO, ...changes }, cursor)))
  const heard = () => {
    for (const host of hosts) host.heard()
  }
  return {
    kernel,
    channels,
    services,
    delivered,
    targets,
    heard,
    hear,
    hosts,
    resumed,
    faults,
    calls,
  }
}

function modelDrivers(calls: ModelCalled[], { chance }: TestServices): [string, Driver][] {
  const call: Driver['run'] = ({ params }) =>
    new Promise((resolve) => {
      const answer = (text: string): void => {
        const body = draftText(chance, text)
        const facts = { ref: body.ref, bytes: text.length, inputTokens: 1, outputTokens: 1 }
        resolve({ type: 'effect.done', facts, bodies: [body] })
      }
      calls.push({ runId: params['runId'], answer })
    })
  const cancelled: Driver['run'] = () => Promise.resolve({ type: 'effect.done' })
  return [
    ['model.call', { visible: false, run: call }],
    ['model.cancel', { visible: false, run: cancelled }],
  ]
}

/** A message of ann's. */
export const HELLO: InboundMessage = {
  messageId: 'm1',
  peer: 'direct',
  senderId: 'ann',
  senderName: 'Ann',
  roomId: 'ann',
  replyTarget: 'Ann',
  mentioned: true,
  text: 'hello',
  sentAt: null,
}

/** The messages that were taken in, and whether each went on to its session. */
export const taken = (store: Store): unknown[] =>
  readRecords(store)
    .filter(({ event }) => event.type === 'message.received')
    .map(({ event, sends }) => [event['roomId'], event['messageId'], sends.length === 1])

/** Starts a life. */
export async function boot({ kernel, channels }: House, epoch: number): Promise<void> {
  await kernel.recover(`boot:${epoch}`)
  await channels.start(`boot:${epoch}`, '00')
  await settle()
}
