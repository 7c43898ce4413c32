/**
 * Channels as they run: the adapters, the drivers that open and use them, and the way in.
 *
 * Reconnection belongs to the channel's machine; an adapter only dials when an effect says so. An
 * inbound message is acknowledged to its adapter after its record is on disk.
 */
import type { Loss } from '../machines/channel.ts'
import {
  type ChannelOpenParams,
  type CodeTellParams,
  isVisible,
  type MessageDeliverParams,
} from '../machines/effects.ts'
import { placeOf } from '../machines/rules/moves.ts'
import { GatewayError, messageOf } from '../protocol/errors.ts'
import { cutText, type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { wordPhrase } from '../protocol/phrases.ts'
import type { Effect } from '../protocol/record.ts'
import { readText } from './bodies.ts'
import { findHook, type OpenHook } from './channel-hooks.ts'
import { ChannelInbox } from './channel-inbox.ts'
import { evidenceMs, Gate, hear, isSilent, type Link, makeLink, setLink } from './channel-link.ts'
import { knownTargets } from './channel-past.ts'
import { type ChannelHouse, type ChannelSetup, type Intake, readChannel } from './channel-setup.ts'
import { signsOf, tellChannel } from './channel-signs.ts'
import {
  type ChannelAdapter,
  type ChannelHost,
  DeliveryFault,
  type LinkEnd,
  LinkFault,
  Unreached,
} from './channels/adapter.ts'
import { DeliveryOrder } from './delivery-order.ts'
import { recallDeliveries } from './delivery-recall.ts'
import type { Message } from './durable.ts'
import type { Driver, Outcome } from './outbox.ts'
import type { Registry } from './registry.ts'
import { SenderCodes, tellCode } from './sender-codes.ts'
import type { Services } from './services.ts'

/**
 * silent: the link is up, but the other side has given no sign of life for too long; failed: it will
 * not come up by itself.
 */
export type ChannelState =
  | 'connected'
  | 'silent'
  | 'connecting'
  | 'disconnected'
  | 'failed'
  | 'held'

export interface Channels {
  readonly drivers: ReadonlyMap<string, Driver>
  /** Starts every configured channel, and tells those that are no longer configured to stop. */
  readonly start: (cause: string, correlationId: string) => Promise<void>
  /** Stops every configured channel until `start`; deliveries wait. */
  readonly hold: (cause: string, correlationId: string) => Promise<void>
  readonly states: () => Readonly<Record<string, ChannelState>>
  /** Why each channel that is not connected is not, where that is known. */
  readonly reasons: () => Readonly<Record<string, string>>
  /** The way in for platforms that come to a path of ours; null: none does. */
  readonly hook: (path: string) => OpenHook | null
  /** Dials one channel anew, also one that has failed. @throws {GatewayError} CHANNEL_UNKNOWN */
  readonly retry: (channel: string, cause: string, correlationId: string) => Promise<void>
  /** How many messages each channel has lost for good, and when the last; the others are left out. */
  readonly lost: () => Readonly<Record<string, Loss>>
  /** For how long each channel has had no link, in ms; those that have one are left out. */
  readonly down: () => Readonly<Record<string, number>>
  /** How long ago each channel was heard of, in s; those never heard of are left out. */
  readonly evidence: () => Readonly<Record<string, number>>
  /** @throws {GatewayError} CHANNEL_UNKNOWN, TARGET_INVALID */
  readonly assertTarget: (channel: string, target: string) => void
  readonly close: () => Promise<void>
}

/** Opens the channels of a configuration; nothing dials before `start`. */
export function openChannels(
  setups: readonly ChannelSetup[],
  intake: Intake,
  house: ChannelHouse,
): Channels {
  const channels = new Map(setups.map((setup) => [setup.name, openChannel(setup, intake, house)]))

  recallDeliveries(house)
  const gate = new Gate()

  function find(name: string): Channel | null {
    return channels.get(name) ?? null
  }

  return {
    drivers: driversOf(find, gate, house, new DeliveryOrder(house)),
    hold: async (cause, correlationId) => {
      gate.shut()
      for (const name of channels.keys()) {
        await tellChannel(house, name, {
          event: { type: 'channel.disabled' },
          cause,
          correlationId,
        })
      }
    },
    start: async (cause, correlationId) => {
      gate.open()
      await startAll(setups, house, cause, correlationId)
    },
    states: () =>
      Object.fromEntries(
        [...channels].map(([name, { state }]) => [name, gate.isShut ? 'held' : state()]),
      ),
    reasons: () => reasonsOf(channels, house),
    hook: (path) => findHook([...channels.values()], path),
    retry: async (name, cause, correlationId) => {
      const { setup } = find(name) ?? refuseUnknown(name, channels)
      if (!gate.isShut) await tellChannel(house, name, enabled(setup, cause, correlationId))
    },
    down: () => downOf(channels, house.services.clock.monotonic()),
    lost: () => lossesOf(channels, house),
    evidence: () => evidenceOf(channels, house.services.clock.monotonic()),
    assertTarget: (name, target) => {
      const { setup } = find(name) ?? refuseUnknown(name, channels)
      const why = setup.refuseTarget(target)
      if (why !== null)
        throw new GatewayError('TARGET_INVALID', `params.target: ${why}`, { path: 'target' })
    },
    close: async () => {
      for (const { inbox } of channels.values()) inbox.close()
      await Promise.all([...channels.values()].map((channel) => channel.adapter.close()))
    },
  }
}

function evidenceOf(channels: ReadonlyMap<string, Channel>, now: number): Record<string, number> {
  const ages = [...channels].flatMap(([name, { link }]) => {
    const ms = evidenceMs(link, now)
    return ms === null ? [] : [[name, Math.floor(ms / 1_000)] as const]
  })
  return Object.fromEntries(ages)
}

function downOf(channels: ReadonlyMap<string, Channel>, now: number): Record<string, number> {
  const down = [...channels].flatMap(([name, { link }]) =>
    link.isUp ? [] : [[name, now - link.changedAt] as const],
  )
  return Object.fromEntries(down)
}

function lossesOf(
  channels: ReadonlyMap<string, Channel>,
  { registry }: ChannelHouse,
): Record<string, Loss> {
  const losses = [...channels.keys()].flatMap((name) => {
    const loss = readChannel(registry, name)?.lost
    return loss === undefined ? [] : [[name, loss] as const]
  })
  return Object.fromEntries(losses)
}

// What the newest fault was; a channel that is up has none.
function reasonsOf(
  channels: ReadonlyMap<string, Channel>,
  { registry }: ChannelHouse,
): Record<string, string> {
  const reasons = [...channels].flatMap(([name, { state }]) => {
    if (!WITH_REASON.has(state())) return []
    const fault = readChannel(registry, name)?.fault ?? ''
    return fault === '' ? [] : [[name, fault] as const]
  })
  return Object.fromEntries(reasons)
}

const WITH_REASON: ReadonlySet<ChannelState> = new Set(['connecting', 'failed'])

function driversOf(
  find: Find,
  gate: Gate,
  house: ChannelHouse,
  order: DeliveryOrder,
): ReadonlyMap<string, Driver> {
  const ready = ({ params }: Effect): Promise<void> | null => {
    const channel = find(String(params['channel']))
    const until = typeof params['expiresAt'] === 'number' ? params['expiresAt'] : null
    return channel === null ? null : gate.passage(channel.link, house.services, until)
  }

  return new Map<string, Driver>([
    [
      'channel.open',
      {
        visible: false,
        run: ({ params }) => openLink(find, gate, house, params as unknown as ChannelOpenParams),
      },
    ],
    [
      'channel.close',
      { visible: false, run: ({ params }) => closeLink(find, house.services, params['channel']) },
    ],
    [
      'code.tell',
      {
        visible: isVisible('code.tell'),
        ready,
        run: ({ params }) => tellSender(find, params as unknown as CodeTellParams),
      },
    ],
    [
      'message.deliver',
      {
        visible: isVisible('message.deliver'),
        ready: (effect) => {
          const turn = order.turn(effect.params as unknown as MessageDeliverParams)
          return turn === null ? ready(effect) : turn.then(() => ready(effect) ?? undefined)
        },
        run: ({ params }) => deliver(find, house, params as unknown as MessageDeliverParams),
      },
    ],
  ])
}

async function startAll(
  setups: readonly ChannelSetup[],
  house: ChannelHouse,
  cause: string,
  correlationId: string,
): Promise<void> {
  const known = new Set(setups.map(({ name }) => name))
  for (const name of [...house.work.channels].filter((name) => !known.has(name))) {
    await tellChannel(house, name, { event: { type: 'channel.disabled' }, cause, correlationId })
  }
  for (const setup of setups)
    await tellChannel(house, setup.name, enabled(setup, cause, correlationId))
}

function enabled({ name, policy }: ChannelSetup, cause: string, correlationId: string): Message {
  return { event: { type: 'channel.enabled', channel: name, policy }, cause, correlationId }
}

interface Channel {
  readonly setup: ChannelSetup
  readonly adapter: ChannelAdapter
  readonly codes: SenderCodes
  readonly inbox: ChannelInbox
  readonly state: () => ChannelState
  readonly link: Link
}

function openChannel(setup: ChannelSetup, intake: Intake, house: ChannelHouse): Channel {
  const { registry, services } = house
  const codes = new SenderCodes(services.chance)
  const inbox = new ChannelInbox(setup, codes, intake, house)
  const link = makeLink(services.clock.monotonic())
  const received: ChannelHost['received'] = (message, cursor) => {
    hear(link, services.clock.monotonic())
    return inbox.received(message, cursor)
  }
  const conversations = (): readonly string[] => knownTargets(house.store, setup.name)
  const passed: ChannelHost['passed'] = (cursor) => inbox.passed(cursor)
  return {
    setup,
    link,
    codes,
    inbox,
    adapter: setup.open({ received, passed, conversations, ...signsOf(setup.name, link, house) }),
    state: () => readState(registry, streamId('channel', setup.name), link, services),
  }
}

// A channel that is set aside takes part in nothing.
function readState(
  registry: Registry,
  stream: StreamId,
  link: Link,
  { clock }: Services,
): ChannelState {
  try {
    const { value } = registry.snapshot(stream)
    if (value === 'online') return isSilent(link, clock.monotonic()) ? 'silent' : 'connected'
    if (value === 'failed') return 'failed'
    return value === 'stopped' ? 'disconnected' : 'connecting'
  } catch {
    return 'disconnected'
  }
}

type Find = (name: string) => Channel | null

async function openLink(
  find: Find,
  { isShut }: Gate,
  { services: { clock, log } }: ChannelHouse,
  { channel: name }: ChannelOpenParams,
): Promise<Outcome> {
  if (isShut) return { type: 'effect.failed', class: 'held', retryable: true }
  const channel = find(name)
  if (channel === null) return { type: 'effect.failed', class: 'unconfigured', retryable: true }
  try {
    const signal = AbortSignal.timeout(limits.channelOpenMs)
    await channel.adapter.open(signal, channel.inbox.resume())
    hear(channel.link, clock.monotonic())
    setLink(channel.link, true, clock.monotonic())
    return { type: 'effect.done' }
  } catch (error) {
    const reason = messageOf(error)
    const { final = false, retryAfterMs = null } = endOf(error)
    log[final ? 'error' : 'warn']('channel not opened', { channel: name, reason, final })
    return { type: 'effect.failed', class: cutText(reason), retryable: !final, retryAfterMs }
  }
}

// The same credentials are refused again.
function endOf(error: unknown): LinkEnd {
  if (error instanceof LinkFault) return error.end
  return { final: error instanceof GatewayError && error.code === 'UNAUTHORIZED' }
}

async function closeLink(find: Find, { clock }: Services, name: unknown): Promise<Outcome> {
  const channel = find(String(name))
  if (channel !== null) {
    setLink(channel.link, false, clock.monotonic())
    await channel.adapter.close()
  }
  return { type: 'effect.done' }
}

async function tellSender(find: Find, telling: CodeTellParams): Promise<Outcome> {
  const channel = find(telling.channel)
  if (channel === null) {
    return { type: 'effect.failed', class: 'unconfigured', retryable: false, sent: 'no' }
  }
  return tellCode(telling, channel.codes, channel.adapter)
}

async function deliver(
  find: Find,
  { store, registry, services: { clock } }: ChannelHouse,
  {
    channel: name,
    target: named,
    ref,
    phrase,
    deliveryId,
    expiresAt = Infinity,
  }: MessageDeliverParams,
): Promise<Outcome> {
  const channel = find(name)
  if (channel === null) {
    return { type: 'effect.failed', class: 'unconfigured', retryable: true, sent: 'no' }
  }
  if (clock.now() >= expiresAt) {
    return { type: 'effect.failed', class: 'expired', retryable: false, sent: 'no' }
  }
  if (phrase === undefined && store.bodyState(ref) === 'erased') {
    return { type: 'effect.failed', class: 'erased', retryable: false, sent: 'no' }
  }
  try {
    const target = placeOf(readChannel(registry, name)?.moved, named)
    const text = phrase === undefined ? readText(store, ref) : wordPhrase(phrase)
    const { messageId } = await channel.adapter.deliver({ target, text, deliveryId })
    hear(channel.link, clock.monotonic())
    return { type: 'effect.done', facts: { messageId } }
  } catch (error) {
    if (!(error instanceof DeliveryFault)) throw error
    const { sent, retryable, retryAfterMs, message } = error
    const facts = error instanceof Unreached ? { unreached: true } : {}
    return { type: 'effect.failed', class: cutText(message), retryable, retryAfterMs, sent, facts }
  }
}

function refuseUnknown(name: string, channels: ReadonlyMap<string, Channel>): never {
  const known = [...channels.keys()]
  const list = known.length === 0 ? 'none is configured' : `configured: ${known.join(', ')}`
  throw new GatewayError(
    'CHANNEL_UNKNOWN',
    `params.channel: no channel named ${JSON.stringify(name)}; ${list}`,
    {
      path: 'channel',
      channels: known,
    },
  )
}
