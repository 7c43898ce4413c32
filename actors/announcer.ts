/**
 * mDNS: how clients on the same network find the gateway, where its owner wants that. Off by default.
 *
 *   _openclaw-gw._tcp.local  PTR ─► openclaw-<8 hex>._openclaw-gw._tcp.local
 *                                     SRV ─► openclaw-<8 hex>.local:port     A, AAAA ─► where it listens
 *                                     TXT    role, transport, gatewayPort, gatewayTls, protocols
 *
 * The name is drawn anew at each start, so it needs no probing (RFC 6762, 8.1) and is nobody's; host
 * name, user, paths and versions of programs are not told. Only questions from a network of our own
 * are answered, and so many a second. Nothing that comes from the network or fails there reaches the
 * gateway: it serves without being announced.
 */
import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { MulticastDNS, Options, QueryPacket, ResponseOutgoingPacket } from 'multicast-dns'
import { PROTOCOL_MAX, PROTOCOL_MIN } from '../protocol/dialect/upstream/connect.ts'
import { messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Cancel, Services } from './services.ts'

const SERVICE = '_openclaw-gw._tcp.local'
const SERVICES = '_services._dns-sd._udp.local' // RFC 6763, 9: asked by whoever browses everything.
const MDNS_PORT = 5_353

type Answer = ResponseOutgoingPacket['answers'][number]

/** What is announced, and where. */
export interface Announced {
  readonly mode: 'off' | 'minimal'
  readonly address: string // that the gateway listens on
  readonly loopback: boolean // only this machine can reach it
  readonly port: number
  readonly tls: boolean
}

/** Opens the responder; tests hand in another one. */
export type OpenMdns = (options: Options) => Promise<MulticastDNS>

const openMulticast: OpenMdns = async (options) => (await import('multicast-dns')).default(options)

/** Announces from `start` to `stop`. */
export class Announcer {
  readonly #services: Services
  readonly #open: OpenMdns
  #mdns: MulticastDNS | null = null
  #answers: readonly Answer[] = []
  #names: { readonly instance: string; readonly host: string } = { instance: '', host: '' }
  #stopped = false
  #repeat: Cancel = () => {}
  #second = { began: 0, answers: 0 }
  #faults = 0

  constructor(services: Services, open: OpenMdns = openMulticast) {
    this.#services = services
    this.#open = open
  }

  /** Begins, if it is wanted and somebody could come. Never rejects: failures are lines in the log. */
  async start(announced: Announced): Promise<void> {
    const { mode, address, loopback, port } = announced
    const { log, chance, clock } = this.#services
    if (mode === 'off') return
    if (loopback) {
      log.info('not announced on the network', { reason: 'the gateway listens on loopback only' })
      return
    }
    const name = `openclaw-${chance.hex(4)}`
    this.#names = { instance: `${name}.${SERVICE}`, host: `${name}.local` }
    this.#answers = answersOf(announced, this.#names)
    try {
      const mdns = await this.#open(optionsFor(address))
      mdns.on('error', (error: unknown) => this.#failed(error))
      mdns.on('warning', (error: unknown) => this.#failed(error))
      if (this.#stopped) return mdns.destroy()
      this.#mdns = mdns
      mdns.on('query', (query: QueryPacket, from: { port: number; address: string }) => {
        this.#guard(() => this.#asked(query, from))
      })
      this.#send(this.#answers)
      // RFC 6762, 8.3: twice, a second apart.
      this.#repeat = clock.after(1_000, () => this.#send(this.#answers))
      log.info('announced on the network', { service: SERVICE, name, port })
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Takes it back: whoever remembers us forgets. Resolves when it is said, or could not be. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#repeat()
    const mdns = this.#mdns
    this.#mdns = null
    if (mdns === null) return Promise.resolve()
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#guard(() => mdns.destroy())
        resolve()
      }
      // RFC 6762, 10.1: a goodbye is the same with a time to live of zero.
      const goodbye = this.#answers.map((answer) => ({ ...answer, ttl: 0 }) as Answer)
      this.#guard(() => mdns.respond(goodbye, leave), leave)
    })
  }

  #asked(query: QueryPacket, from: { port: number; address: string }): void {
    const { id, questions = [], answers = [] } = query
    if (!isNear(from.address)) return
    const known = answers.some(({ name, type }) => name === SERVICE && type === 'PTR')
    const asked = questions.filter(({ name, type }) => this.#isOurs(name, type, known))
    if (asked.length === 0 || !this.#isWelcome()) return
    const browsing = asked.some(({ name }) => name.toLowerCase() === SERVICES)
    const browsed: Answer = { name: SERVICES, type: 'PTR', ttl: limits.mdnsTtlS, data: SERVICE }
    const all = [...(browsing ? [browsed] : []), ...this.#answers]
    if (from.port === MDNS_PORT) return this.#send(all)
    // RFC 6762, 6.7: who asks from another port is a plain resolver, and wants its question back.
    this.#mdns?.respond({ id, questions: asked, answers: all }, from, (error) => {
      if (error) this.#failed(error)
    })
  }

  #isOurs(asked: string, type: string, known: boolean): boolean {
    const name = asked.toLowerCase()
    if (name === SERVICES) return type === 'PTR' || type === 'ANY'
    if (name === SERVICE) return (type === 'PTR' || type === 'ANY') && !known
    return name === this.#names.instance || name === this.#names.host
  }

  // Answers are larger than questions, and everybody on the network hears them.
  #isWelcome(): boolean {
    const now = this.#services.clock.monotonic()
    if (now - this.#second.began >= 1_000) this.#second = { began: now, answers: 0 }
    this.#second.answers += 1
    return this.#second.answers <= limits.mdnsAnswersPerSecond
  }

  #send(answers: readonly Answer[]): void {
    this.#guard(() =>
      this.#mdns?.respond([...answers], (error) => {
        if (error) this.#failed(error)
      }),
    )
  }

  #guard(run: () => void, otherwise: () => void = () => {}): void {
    try {
      run()
    } catch (error) {
      this.#failed(error)
      otherwise()
    }
  }

  // Said once: a network that is away fails each time.
  #failed(error: unknown): void {
    this.#faults += 1
    if (this.#faults > 1) return
    this.#services.log.warn('mDNS does not work as it should', { reason: messageOf(error) })
  }
}

function optionsFor(address: string): Options {
  const isOne = address !== '0.0.0.0' && !isIPv6(address)
  // Questions come to the group's address, which a socket bound to one address does not hear.
  return { bind: '0.0.0.0', ...(isOne ? { interface: address } : {}) }
}

function answersOf(
  { address, port, tls }: Announced,
  { instance, host }: { readonly instance: string; readonly host: string },
): Answer[] {
  const ttl = limits.mdnsTtlS
  const told = [
    'role=gateway',
    'transport=gateway',
    `gatewayPort=${port}`,
    `gatewayTls=${tls ? 1 : 0}`,
    `minProtocol=${PROTOCOL_MIN}`,
    `maxProtocol=${PROTOCOL_MAX}`,
  ]
  return [
    { name: SERVICE, type: 'PTR', ttl, data: instance },
    { name: instance, type: 'SRV', ttl, data: { port, target: host, priority: 0, weight: 0 } },
    { name: instance, type: 'TXT', ttl, data: told },
    ...addressesFor(address).map((data): Answer => {
      return { name: host, type: isIPv6(data) ? 'AAAA' : 'A', ttl, data }
    }),
  ]
}

// Where it listens everywhere, every address that others have of us.
function addressesFor(address: string): string[] {
  if (address !== '0.0.0.0' && address !== '::') return [address]
  return ourNetworks()
    .filter(({ internal }) => !internal)
    .map((each) => each.address)
    .filter((each) => !isIPv6(each) || (address === '::' && !each.startsWith('fe80:')))
}

function ourNetworks(): { address: string; internal: boolean; cidr: string | null }[] {
  return Object.values(networkInterfaces()).flatMap((each) => each ?? [])
}

// RFC 6762, 11: a question from elsewhere is an attack on whoever would get the answer.
function isNear(address: string): boolean {
  const near = new BlockList()
  for (const { cidr } of ourNetworks()) {
    const [network = '', bits = ''] = cidr?.split('/') ?? []
    if (network !== '' && !isIPv6(network)) near.addSubnet(network, Number(bits))
  }
  return near.check(address)
}
