/**
 * Channels as they run: the adapters, the drivers that open and use them, and the way in.
 *
 * Reconnection belongs to the channel's machine; an adapter only dials when an effect says so. An
 * inbound message is acknowledged to its adapter after its record is on disk.
 */
import type { ChannelContext } from '../machines/channel.ts'
import {
  type ChannelOpenParams,
  type CodeTellParams,
  isVisible,
  type MessageDeliverParams,
} from '../machines/effects.ts'
import type { ChannelPolicy } from '../machines/rules/policy.ts'
import { inboundKey, type OpenWork } from '../machines/projections/open-work.ts'
import type { Directive } from '../protocol/directives.ts'
import { GatewayError, messageOf, toGatewayError } from '../protocol/errors.ts'
import { cutText, type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { InboundMessage } from '../protocol/message.ts'
import { wordPhrase } from '../protocol/phrases.ts'
import type { Effect } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import { draftText, readText } from './bodies.ts'
import { evidenceMs, Gate, hear, isSilent, type Link, makeLink, setLink } from './channel-link.ts'
import { type ChannelAdapter, type ChannelHost, DeliveryFault } from './channels/adapter.ts'
import type { Message } from './durable.ts'
import type { Arriving, RunDefaults } from './intake.ts'
import type { Driver, Outcome } from './outbox.ts'
import type { Registry } from './registry.ts'
import { SenderCodes, tellCode } from './sender-codes.ts'
import type { Services } from './services.ts'

/** One configured channel. */
export interface ChannelSetup {
  readonly name: string
  readonly policy: ChannelPolicy
  readonly open: (host: ChannelHost) => ChannelAdapter
  /** Checks a target before anything is accepted for it; returns why not, or null. */
  readonly refuseTarget: (target: string) => string | null
  /** The session that an inbound message belongs to. */
  readonly sessionKey: (message: InboundMessage) => string
}

/** What the door asks of the configuration about a message. */
export interface Intake {
  readonly defaults: (arriving: Arriving) => Promise<RunDefaults>
  /** Reads a directive off its text; null where it is for the agent. */
  readonly directive: (text: string) => { directive: Directive; rest: string } | null
}

/** silent: the link is up, but the other side has given no sign of life for too long. */
export type ChannelState = 'connected' | 'silent' | 'connecting' | 'disconnected' | 'held'

export interface Channels {
  readonly drivers: ReadonlyMap<string, Driver>
  /** Starts every configured channel, and tells those that are no longer configured to stop. */
  readonly start: (cause: string, correlationId: string) => Promise<void>
  /** Stops every configured channel until `start`; deliveries wait. */
  readonly hold: (cause: string, correlationId: string) => Promise<void>
  readonly states: () => Readonly<Record<string, ChannelState>>
  /** How long ago each channel was heard of, in s; those never heard of are left out. */
  readonly evidence: () => Readonly<Record<string, number>>
  /** @throws {GatewayError} CHANNEL_UNKNOWN, TARGET_INVALID */
  readonly assertTarget: (channel: string, target: string) => void
  readonly close: () => Promise<void>
}

interface House {
  readonly registry: Registry
  readonly store: StoreReader
  readonly work: OpenWork
  readonly services: Services
}

/** Opens the channels of a configuration; nothing dials before `start`. */
export function openChannels(
  setups: readonly ChannelSetup[],
  intake: Intake,
  house: House,
): Channels {
  const channels = new Map(setups.map((setup) => [setup.name, openChannel(setup, intake, house)]))

  const gate = new Gate()

  function find(name: string): Channel | null {
    return channels.get(name) ?? null
  }

  return {
    drivers: driversOf(find, gate, house),
    hold: async (cause, correlationId) => {
      gate.shut()
      for (const name of channels.keys()) {
        await tell(house, name, { event: { type: 'channel.disabled' }, cause, correlationId })
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
    evidence: () => evidenceOf(channels, house.services.clock.monotonic()),
    assertTarget: (name, target) => {
      const channel = find(name)
      if (channel === null) throw unknownChannel(name, [...channels.keys()])
      const why = channel.setup.refuseTarget(target)
      if (why !== null)
        throw new GatewayError('TARGET_INVALID', `params.target: ${why}`, { path: 'target' })
    },
    close: async () => {
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

function driversOf(find: Find, gate: Gate, house: House): ReadonlyMap<string, Driver> {
  const ready = ({ params }: Effect): Promise<void> | null => {
    const channel = find(String(params['channel']))
    return channel === null ? null : gate.passage(channel.link, house.services)
  }

  return new Map<string, Driver>([
    [
      'channel.open',
      {
        visible: false,
        run: ({ params }) => openLink(find, gate, house, params as unknown as ChannelOpenParams),
      },
    ],
    ['channel.close', { visible: false, run: ({ params }) => closeLink(find, params['channel']) }],
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
        ready,
        run: ({ params }) => deliver(find, house, params as unknown as MessageDeliverParams),
      },
    ],
  ])
}

async function startAll(
  setups: readonly ChannelSetup[],
  house: House,
  cause: string,
  correlationId: string,
): Promise<void> {
  const known = new Set(setups.map(({ name }) => name))
  for (const name of [...house.work.channels].filter((name) => !known.has(name))) {
    await tell(house, name, { event: { type: 'channel.disabled' }, cause, correlationId })
  }
  for (const { name, policy } of setups) {
    const event = { type: 'channel.enabled', channel: name, policy }
    await tell(house, name, { event, cause, correlationId })
  }
}

interface Channel {
  readonly setup: ChannelSetup
  readonly adapter: ChannelAdapter
  readonly codes: SenderCodes
  readonly state: () => ChannelState
  readonly link: Link
}

function openChannel(setup: ChannelSetup, intake: Intake, house: House): Channel {
  const { registry, services, work } = house
  const stream = streamId('channel', setup.name)
  const codes = new SenderCodes(services.chance)
  const arriving = new Set<string>() // Taken in, not yet folded: closes the gap to `work.inbound`.

  async function received(message: InboundMessage): Promise<void> {
    const key = inboundKey(message)
    hear(link, services.clock.monotonic())
    if (arriving.has(key) || work.inbound.get(setup.name)?.has(key)) return
    arriving.add(key)
    try {
      await take(message)
    } finally {
      arriving.delete(key)
    }
  }

  async function take(message: InboundMessage): Promise<void> {
    const { text, replyTarget, messageId, peer, senderId, roomId, mentioned } = message
    const ordered = intake.directive(text)
    const body = draftText(services.chance, ordered === null ? text : ordered.rest || text)
    const correlationId = services.chance.hex(limits.correlationIdBytes)
    const sessionKey = setup.sessionKey(message)
    const arriving = { sessionKey, channel: setup.name, at: services.clock.now() }
    const defaults = await intake.defaults(arriving)
    const event = {
      type: 'message.received',
      channel: setup.name,
      messageId,
      peer,
      senderId,
      roomId,
      mentioned,
      target: replyTarget,
      ref: body.ref,
      bytes: body.bytes.length,
      sessionKey,
      pending: work.sessions.get(sessionKey)?.pending ?? 0,
      runId: services.chance.id(),
      ...defaults,
      ...(ordered === null ? {} : { directive: ordered.directive, rest: ordered.rest !== '' }),
      ...codes.draw(registry.snapshot(stream).context as ChannelContext, {
        ...message,
        at: arriving.at,
      }),
    }
    const cause = `ext:${setup.name}:${messageId}`
    const record = await registry.offer(stream, { event, cause, correlationId, bodies: [body] })
    const { position } = record
    services.log.info('message received', { channel: setup.name, stream, position, correlationId })
  }

  const link = makeLink()
  return {
    setup,
    link,
    codes,
    adapter: setup.open({ received, ...signsOf(setup.name, link, house) }),
    state: () => readState(registry, stream, link, services),
  }
}

// What an adapter tells of its link.
function signsOf(name: string, link: Link, house: House): Pick<ChannelHost, 'heard' | 'dropped'> {
  const { clock } = house.services
  return {
    heard: () => {
      link.proves = true
      hear(link, clock.monotonic())
    },
    dropped: (reason) => {
      setLink(link, false)
      tellDropped(name, reason, house)
    },
  }
}

// A channel that is set aside takes part in nothing; the house stands without it.
function readState(
  registry: Registry,
  stream: StreamId,
  link: Link,
  { clock }: Services,
): ChannelState {
  try {
    const { value } = registry.snapshot(stream)
    if (value === 'online') return isSilent(link, clock.monotonic()) ? 'silent' : 'connected'
    return value === 'stopped' ? 'disconnected' : 'connecting'
  } catch {
    return 'disconnected'
  }
}

async function tell({ registry, services }: House, name: string, message: Message): Promise<void> {
  const stream = streamId('channel', name)
  try {
    await registry.deliver(stream, message)
  } catch (thrown) {
    const { code, message: error } = toGatewayError(thrown)
    services.log.error('channel not told', { stream, event: message.event.type, code, error })
  }
}

function tellDropped(name: string, reason: string, house: House): void {
  const { log, chance } = house.services
  const stream = streamId('channel', name)
  log.warn('channel link dropped', { channel: name, stream, reason })
  const event = {
    type: 'link.dropped',
    reason: cutText(reason),
    random: chance.fraction(),
  }
  const correlationId = chance.hex(limits.correlationIdBytes)
  void tell(house, name, { event, cause: `ext:${name}:link`, correlationId })
}

type Find = (name: string) => Channel | null

async function openLink(
  find: Find,
  { isShut }: Gate,
  { services: { clock } }: House,
  { channel: name }: ChannelOpenParams,
): Promise<Outcome> {
  if (isShut) return { type: 'effect.failed', class: 'held', retryable: true }
  const channel = find(name)
  if (channel === null) return { type: 'effect.failed', class: 'unconfigured', retryable: true }
  try {
    await channel.adapter.open(AbortSignal.timeout(limits.channelOpenMs))
    hear(channel.link, clock.monotonic())
    setLink(channel.link, true)
    return { type: 'effect.done' }
  } catch (error) {
    const reason = messageOf(error)
    return { type: 'effect.failed', class: cutText(reason), retryable: true }
  }
}

async function closeLink(find: Find, name: unknown): Promise<Outcome> {
  const channel = find(String(name))
  if (channel !== null) {
    setLink(channel.link, false)
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
  { store, services: { clock } }: House,
  { channel: name, target, ref, phrase, deliveryId }: MessageDeliverParams,
): Promise<Outcome> {
  const channel = find(name)
  if (channel === null) {
    return { type: 'effect.failed', class: 'unconfigured', retryable: true, sent: 'no' }
  }
  if (phrase === undefined && store.bodyState(ref) === 'erased') {
    return { type: 'effect.failed', class: 'erased', retryable: false, sent: 'no' }
  }
  try {
    const text = phrase === undefined ? readText(store, ref) : wordPhrase(phrase)
    const { messageId } = await channel.adapter.deliver({ target, text, deliveryId })
    hear(channel.link, clock.monotonic())
    return { type: 'effect.done', facts: { messageId } }
  } catch (error) {
    if (!(error instanceof DeliveryFault)) throw error
    const { sent, retryable, retryAfterMs, message } = error
    return { type: 'effect.failed', class: cutText(message), retryable, retryAfterMs, sent }
  }
}

function unknownChannel(name: string, known: readonly string[]): GatewayError {
  const list = known.length === 0 ? 'none is configured' : `configured: ${known.join(', ')}`
  return new GatewayError(
    'CHANNEL_UNKNOWN',
    `params.channel: no channel named ${JSON.stringify(name)}; ${list}`,
    {
      path: 'channel',
      channels: known,
    },
  )
}
