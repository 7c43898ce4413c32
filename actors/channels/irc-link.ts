/**
 * One IRC connection: from dialling through registration and joins to its one end.
 *
 *   dialing ──001…376──► joining ──own JOIN of every room──► open ──► ended
 *      └────────────── refusal, timeout, abort, close ──────────────────┘
 *
 * Part of `irc.ts`, which alone imports it. ircv3 0.33.1 reads lines, tags and CTCP for us; its client
 * cannot dial as we need it to: `reconnect: false` throws in its constructor, its socket layer
 * cuts characters at chunk borders, keeps lines of any length and has timers of its own.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type * as Ircv3 from 'ircv3'
import {
  type CaseMapping,
  createLineReader,
  foldIrc,
  type IrcLinkFacts,
  parseCaseMapping,
  parseIrcMessage,
} from '../../protocol/channels/irc.ts'
import type { ResolvedIrc } from '../../protocol/config/defaults.ts'
import { type ErrorCode, GatewayError, messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Cancel, Services } from '../services.ts'

/** What a link tells while it lives; the calls are made in the order in which the server spoke. */
export interface IrcLinkHost {
  /** Bytes came: the server is there. */
  readonly heard: () => void
  readonly message: (message: InboundMessage) => void
  /** The server has sent us back what was written to this target (folded), with its id of it. */
  readonly echoed: (target: string, messageId: string | null) => void
  /** The server refused something that was written to this target (folded). */
  readonly refused: (target: string, reason: string) => void
  /** A link that was open has ended, and not by `close`. Called once. */
  readonly dropped: (reason: string) => void
}

const WANTED_CAPABILITIES: ReadonlySet<string> = new Set([
  'account-tag',
  'echo-message',
  'message-tags',
  'server-time',
])
const NICK_TAKEN: ReadonlySet<string> = new Set(['433', '436', '437'])
const NICK_ATTEMPTS_MAX = 3

/** One PING that waits for its PONG. */
interface Ping {
  readonly answered: () => void
  readonly failed: (reason: Error) => void
  readonly cancelTimer: Cancel
}

/** One connection; never used again after its end. */
export class IrcLink {
  readonly #irc: typeof Ircv3
  readonly #config: ResolvedIrc
  readonly #host: IrcLinkHost
  readonly #services: Services
  readonly #nonce: string
  readonly #reader = createLineReader()
  readonly #capabilities: string[] = []
  #echoes = false // the server sends us back what it relays
  readonly #unjoined = new Set<string>() // folded
  readonly #pings = new Map<string, Ping>() // by token
  #phase: 'dialing' | 'joining' | 'open' | 'ended' = 'dialing'
  #socket: Socket | null = null
  #nick: string
  #nickAttempts = 1
  #mapping: CaseMapping = 'rfc1459'
  #counter = 0
  #lastWords = '' // why the server or the socket says that it ends
  #settleOpen: ((fault: Error | null) => void) | null = null
  #told = false // open() has resolved
  #cancelKeepAlive: Cancel = () => {}

  constructor(irc: typeof Ircv3, config: ResolvedIrc, host: IrcLinkHost, services: Services) {
    this.#irc = irc
    this.#config = config
    this.#host = host
    this.#services = services
    this.#nick = config.nick
    this.#nonce = services.chance.hex(8)
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  /** Ours now; the server may have made us take another than the configured one. */
  get nick(): string {
    return this.#nick
  }

  /** Whether each line that was relayed comes back. */
  get echoes(): boolean {
    return this.#echoes
  }

  /** Why the link has ended; '' while it has not. */
  get lastWords(): string {
    return this.#lastWords
  }

  fold(name: string): string {
    return foldIrc(name, this.#mapping)
  }

  /**
   * Dials, registers and joins the rooms.
   * @throws {GatewayError} UNAUTHORIZED | TIMEOUT | UNAVAILABLE: the link has ended.
   */
  async open(signal: AbortSignal): Promise<void> {
    const abort = (): void => this.#fail('UNAVAILABLE', 'opening was aborted')
    const cancelTimer = this.#services.clock.after(limits.channelOpenMs, () =>
      this.#fail('TIMEOUT', `no link within ${limits.channelOpenMs} ms (${this.#phase})`),
    )
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settleOpen = (fault) => (fault === null ? resolve() : reject(fault))
        signal.addEventListener('abort', abort, { once: true })
        if (signal.aborted) abort()
        else this.#dial()
      })
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', abort)
    }
    // It may have ended between the last join and this line; then nobody has been told.
    if (this.#phase === 'ended') throw new GatewayError('UNAVAILABLE', `irc: ${this.#lastWords}`)
    this.#told = true
    this.#keepAlive()
  }

  /** Says goodbye and resolves when the socket is gone; `dropped` is not called for it. */
  async close(): Promise<void> {
    const socket = this.#socket
    if (this.#phase === 'joining' || this.#phase === 'open') this.write('QUIT :closing')
    this.#end('the link was closed', 'close')
    if (socket === null || socket.closed) return
    await new Promise<void>((resolve) => {
      const cancel = this.#services.clock.after(limits.shutdownMs, () => socket.destroy())
      socket.once('close', () => {
        cancel()
        resolve()
      })
    })
  }

  /** Stops or goes on reading the socket, also the answers to pings. */
  setReading(reading: boolean): void {
    if (reading) this.#socket?.resume()
    else this.#socket?.pause()
  }

  /** Writes one line; line ends within it are taken out, so that it stays one command. */
  write(line: string): void {
    this.#socket?.write(`${line.replaceAll(/[\r\n\0]/g, '')}\r\n`)
  }

  /**
   * Asks the server and resolves with its answer: then it has dealt with all that was written
   * before. No answer within `limits.ircPongMs` ends the link; rejects with why it ended.
   */
  ping(): Promise<void> {
    if (this.#phase !== 'open') return Promise.reject(new Error(`irc: ${this.#lastWords}`))
    this.#counter += 1
    const token = `${this.#nonce}.${this.#counter}`
    return new Promise((answered, failed) => {
      const cancelTimer = this.#services.clock.after(limits.ircPongMs, () =>
        this.#end(`no answer to a ping in ${limits.ircPongMs} ms`, 'drop'),
      )
      this.#pings.set(token, { answered, failed, cancelTimer })
      this.write(`PING :${token}`)
    })
  }

  #dial(): void {
    const { host, port, tls } = this.#config
    const socket = tls
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connectTcp({ host, port })
    this.#socket = socket
    socket.setNoDelay(true)
    socket.once(tls ? 'secureConnect' : 'connect', () => this.#register())
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('error', (error) => {
      this.#lastWords ||= error.message
    })
    socket.once('close', () => this.#end(this.#lastWords || 'the server closed the link', 'drop'))
  }

  #register(): void {
    const { password, username, realname } = this.#config
    this.write('CAP LS 302')
    if (password !== null) this.write(`PASS :${password}`)
    this.write(`NICK ${this.#nick}`)
    this.write(`USER ${username} 0 * :${realname}`)
  }

  #take(bytes: Uint8Array): void {
    this.#host.heard()
    try {
      for (const line of this.#reader.read(bytes)) {
        if (this.#phase !== 'ended') this.#line(line)
      }
    } catch (thrown) {
      this.#end(messageOf(thrown), 'drop')
    }
  }

  #line(line: string): void {
    const message = this.#parse(line)
    if (message === null) return
    const { command, prefix, tags, rawParamValues: params } = message
    const own = this.fold(prefix?.nick ?? '') === this.fold(this.#nick)
    if (/^[45]\d\d$/.test(command)) this.#refusal(command, params)
    else if (command === 'PING') this.write(`PONG :${params.at(-1) ?? ''}`)
    else if (command === 'PONG') this.#pong(params.at(-1) ?? '')
    else if (command === 'PRIVMSG') this.#privmsg(prefix?.nick ?? '', tags, params)
    else if (command === 'ERROR') this.#lastWords = params.at(-1) ?? ''
    else if (command === 'CAP') this.#capability(params)
    else if (command === '001') this.#nick = params[0] ?? this.#nick
    else if (command === '005') this.#features(params)
    else if (command === '376') this.#join()
    else if (command === 'JOIN' && own) this.#joined(params[0] ?? '')
    else if (command === 'NICK' && own) this.#nick = params[0] ?? this.#nick
    else if (command === 'KICK' && this.fold(params[1] ?? '') === this.fold(this.#nick)) {
      this.#services.log.warn('irc room left', { room: params[0], by: prefix?.nick })
    }
  }

  /** Parses a line without knowledge of commands, so that only one without any is no message. */
  #parse(line: string): Ircv3.Message | null {
    try {
      return this.#irc.parseMessage(line, undefined, new Map(), false, [], false)
    } catch {
      this.#services.log.debug('irc line without a command', { chars: line.length })
      return null
    }
  }

  #capability([, verb, ...rest]: string[]): void {
    if (verb === 'LS') {
      const names = (rest.at(-1) ?? '').split(' ').map((name) => name.split('=')[0] ?? '')
      this.#capabilities.push(...names.filter((name) => WANTED_CAPABILITIES.has(name)))
      if (rest[0] === '*' && rest.length > 1) return // More lines follow.
      const wanted = this.#capabilities.join(' ')
      this.write(wanted === '' ? 'CAP END' : `CAP REQ :${wanted}`)
    }
    if (verb === 'ACK') this.#echoes = this.#capabilities.includes('echo-message')
    if (verb === 'ACK' || verb === 'NAK') this.write('CAP END')
  }

  #features(params: readonly string[]): void {
    for (const feature of params) {
      if (feature.startsWith('CASEMAPPING=')) this.#mapping = parseCaseMapping(feature.slice(12))
    }
  }

  #join(): void {
    if (this.#phase !== 'dialing') return
    this.#phase = 'joining'
    for (const room of this.#config.rooms) {
      this.#unjoined.add(this.fold(room))
      this.write(`JOIN ${room}`)
    }
    this.#openWhenJoined()
  }

  #joined(room: string): void {
    this.#unjoined.delete(this.fold(room))
    this.#openWhenJoined()
  }

  #openWhenJoined(): void {
    if (this.#phase !== 'joining' || this.#unjoined.size > 0) return
    this.#phase = 'open'
    this.#settleOpen?.(null)
  }

  /** Takes a numeric refusal: of our nick, our password, a room to join or a message's target. */
  #refusal(code: string, params: readonly string[]): void {
    const reason = params.at(-1) ?? code
    const subject = params[1] ?? ''
    if (code === '422') this.#join() // No message of the day: the greeting ends all the same.
    else if (this.#phase === 'dialing' && NICK_TAKEN.has(code)) this.#nextNick(reason)
    else if (this.#phase === 'dialing' && code === '432') this.#nickRefused(reason)
    else if (code === '464') this.#fail('UNAUTHORIZED', reason)
    else if (code === '465') this.#fail('UNAVAILABLE', reason)
    else if (this.#unjoined.has(this.fold(subject))) {
      this.#fail('UNAVAILABLE', `room ${subject} cannot be joined: ${reason}`)
    } else this.#host.refused(this.fold(subject), reason)
  }

  #nextNick(reason: string): void {
    if (this.#nickAttempts >= NICK_ATTEMPTS_MAX) return this.#nickRefused(reason)
    this.#nickAttempts += 1
    this.#nick = `${this.#nick}_`
    this.write(`NICK ${this.#nick}`)
  }

  #nickRefused(reason: string): void {
    this.#fail('UNAVAILABLE', `nick ${quote(this.#nick)} was refused: ${reason}`)
  }

  #privmsg(nick: string, tags: ReadonlyMap<string, string>, params: readonly string[]): void {
    const [target = '', text = ''] = params
    const ctcp = this.#irc.decodeCtcp(text)
    if (ctcp !== false && ctcp.command !== 'ACTION') return
    if (this.fold(nick) === this.fold(this.#nick)) {
      return this.#host.echoed(this.fold(target), tags.get('msgid') ?? null)
    }
    this.#counter += 1
    const message = parseIrcMessage(
      { nick, target, text: ctcp === false ? text : ctcp.params, action: ctcp !== false, tags },
      this.#facts(),
    )
    if (message !== null) this.#host.message(message)
  }

  #facts(): IrcLinkFacts {
    return {
      nick: this.#nick,
      mapping: this.#mapping,
      arrivalId: `${this.#nonce}:${this.#counter}`,
      identity: this.#config.identity,
    }
  }

  #pong(token: string): void {
    const ping = this.#pings.get(token)
    this.#pings.delete(token)
    ping?.cancelTimer()
    ping?.answered()
  }

  #keepAlive(): void {
    if (this.#phase !== 'open') return
    this.#cancelKeepAlive = this.#services.clock.after(limits.ircPingMs, () => {
      this.ping().then(
        () => this.#keepAlive(),
        () => {}, // The link has ended, and that has been told.
      )
    })
  }

  #fail(code: ErrorCode, reason: string): void {
    if (this.#phase === 'ended') return
    this.#settleOpen?.(new GatewayError(code, `irc: ${reason}`))
    this.#end(reason, 'drop')
  }

  /** Ends the link once, whoever ends it; an open link's host is told unless we closed it. */
  #end(reason: string, how: 'drop' | 'close'): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#lastWords = reason
    this.#cancelKeepAlive()
    if (how === 'close' && !this.#socket?.connecting) this.#socket?.destroySoon()
    else this.#socket?.destroy()
    for (const ping of this.#pings.values()) {
      ping.cancelTimer()
      ping.failed(new Error(`irc: ${reason}`))
    }
    this.#pings.clear()
    const code = /password/i.test(reason) ? 'UNAUTHORIZED' : 'UNAVAILABLE'
    this.#settleOpen?.(new GatewayError(code, `irc: ${reason}`))
    if (this.#told && how === 'drop') this.#host.dropped(reason)
  }
}
