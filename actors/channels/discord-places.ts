/**
 * Where channels and people of Discord are: asked once, and remembered while a session lasts.
 *
 * A message says in which channel it stands and not whether that is a thread; a person is written to
 * in a channel whose name has to be asked for. Part of `discord.ts`.
 */
import { parseDiscordTarget } from '../../protocol/channels/discord.ts'
import { limits } from '../../protocol/limits.ts'
import type { DiscordApi } from './discord-api.ts'

/** The places that one session has asked for. */
export class Places {
  readonly #api: DiscordApi
  readonly #channels = new Map<string, unknown>()
  readonly #direct = new Map<string, string>()

  constructor(api: DiscordApi) {
    this.#api = api
  }

  /** What is known of a channel; null: nothing that we may see. Rejects with a DiscordFault. */
  async channel(id: string, signal: AbortSignal): Promise<unknown> {
    if (this.#channels.has(id)) return this.#channels.get(id)
    return keep(this.#channels, id, await this.#api.channel(id, signal))
  }

  /** The channel of a target that is one. Rejects with a DiscordFault. */
  async channelOf(target: string, signal: AbortSignal): Promise<string> {
    const parsed = parseDiscordTarget(target)
    if (parsed === null) return target
    const known = this.#direct.get(target)
    if (known !== undefined || parsed.kind === 'channel') return known ?? parsed.id
    return keep(this.#direct, target, await this.#api.channelOf(parsed, signal))
  }
}

// The oldest goes: it is asked for again.
function keep<Value>(places: Map<string, Value>, name: string, value: Value): Value {
  if (places.size >= limits.discordPlacesMax) {
    const [oldest] = places.keys()
    if (oldest !== undefined) places.delete(oldest)
  }
  places.set(name, value)
  return value
}
