/**
 * What was said while no session listened, asked for by REST. Part of `discord.ts`.
 *
 * A session that Discord has given up brings nothing of the time since its end. So the conversations
 * that are known are asked one by one, from a while before the newest cursor on; what was taken
 * already has the same id and is not taken twice. All is handed over in the order of its ids, before
 * anything of the new session, and its cursor is kept behind it: whoever dies in between asks again.
 */
import { discordSnowflake, parseDiscordTarget } from '../../protocol/channels/discord.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import type { Services } from '../services.ts'
import { type DiscordApi, DiscordFault } from './discord-api.ts'
import type { Places } from './discord-places.ts'
import { pauseWithin } from './pieces.ts'

/** What is needed to ask. */
export interface MissedParts {
  readonly api: DiscordApi
  readonly places: Places
  readonly services: Services
  readonly signal: AbortSignal
}

/** What was found. */
export interface Missed {
  readonly messages: readonly unknown[] // as a dispatch brings them, the oldest first
  readonly isCut: boolean // there was more than may be asked for
}

/** Asks for all since a time (ms since epoch). Rejects with a DiscordFault: ask again later. */
export async function askMissed(
  parts: MissedParts,
  targets: readonly string[],
  since: number,
): Promise<Missed> {
  const oldest = parts.services.clock.now() - limits.discordMissedMsMax
  const from = Math.max(since - limits.discordMissedMarginMs, oldest)
  const all: unknown[] = []
  let isCut = since < oldest
  for (const target of targets) {
    const { messages, isCut: isMore } = await askOne(parts, target, {
      from: discordSnowflake(from),
      most: limits.discordMissedMax - all.length,
    })
    all.push(...messages)
    isCut ||= isMore
  }
  return { messages: all.toSorted(byId), isCut }
}

async function askOne(
  parts: MissedParts,
  target: string,
  { from, most }: { readonly from: string; readonly most: number },
): Promise<Missed> {
  const { api, signal } = parts
  const place = await patiently(parts, () => placeOf(parts, target))
  const messages: unknown[] = []
  if (place === null) return { messages, isCut: false }
  let after = from
  while (messages.length < most) {
    const asked = await patiently(parts, () => api.messages(place.channel, after, signal))
    const found = asked.toSorted(byId)
    messages.push(...found.map((each) => withGuild(each, place.guild)))
    if (found.length < limits.discordPageMax) return { messages, isCut: false }
    after = idOf(found.at(-1))
  }
  return { messages, isCut: true }
}

interface Place {
  readonly channel: string
  readonly guild: unknown // of which the channel is a part; undefined: of none
}

async function placeOf({ places, signal }: MissedParts, target: string): Promise<Place | null> {
  if (parseDiscordTarget(target)?.kind === 'user') {
    const channel = await places.channelOf(target, signal).catch(nobody)
    return channel === null ? null : { channel, guild: undefined }
  }
  const channel = await places.channelOf(target, signal)
  const known = await places.channel(channel, signal)
  return known === null ? null : { channel, guild: memberOf(known, 'guild_id') }
}

// Who is not there any more has said nothing.
function nobody(thrown: unknown): null {
  const { status } = thrown as DiscordFault
  if (status >= 400 && status < 500 && status !== 401 && status !== 429) return null
  throw thrown
}

// A dispatch says in which guild it was written; an answer does not.
function withGuild(message: unknown, guild: unknown): unknown {
  if (guild === undefined || typeof message !== 'object' || message === null) return message
  return { ...message, guild_id: guild }
}

function idOf(message: unknown): string {
  return String(memberOf(message, 'id'))
}

// Snowflakes are numbers of up to 20 digits: a longer one is a larger one.
function byId(one: unknown, other: unknown): number {
  const [a, b] = [idOf(one), idOf(other)]
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : Number(a > b)
}

/** Asks, and waits as often as Discord asks for patience. */
async function patiently<T>(
  { services, signal }: Pick<MissedParts, 'services' | 'signal'>,
  ask: () => Promise<T>,
  tries: number = limits.discordMissedTriesMax,
): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    const waitMs = thrown instanceof DiscordFault ? thrown.retryAfterMs : null
    if (waitMs === null || tries <= 1 || signal.aborted) throw thrown
    await pauseWithin(services.clock, waitMs, signal)
  }
  return patiently({ services, signal }, ask, tries - 1)
}
