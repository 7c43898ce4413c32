/** IRC for the contract: a real server, and ann on a raw socket. */
import { openIrc } from '../../actors/channels/irc.ts'
import { configOf } from '../support/irc-adapter.ts'
import { connectIrcUser, type IrcUser, type Ngircd } from '../support/ngircd.ts'
import type { ChannelKind, ChannelWorld } from './stage.ts'

type Start = (options?: { port?: number; password?: string }) => Promise<Ngircd>

/** IRC on a server; `tells` it says of a password that it is wrong. */
export function ircKind(name: string, start: Start, tells: boolean): ChannelKind {
  return {
    name,
    start: () => startWorld(start, tells),
    badTargets: ['#home,ann', 'a b', '', 'ann\r\nQUIT :x'],
    absent: 'nobody',
    links: true,
    noticesDrops: true,
    redelivers: false, // Nothing in IRC brings a line again.
    longText: 'Der Reiher fängt Fische 🐟 '.repeat(25).trim(),
    join: (pieces) => pieces.join(' '),
  }
}

async function startWorld(start: Start, tells: boolean): Promise<ChannelWorld> {
  let server = await start()
  const { port } = server
  const users: IrcUser[] = []
  // She comes while the bot does: InspIRCd takes a second for each.
  const enter = async (): Promise<IrcUser> => {
    const user = await connectIrcUser(port, 'ann')
    users.push(user)
    return user
  }
  let ann = enter()
  const revoke = async (): Promise<void> => {
    await ann
    await server.stop()
    server = await start({ port, password: 'sesame' })
  }
  return {
    adapter: (host, services) => {
      const adapter = openIrc(configOf(port), host, services)
      return {
        ...adapter,
        open: async (signal, resume) => {
          await Promise.all([adapter.open(signal, resume), ann])
        },
      }
    },
    say: async (text) => {
      const user = await ann
      user.send(`PRIVMSG heron :${text}`)
      user.send(`PING :${text.length}`)
      await user.next(/ PONG /)
    },
    heard: () => users.flatMap((user) => user.heard().map((line) => line.replace(/^ann :?/, ''))),
    person: { target: 'ann', senderId: 'ann' },
    stop: async () => {
      await ann
      await server.stop()
    },
    start: async () => {
      server = await start({ port })
      ann = enter()
    },
    ...(tells ? { revoke } : {}),
    freeze: async () => {
      server.freeze()
      // What is written to a socket in one turn is out in the next ones.
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    },
    close: async () => {
      await ann
      for (const user of users) user.close()
      await server.stop()
    },
  }
}
