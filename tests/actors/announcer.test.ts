/** mDNS without a network: where nothing is announced, and what faults come to. Rule P31. */
import '../../actors/trap.ts'
import { EventEmitter } from 'node:events'
import type { MulticastDNS } from 'multicast-dns'
import * as assert from 'uvu/assert'
import { type Announced, Announcer, type OpenMdns } from '../../actors/announcer.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTestServices } from '../support/services.ts'
import { until } from '../support/wait.ts'

const test = cases('announcer')
const SERVICE = '_openclaw-gw._tcp.local'
const WANTED: Announced = {
  mode: 'minimal',
  address: '0.0.0.0',
  loopback: false,
  port: 18_789,
  tls: true,
}

type Sent = { readonly answers: readonly { type: string; ttl: number }[]; readonly to: unknown }

/** A responder that is told what to do with what is sent. */
function openStandIn(respond: () => void = () => {}): {
  readonly open: OpenMdns
  readonly sent: Sent[]
  readonly socket: EventEmitter
} {
  const sent: Sent[] = []
  const socket = new EventEmitter()
  const take = (said: unknown, ...rest: readonly unknown[]): void => {
    respond()
    const answers = (Array.isArray(said) ? said : (said as Sent).answers) as Sent['answers']
    sent.push({ answers, to: typeof rest[0] === 'function' ? null : rest[0] })
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined
    done?.()
  }
  const parts = Object.assign(socket, { respond: take, destroy: () => {} })
  return { open: () => Promise.resolve(parts as unknown as MulticastDNS), sent, socket }
}

const question = (name: string): object => ({
  id: 7,
  questions: [{ name, type: 'PTR' }],
  answers: [],
})
const near = { address: '127.0.0.1', port: 5_353 }

test('P31 on loopback nothing is announced, and the log says why', async () => {
  const house = await startTestGateway({ config: { discovery: { mdns: { mode: 'minimal' } } } })
  const said = await until(
    () => house.services.lines.find(({ phrase }) => phrase === 'not announced on the network'),
    'reason',
  )
  await house.stop()

  assert.match(String(said?.fields['reason']), /loopback/)
})

test('P31 off, nothing is opened and nothing said', async () => {
  const services = openTestServices()
  const announcer = new Announcer(services, () => Promise.reject(new Error('opened')))

  await announcer.start({ ...WANTED, mode: 'off' })
  await announcer.stop()

  assert.equal(services.lines, [])
})

test('P31 no fault of the network gets out: none at the opening, while it runs, nor at the end', async () => {
  const services = openTestServices()
  const faulty = openStandIn(() => {
    throw new Error('ENETUNREACH')
  })

  const closed = new Announcer(services, () => Promise.reject(new Error('EACCES')))
  await closed.start(WANTED)
  await closed.stop()
  const announcer = new Announcer(services, faulty.open)
  await announcer.start(WANTED)
  faulty.socket.emit('error', new Error('EADDRINUSE'))
  faulty.socket.emit('query', question(SERVICE), near)
  faulty.socket.emit('query', { id: 7 }, near)
  faulty.socket.emit('query', null, near)
  await services.clock.advance(1_000)
  await announcer.stop()

  const warned = services.lines.filter(({ level }) => level === 'warn')
  assert.equal(
    warned.map(({ fields }) => fields['reason']),
    ['EACCES', 'ENETUNREACH'],
  )
})

test('P31 questions from elsewhere and of others are not answered, and of ours so many a second', async () => {
  const services = openTestServices()
  const { open, sent, socket } = openStandIn()
  const announcer = new Announcer(services, open)
  await announcer.start(WANTED)
  const opening = sent.length

  socket.emit('query', question(SERVICE), { address: '203.0.113.9', port: 5_353 })
  socket.emit('query', question('_ipp._tcp.local'), near)
  const none = sent.length - opening
  await services.clock.advance(1_000)
  const before = sent.length
  for (let n = 0; n < 5 * limits.mdnsAnswersPerSecond; n += 1) {
    socket.emit('query', question(SERVICE.toUpperCase()), near)
  }
  const many = sent.length - before
  await announcer.stop()
  const told = sent.length
  socket.emit('query', question(SERVICE), near)

  assert.equal([opening, none, many], [1, 0, limits.mdnsAnswersPerSecond])
  assert.ok(
    sent.at(-1)?.answers.every(({ ttl }) => ttl === 0),
    'the goodbye is the last word',
  )
  assert.is(sent.length, told)
})

test.run()
