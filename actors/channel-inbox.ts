/**
 * What a channel takes in: messages, each once, and the cursor behind them. Step 4 of 8.
 *
 * A message and its cursor are one record, so that a platform which is asked for what comes behind
 * the cursor on disk gives us all that is not. A cursor past things of which nothing was taken is
 * kept by itself, at most every `limits.cursorMs`; losing it costs another look at them.
 */
import type { ChannelContext } from '../machines/channel.ts'
import { firstNameOf } from '../machines/rules/moves.ts'
import { inboundKey } from '../machines/projections/open-work.ts'
import { type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { InboundMessage } from '../protocol/message.ts'
import { draftText } from './bodies.ts'
import type { ChannelHouse, ChannelSetup, Intake } from './channel-setup.ts'
import type { Resume } from './channels/adapter.ts'
import type { SenderCodes } from './sender-codes.ts'
import type { Cancel } from './services.ts'

/** The inbox of one channel. */
export class ChannelInbox {
  #setup: ChannelSetup
  #codes: SenderCodes
  #intake: Intake
  #house: ChannelHouse
  #stream: StreamId
  // Taken in, not yet folded: closes the gap to `work.inbound`.
  #arriving = new Map<string, Promise<void>>()
  #passed: string | null = null // not yet on disk
  #cancel: Cancel | null = null

  constructor(setup: ChannelSetup, codes: SenderCodes, intake: Intake, house: ChannelHouse) {
    this.#setup = setup
    this.#codes = codes
    this.#intake = intake
    this.#house = house
    this.#stream = streamId('channel', setup.name)
  }

  /** Where the account is to be read on; null: from wherever the platform begins. */
  resume(): Resume | null {
    const { registry } = this.#house
    const { cursor } = registry.snapshot(this.#stream).context as ChannelContext
    if (cursor === undefined || cursor.account !== (this.#setup.account ?? '')) return null
    return { cursor: cursor.value, at: cursor.at }
  }

  /** Takes a message that was not taken before; resolves when it is on disk. */
  async received(message: InboundMessage, cursor?: string): Promise<void> {
    const key = inboundKey({ ...message, ...this.#accountOf(message) })
    // Whoever brings it again while it is on its way must not be told sooner that we have it.
    const arriving = this.#arriving.get(key)
    if (arriving !== undefined) return arriving
    if (this.#house.work.inbound.get(this.#setup.name)?.has(key) === true) {
      if (cursor !== undefined) this.passed(cursor)
      return
    }
    const taken = this.#take(message, cursor)
    this.#arriving.set(key, taken)
    try {
      await taken
    } finally {
      this.#arriving.delete(key)
    }
  }

  /** Keeps a cursor behind which nothing was taken: the first one at once, later ones soon. */
  passed(cursor: string): void {
    const isFirst = this.#cancel === null && this.resume() === null
    this.#passed = cursor
    // Until there is one, a crash would lose whatever the platform gives only to those who have it.
    if (isFirst) void this.#move()
    this.#cancel ??= this.#house.services.clock.after(limits.cursorMs, () => {
      this.#cancel = null
      void this.#move()
    })
  }

  /** Keeps no cursor any more. */
  close(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#passed = null
  }

  // The account that a message names is its own, whatever the configuration says.
  #accountOf({ account = this.#setup.account }: Pick<InboundMessage, 'account'>): {
    account?: string
  } {
    return account === undefined ? {} : { account }
  }

  async #move(): Promise<void> {
    const cursor = this.#passed
    if (cursor === null) return
    this.#passed = null
    const { registry, services } = this.#house
    const event = { type: 'cursor.moved', ...this.#accountOf({}), cursor }
    const correlationId = services.chance.hex(limits.correlationIdBytes)
    const cause = `ext:${this.#setup.name}:cursor`
    try {
      await registry.offer(this.#stream, { event, cause, correlationId })
    } catch (error) {
      services.log.warn('cursor not kept', { stream: this.#stream, error: String(error) })
    }
  }

  async #take(message: InboundMessage, cursor: string | undefined): Promise<void> {
    const { registry, services, work } = this.#house
    const { text, replyTarget, messageId, peer, senderId, roomId, spaceId, mentioned } = message
    const { name } = this.#setup
    const ordered = this.#intake.directive(text)
    const body = draftText(services.chance, ordered === null ? text : ordered.rest || text)
    const correlationId = services.chance.hex(limits.correlationIdBytes)
    const channel = registry.snapshot(this.#stream).context as ChannelContext
    const named = { ...message, roomId: firstNameOf(channel.moved, roomId) }
    const sessionKey = this.#setup.sessionKey(named)
    const arriving = { sessionKey, channel: name, at: services.clock.now() }
    const defaults = await this.#intake.defaults(arriving)
    const event = {
      type: 'message.received',
      channel: name,
      messageId,
      peer,
      senderId,
      roomId,
      ...(spaceId === undefined ? {} : { spaceId }),
      mentioned,
      target: replyTarget,
      ref: body.ref,
      bytes: body.bytes.length,
      sessionKey,
      pending: work.sessions.get(sessionKey)?.pending ?? 0,
      runId: services.chance.id(),
      ...defaults,
      ...(ordered === null ? {} : { directive: ordered.directive, rest: ordered.rest !== '' }),
      ...this.#codes.draw(channel, {
        ...message,
        at: arriving.at,
      }),
      ...this.#accountOf(message),
      ...(cursor === undefined ? {} : { cursor }),
    }
    // Its own cursor stands behind whatever was passed before it.
    if (cursor !== undefined) this.#passed = null
    const cause = `ext:${name}:${messageId}`
    const stream = this.#stream
    const record = await registry.offer(stream, { event, cause, correlationId, bodies: [body] })
    const { position } = record
    services.log.info('message received', { channel: name, stream, position, correlationId })
  }
}
