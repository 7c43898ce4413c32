/**
 * Platforms with people, for the kill loop of a channel: they are killed and come back, and the
 * people go on writing. What each person has said and been told is kept, for the audit.
 */
import { DISCORD_TOKEN, FakeDiscord } from './discord-fake.ts'
import { connectIrcUser, type IrcUser, type Ngircd, startNgircd } from './ngircd.ts'
import { FakeTelegram, TELEGRAM_TOKEN } from './telegram-fake.ts'
import { until } from './wait.ts'
import { postMessage, WEBHOOK_SECRET, WebhookPeer } from './webhook-peer.ts'

/** One text of one person. */
export interface Line {
  readonly person: string
  readonly text: string
}

/** A platform with people. */
export interface Players {
  /** The channel's part of the configuration. */
  readonly config: object
  readonly people: readonly string[]
  /** Has somebody write; what the platform took is a part of `said`. */
  readonly say: (line: Line) => void
  /** What the platform took, in its order. */
  readonly said: () => readonly Line[]
  /** What people were told, each time they were. */
  readonly heard: () => readonly Line[]
  /** Whether the platform brings again what was not taken; else what was on its way may be lost. */
  readonly keeps: boolean
  /** How many of those the platform itself said that it could not give to us. Absent: none. */
  readonly refused?: () => number
  /** Where the gateway serves now; null: it does not. */
  readonly moved: (port: number | null) => void
  readonly kill: () => Promise<void>
  readonly comeBack: () => Promise<void>
  /** Resolves when all that was said has been given to the gateway, as far as it can be. */
  readonly settled: () => Promise<unknown>
  readonly close: () => Promise<void>
}

const SETTLE_MS = 120_000 // Each message is a commit of its own, and a loop leaves hundreds.

const STARTS = {
  discord: startDiscord,
  irc: startIrc,
  telegram: startTelegram,
  webhook: startWebhook,
} satisfies Readonly<Record<string, () => Promise<Players>>>

export type PlayersKind = keyof typeof STARTS

/** Tells whether a channel has players. */
export function isPlayersKind(name: string): name is PlayersKind {
  return Object.hasOwn(STARTS, name)
}

/** Starts the players of a channel. */
export function startPlayers(kind: PlayersKind): Promise<Players> {
  return STARTS[kind]()
}

async function startTelegram(): Promise<Players> {
  const server = await FakeTelegram.start()
  const said: Line[] = []
  return {
    config: {
      telegram: { botToken: TELEGRAM_TOKEN, apiRoot: server.url, dmPolicy: 'open' },
    },
    people: ['501', '502', '503'],
    say: ({ person, text }) => {
      server.say(text, { from: Number(person) })
      said.push({ person, text })
    },
    said: () => said,
    heard: () => server.sent.map(({ chat, text }) => ({ person: chat, text })),
    keeps: true,
    moved: () => {},
    kill: () => server.stop(),
    comeBack: () => server.listen(),
    settled: () => until(() => server.unconfirmed === 0, 'all updates are confirmed', SETTLE_MS),
    close: () => server.stop(),
  }
}

// Who has no session yet is given nothing: so nobody writes before the bot has one, on disk. When all
// were heard once, Discord gives its sessions up in every other death, and people go on writing.
async function startDiscord(): Promise<Players> {
  const server = await FakeDiscord.start()
  server.heartbeatMs = 100
  const said: Line[] = []
  const people = ['501', '502', '503']
  let deaths = 0
  return {
    config: {
      discord: { token: DISCORD_TOKEN, apiRoot: server.url, dmPolicy: 'open' },
    },
    people,
    say: ({ person, text }) => {
      if (!server.isResumable && !server.heard.has(person)) return
      server.say(text, { from: person })
      said.push({ person, text })
    },
    said: () => said,
    heard: () =>
      server.posted.map(({ channel, content }) => ({ person: channel.slice(1), text: content })),
    keeps: true,
    moved: () => {},
    kill: async () => {
      deaths += 1
      if (deaths % 2 === 0 && server.heard.size === people.length) server.forget()
      await server.stop()
    },
    comeBack: () => server.listen(),
    settled: () => settleDiscord(server, said),
    close: () => server.stop(),
  }
}

// A session's beginning is told as heard before what was missed is asked for: only what is said in it
// shows that all before it is on disk. A busy machine misses heartbeats, and begins another one.
function settleDiscord(server: FakeDiscord, said: Line[]): Promise<unknown> {
  const [person = ''] = server.heard
  let number = 1_000_000
  const isSettled = (): boolean => {
    if (person !== '' && server.isAttended && server.isFresh) {
      const text = `line ${number}`
      number += 1
      server.say(text, { from: person })
      said.push({ person, text })
    }
    return server.isCaughtUp && (person === '' || !server.isFresh)
  }
  return until(isSettled, 'all events are on disk', SETTLE_MS)
}

async function startWebhook(): Promise<Players> {
  const peer = await WebhookPeer.start()
  const said: Line[] = []
  const waiting: (Line & { id: string })[] = []
  let at: string | null = null
  let posting: Promise<void> | null = null
  let over = false
  // One at a time, again until it is taken: so its order is that of the program.
  const post = async (): Promise<void> => {
    for (;;) {
      const [next] = waiting
      if (next === undefined || over) break
      const { id, person, text } = next
      const url = at
      const status = url === null ? 0 : await postMessage(url, { id, from: person, text })
      if (status === 200) waiting.shift()
      else await new Promise((resolve) => setTimeout(resolve, 10))
    }
    posting = null
  }
  return {
    config: {
      webhook: { secret: WEBHOOK_SECRET, url: peer.url, allowPrivate: true, dmPolicy: 'open' },
    },
    people: ['ann', 'ben', 'cem'],
    say: (line) => {
      said.push(line)
      waiting.push({ ...line, id: `m${said.length}` })
      posting ??= post()
    },
    said: () => said,
    heard: () =>
      peer.posted.map(({ body }) => {
        const { to, text } = JSON.parse(body) as { to: string; text: string }
        return { person: to, text }
      }),
    keeps: true,
    moved: (port) => {
      at = port === null ? null : `http://127.0.0.1:${port}/hooks/message`
    },
    kill: () => peer.stop(),
    comeBack: () => peer.listen(),
    settled: () => until(() => waiting.length === 0, 'all messages are posted', SETTLE_MS),
    close: async () => {
      over = true
      await peer.stop()
    },
  }
}

async function startIrc(): Promise<Players> {
  let server: Ngircd = await startNgircd()
  let isUp = true
  const { port } = server
  const people = ['ann', 'ben', 'cem']
  const said: Line[] = []
  const all: { person: string; user: IrcUser }[] = []
  let users = new Map<string, IrcUser>()
  const enter = async (): Promise<void> => {
    const entered = await Promise.all(
      people.map(async (person) => [person, await connectIrcUser(port, person)] as const),
    )
    users = new Map(entered)
    for (const [person, user] of entered) all.push({ person, user })
  }
  await enter()
  return {
    config: {
      irc: { host: '127.0.0.1', port, tls: false, nick: 'heron', dmPolicy: 'open' },
    },
    people,
    say: ({ person, text }) => {
      const user = users.get(person)
      if (user === undefined) return
      user.send(`PRIVMSG heron :${text}`)
      said.push({ person, text })
    },
    said: () => said,
    heard: () =>
      all.flatMap(({ person, user }) =>
        user.heard().map((line) => ({ person, text: line.slice(person.length + 1) })),
      ),
    keeps: false,
    refused: () =>
      all.flatMap(({ user }) => user.rest().filter((line) => / 401 /.test(line))).length,
    moved: () => {},
    kill: async () => {
      users = new Map()
      await server.stop()
      isUp = false
    },
    comeBack: async () => {
      if (isUp) return
      server = await startNgircd({ port })
      isUp = true
      await enter()
    },
    settled: async () => {},
    close: async () => {
      for (const { user } of all) user.close()
      await server.stop()
    },
  }
}
