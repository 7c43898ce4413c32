/**
 * One WebSocket to Discord's gateway: from its dial to its one end.
 *
 * @discordjs/ws 2.0.4 speaks the protocol: hello, heartbeat, identify, resume. It dials again by
 * itself whenever a connection ends; here it does not: each end is told, and whoever asked for the
 * link decides. It tells Discord as heard only what is on disk. Part of `discord.ts`.
 */
import type * as Ws from '@discordjs/ws'
import type { DiscordPlace } from '../../protocol/channels/discord.ts'
import { isLocal } from '../../protocol/config/http-root.ts'
import { limits } from '../../protocol/limits.ts'
import { LinkFault } from './adapter.ts'

/** What a link is made of. */
export interface DiscordLinkParts {
  readonly ws: typeof Ws
  readonly token: string
  readonly intents: Intents
  readonly gatewayUrl: string
  readonly place: DiscordPlace | null // to resume at; null: a session is begun
  readonly kept: () => number | null // the last dispatch that is on disk
  readonly heard: () => void
  readonly began: (session: Omit<DiscordPlace, 'seq'>) => void
  readonly dispatched: (dispatch: Dispatch) => void
  readonly ended: (end: DiscordEnd) => void // once, and never for close()
}

/** What we want to be told of, as its library speaks of it. */
export type Intents = Ws.IContextFetchingStrategy['options']['intents']

/** One event of Discord's. */
export interface Dispatch {
  readonly type: string
  readonly seq: number
  readonly data: unknown
}

/** How a link ended. */
export interface DiscordEnd {
  readonly reason: string
  readonly final: boolean
  readonly sessionOver: boolean // there is nothing to resume
}

/** A link that is up. */
export interface DiscordLink {
  /** Ends it without a word to the host; the session can be resumed for a while. */
  readonly close: () => void
}

// Closing with 1000 or 1001 ends the session; any other code leaves it.
const RESUMABLE = 4_200

const FINAL: ReadonlyMap<number, string> = new Map([
  [4_004, 'discord: 4004, the token is refused'],
  [4_010, 'discord: 4010, the shard is refused'],
  [4_011, 'discord: 4011, in too many guilds for one connection'],
  [4_012, 'discord: 4012, its gateway has another version'],
  [4_013, 'discord: 4013, the intents are refused'],
  [4_014, 'discord: 4014, switch on Message Content Intent in its portal'],
])
const SESSION_OVER: ReadonlySet<number> = new Set([4_007, 4_009])

/** Dials; resolves when a session has begun or was resumed. @throws {LinkFault} */
export function openDiscordLink(
  parts: DiscordLinkParts,
  signal: AbortSignal,
): Promise<DiscordLink> {
  return new Promise((resolve, reject) => {
    let state: 'dialling' | 'up' | 'over' = 'dialling'
    const finish = (): boolean => {
      signal.removeEventListener('abort', abort)
      const first = state !== 'over'
      state = 'over'
      return first
    }
    const shard = makeShard(parts, (end) => {
      const was = state
      if (!finish()) return
      if (was === 'dialling') reject(new DiscordRefusal(end))
      else parts.ended(end)
    })
    const close = (): void => {
      if (finish()) void shard.destroy({ code: RESUMABLE, reason: 'closed' }).catch(() => {})
    }
    const abort = (): void => {
      close()
      reject(new LinkFault('discord: it took too long', {}))
    }
    const up = (): void => {
      if (state !== 'dialling') return
      state = 'up'
      resolve({ close })
    }
    shard.on('ready', up)
    shard.on('resumed', up)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) return abort()
    // It never settles where it does not come up: its end is told above.
    shard.connect().catch(() => {})
  })
}

/** A link that did not come up. */
export class DiscordRefusal extends LinkFault {
  readonly sessionOver: boolean

  constructor({ reason, final, sessionOver }: DiscordEnd) {
    super(reason, { final })
    this.sessionOver = sessionOver
  }
}

function makeShard(parts: DiscordLinkParts, ended: (end: DiscordEnd) => void): Ws.WebSocketShard {
  const { ws, heard, dispatched } = parts
  // Whatever ends a connection comes through here, and would dial again where it may recover.
  class OneConnection extends ws.WebSocketShard {
    override async destroy({
      recover,
      ...how
    }: Ws.WebSocketShardDestroyOptions = {}): Promise<void> {
      ended(endOf(how.code ?? 0, how.reason ?? ''))
      const leaves = recover === ws.WebSocketShardDestroyRecovery.Resume ? RESUMABLE : 1_000
      await super.destroy({ ...how, code: how.code ?? leaves })
    }
  }
  const shard = new OneConnection(strategyOf(parts), 0)
  shard.on('heartbeat', heard)
  // It tells of refusals so, and closes behind it; without a listener it would throw.
  shard.on('error', () => {})
  shard.on('dispatch', ({ t, s, d }) => {
    heard()
    dispatched({ type: t, seq: s, data: d })
  })
  return shard
}

function strategyOf({
  ws,
  token,
  intents,
  gatewayUrl,
  place,
  kept,
  began,
}: DiscordLinkParts): Ws.IContextFetchingStrategy {
  const device = 'openclaw-gateway'
  let session: Ws.SessionInfo | null =
    place === null
      ? null
      : {
          sessionId: place.sessionId,
          sequence: place.seq,
          resumeURL: place.resumeUrl ?? gatewayUrl,
          shardId: 0,
          shardCount: 1,
        }
  return {
    options: {
      token,
      intents,
      gatewayInformation: {
        url: gatewayUrl,
        shards: 1,
        session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 },
      },
      shardCount: 1,
      version: '10',
      encoding: ws.Encoding.JSON,
      compression: null,
      useIdentifyCompression: false,
      identifyProperties: { browser: device, device, os: process.platform },
      initialPresence: null,
      largeThreshold: null,
      handshakeTimeout: limits.discordGraceMs,
      helloTimeout: limits.discordGraceMs,
      readyTimeout: limits.discordGraceMs,
    },
    retrieveSessionInfo: () =>
      session === null ? null : { ...session, sequence: kept() ?? session.sequence },
    updateSessionInfo: (_, next) => {
      // It says that nothing is left of a session whenever it does not dial again itself.
      if (next === null || next.sessionId === session?.sessionId) return
      session = next
      began({ sessionId: next.sessionId, resumeUrl: next.resumeURL })
    },
    waitForIdentify: async () => {},
  }
}

function endOf(code: number, said: string): DiscordEnd {
  const refused = FINAL.get(code)
  if (refused !== undefined) return { reason: refused, final: true, sessionOver: true }
  const sessionOver = SESSION_OVER.has(code) || said === 'Invalid session'
  if (sessionOver) return { reason: 'discord: the session is over', final: false, sessionOver }
  const reason = said === '' ? `discord: closed with ${code}` : `discord: ${said}`
  return { reason, final: false, sessionOver }
}

/** Tells whether an address may be sent the token: by TLS, or on this machine. */
export function isGatewayUrl(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol } = new URL(url)
  return protocol === 'wss:' || (protocol === 'ws:' && isLocal(url))
}
