/**
 * The IRC adapter: one account on one network.
 *
 * Promises: `open` resolves when every room is joined; `deliver` when the server has answered a
 * PING sent behind the last line, so that "sent" has evidence; inbound messages are handed over
 * one by one, in order. Lines are paced, because servers throw out whoever floods. ircv3 is
 * imported when a link is opened. Steps 1 and 7 of 8.
 */
import { ircTextBytesMax, isIrcTarget, splitIrcText } from '../../protocol/channels/irc.ts'
import type { ResolvedIrc } from '../../protocol/config/defaults.ts'
import { messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Services } from '../services.ts'
import { type ChannelHost, DeliveryFault, type OpenAdapter, Unreached } from './adapter.ts'
import { IrcLink, type IrcLinkHost } from './irc-link.ts'

/**
 * Makes the IRC adapter. Its `open` rejects with a GatewayError: UNAUTHORIZED for a refused
 * password, TIMEOUT after `limits.channelOpenMs`, else UNAVAILABLE, and leaves nothing open.
 */
export const openIrc: OpenAdapter<ResolvedIrc> = (config, host, services) => {
  let session: IrcSession | null = null
  const close = async (): Promise<void> => {
    const ended = session
    session = null
    await ended?.link.close()
  }
  return {
    open: async (signal) => {
      await close()
      const irc = await import('ircv3')
      const next = createSession(
        host,
        services,
        (events) => new IrcLink(irc, config, events, services),
      )
      session = next
      await next.link.open(signal)
    },
    deliver: async ({ target, text }) => {
      if (!isIrcTarget(target)) {
        throw new DeliveryFault(`irc: ${quote(target)} is no nick and no room`, 'no', false)
      }
      if (session === null) throw new Unreached('irc: not connected')
      return { messageId: await deliver(session, target, text) }
    },
    close,
  }
}

/** A message on its way out: what was written of it, and how often the server refused its target. */
interface Delivery {
  readonly target: string // folded
  written: number // lines
  refused: number // lines
  echoed: number // lines
  messageId: string | null // of the first line that came back
  reason: string
}

/** What lives as long as one link. */
interface IrcSession {
  readonly link: IrcLink
  readonly services: Services
  readonly deliveries: Set<Delivery> // in the order of writing
  writing: Promise<void> // ends with the last line of the message before
  nextLineAt: number // monotonic ms: when a line would go out at the steady pace
}

function createSession(
  host: ChannelHost,
  services: Services,
  createLink: (events: IrcLinkHost) => IrcLink,
): IrcSession {
  const deliveries = new Set<Delivery>()
  const link = createLink({
    message: (message) => receive(message),
    refused: (target, reason) => noteRefusal(deliveries, target, reason),
    echoed: (target, messageId) => noteEcho(deliveries, target, messageId),
    heard: () => host.heard(),
    dropped: (reason) => host.dropped(reason),
  })
  const receive = createInbox(host, services, (reading) => link.setReading(reading))
  return { link, services, deliveries, writing: Promise.resolve(), nextLineAt: 0 }
}

/** Hands messages over one by one; stops the reading while too many wait for the disk. */
function createInbox(
  host: ChannelHost,
  services: Services,
  setReading: (reading: boolean) => void,
): (message: InboundMessage) => void {
  let waiting = 0
  let last: Promise<void> = Promise.resolve()
  return (message) => {
    waiting += 1
    if (waiting === limits.ircInboundMax) setReading(false)
    last = last
      .then(() => host.received(message))
      .catch((fault: unknown) => {
        const { messageId } = message
        services.log.error('irc message not taken', { messageId, fault: String(fault) })
        host.lost(1, messageOf(fault))
      })
      .finally(() => {
        waiting -= 1
        if (waiting === limits.ircInboundMax / 2) setReading(true)
      })
  }
}

/** Writes one message line by line and waits until the server has dealt with it. */
async function deliver(session: IrcSession, target: string, text: string): Promise<string | null> {
  const { link, deliveries } = session
  const lines = splitIrcText(text, ircTextBytesMax(link.nick, target))
  if (lines.length === 0) throw new DeliveryFault('irc: the message has no text', 'no', false)
  const delivery: Delivery = { target: link.fold(target), ...NOTHING_YET }
  deliveries.add(delivery)
  // One message after the other, so that the lines of two never mix.
  const written = session.writing.then(() => writeLines(session, delivery, target, lines))
  session.writing = written.catch(() => {})
  try {
    await written
    await link.ping()
  } catch (thrown) {
    const reason = messageOf(thrown)
    if (delivery.written === 0) throw new Unreached(reason)
    throw new DeliveryFault(reason, 'maybe', false)
  } finally {
    deliveries.delete(delivery)
  }
  // A server that sends back what it relays, and did not, has swallowed it without a word.
  const swallowed = link.echoes && delivery.echoed < delivery.written
  if (delivery.refused === 0 && swallowed) {
    throw new DeliveryFault(`irc: ${target}: no echo of what was written`, 'maybe', false)
  }
  if (delivery.refused === 0) return delivery.messageId
  const all = delivery.refused >= delivery.written
  throw new DeliveryFault(`irc: ${target}: ${delivery.reason}`, all ? 'no' : 'maybe', false)
}

async function writeLines(
  session: IrcSession,
  delivery: Delivery,
  target: string,
  lines: readonly string[],
): Promise<void> {
  for (const line of lines) {
    await pace(session)
    if (!session.link.isOpen) throw new Error(`irc: not connected: ${session.link.lastWords}`)
    if (delivery.refused > 0) return
    session.link.write(`PRIVMSG ${target} :${line}`)
    delivery.written += 1
  }
}

/** Waits until another line may go out: a burst at once, then one for each interval. */
async function pace(session: IrcSession): Promise<void> {
  const { clock } = session.services
  const now = clock.monotonic()
  const burstMs = (limits.ircBurstLines - 1) * limits.ircLineIntervalMs
  session.nextLineAt = Math.max(session.nextLineAt, now)
  const waitMs = session.nextLineAt - burstMs - now
  session.nextLineAt += limits.ircLineIntervalMs
  if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve))
}

const NOTHING_YET = { written: 0, refused: 0, echoed: 0, messageId: null, reason: '' }

/** Echoes come in the order of writing, too. */
function noteEcho(
  deliveries: ReadonlySet<Delivery>,
  target: string,
  messageId: string | null,
): void {
  for (const delivery of deliveries) {
    const { written, refused, echoed } = delivery
    if (delivery.target !== target || refused + echoed >= written) continue
    delivery.echoed += 1
    delivery.messageId ??= messageId
    return
  }
}

/** The server works in order, so a refusal belongs to the oldest message to that target. */
function noteRefusal(deliveries: ReadonlySet<Delivery>, target: string, reason: string): void {
  for (const delivery of deliveries) {
    if (delivery.target !== target || delivery.refused >= delivery.written) continue
    delivery.refused += 1
    delivery.reason = reason
    return
  }
}
