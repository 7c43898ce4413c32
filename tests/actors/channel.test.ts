/** Channels as they run: links, deliveries, states. With an adapter of the test's own. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { draftText } from '../../actors/bodies.ts'
import { type Channels, openChannels } from '../../actors/channel.ts'
import type { ChannelSetup } from '../../actors/channel-setup.ts'
import { type ChannelHost, LinkFault, type Resume } from '../../actors/channels/adapter.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import type { Driver } from '../../actors/outbox.ts'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import { limits } from '../../protocol/limits.ts'
import type { InboundMessage } from '../../protocol/message.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { settle } from '../support/clock.ts'
import { requested } from '../support/facts.ts'
import { readRecords } from '../support/kernel.ts'
import { openTestServices, type TestServices } from '../support/services.ts'

const channel = suite('channel')

interface House {
  readonly kernel: Kernel
  readonly channels: Channels
  readonly services: TestServices
  readonly delivered: string[]
  readonly heard: () => void // a sign of life of the other side
  /** The platform brings a message. */
  readonly hear: (changes: Partial<InboundMessage>, cursor?: string) => Promise<unknown>
  readonly hosts: readonly ChannelHost[]
  /** Where the adapter was told to go on, at each opening. */
  readonly resumed: (Resume | null)[]
}

const open: ChannelPolicy = {
  dmPolicy: 'open',
  allowFrom: [],
  groupPolicy: 'disabled',
  rooms: {},
}

/** A kernel with one channel whose link opens when `opened` resolves. */
function openHouse(
  store: Store,
  opened: Promise<void>,
  policy = open,
  account: Pick<ChannelSetup, 'account'> = {},
): House {
  const services = openTestServices()
  const delivered: string[] = []
  const hosts: ChannelHost[] = []
  const resumed: (Resume | null)[] = []
  const setup: ChannelSetup = {
    name: 'irc',
    policy,
    ...account,
    refuseTarget: () => null,
    sessionKey: () => 'agent:main:main',
    open: (host) => {
      hosts.push(host)
      return {
        open: (_, resume) => {
          resumed.push(resume)
          return opened
        },
        deliver: ({ text }) => {
          delivered.push(text)
          return Promise.resolve({ messageId: null })
        },
        close: () => Promise.resolve(),
      }
    },
  }
  const drivers = new Map<string, Driver>()
  const kernel = openKernel(store, drivers, services, 'test')
  const { registry, work } = kernel
  const defaults = () => ({ model: 'echo', thinking: 'off', messagesMax: 10 })
  const channels = openChannels([setup], defaults, { registry, store, work, services })
  for (const [name, driver] of channels.drivers) drivers.set(name, driver)
  const hear: House['hear'] = (changes, cursor) =>
    Promise.all(hosts.map((host) => host.received({ ...HELLO, ...changes }, cursor)))
  const heard = () => {
    for (const host of hosts) host.heard()
  }
  return { kernel, channels, services, delivered, heard, hear, hosts, resumed }
}

const HELLO: InboundMessage = {
  messageId: 'm1',
  peer: 'direct',
  senderId: 'ann',
  senderName: 'Ann',
  roomId: 'ann',
  replyTarget: 'Ann',
  mentioned: true,
  text: 'hello',
  sentAt: null,
}

/** The messages that were taken in, and whether each went on to its session. */
const taken = (store: Store): unknown[] =>
  readRecords(store)
    .filter(({ event }) => event.type === 'message.received')
    .map(({ event, sends }) => [event['roomId'], event['messageId'], sends.length === 1])

async function boot({ kernel, channels }: House, epoch: number): Promise<void> {
  await kernel.recover(`boot:${epoch}`)
  await channels.start(`boot:${epoch}`, '00')
  await settle()
}

/** A life whose channel was online, and that ended before it started a delivery. */
async function leaveDelivery(store: Store): Promise<void> {
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)
  house.kernel.outbox.stop()
  const body = draftText(house.services.chance, 'hello')
  await house.kernel.registry.deliver('delivery:d1', {
    event: requested('d1', { ref: body.ref, fileIn: null }),
    cause: 'ext:test',
    correlationId: '00',
    bodies: [body],
  })
  assert.is(house.kernel.registry.snapshot('channel:irc').value, 'online')
}

const started = (store: Store): number =>
  readRecords(store).filter(({ kind }) => kind === 'started').length

channel('K6 a delivery is neither tried nor marked before this process has a link', async () => {
  const store = openMemory()
  await leaveDelivery(store)
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const house = openHouse(store, opened)

  await boot(house, 2)
  assert.equal([house.delivered, started(store)], [[], 0])
  open()
  await settle()

  assert.equal([house.delivered, started(store)], [['hello'], 1])
  assert.is(house.kernel.registry.snapshot('delivery:d1').value, 'sent')
})

channel('K6 a delivery does not wait for ever for a link that does not come', async () => {
  const store = openMemory()
  await leaveDelivery(store)
  const house = openHouse(store, new Promise(() => {}))
  await boot(house, 2)

  await house.services.clock.advance(limits.channelOpenMs - 1)
  assert.is(started(store), 0)
  await house.services.clock.advance(1)

  assert.is(started(store), 1)
})

channel('SE6 connected needs recent evidence, where the other side can be heard', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  const { channels, services } = house
  await boot(house, 1)
  const quiet = limits.channelSilentMs + 1_000

  await services.clock.advance(quiet)
  assert.equal(channels.states(), { irc: 'connected' }, 'an adapter that never tells is believed')
  house.heard()
  await services.clock.advance(60_000)
  assert.equal([channels.states(), channels.evidence()], [{ irc: 'connected' }, { irc: 60 }])
  await services.clock.advance(quiet - 60_000)
  assert.equal([channels.states(), channels.evidence()], [{ irc: 'silent' }, { irc: 181 }])
  house.heard()
  assert.equal(channels.states(), { irc: 'connected' })
})

channel('CB6 held channels dial nobody, and deliveries wait without an attempt', async () => {
  const store = openMemory()
  await leaveDelivery(store)
  const house = openHouse(store, Promise.resolve())
  await house.channels.hold('boot:2', '00')
  await house.kernel.recover('boot:2')
  await house.services.clock.advance(limits.holdMs - 1)
  const during = [house.channels.states(), started(store)]

  await house.channels.start('1.e0', '00')
  await settle()

  assert.equal(during, [{ irc: 'held' }, 0])
  assert.equal([house.channels.states(), house.delivered], [{ irc: 'connected' }, ['hello']])
})

channel('S13 a message that was erased before it left is not sent, now or later', async () => {
  const store = openMemory()
  await leaveDelivery(store)
  const ref = readRecords(store).find(({ stream }) => stream === 'delivery:d1')!.event['ref']
  await store.erase([String(ref)])
  const house = openHouse(store, Promise.resolve())
  await boot(house, 2)

  assert.equal(house.delivered, [])
  assert.is(house.kernel.registry.snapshot('delivery:d1').value, 'failed')
  const failed = readRecords(store).findLast(({ event }) => event.type === 'effect.failed')
  assert.is(failed!.event['class'], 'erased')
})

channel('P22 F39 a message comes once, also behind a restart; ids are a room’s own', async () => {
  const store = openMemory()
  const first = openHouse(store, Promise.resolve())
  await boot(first, 1)
  await Promise.all([first.hear({}), first.hear({})])
  await first.hear({})
  await first.hear({ senderId: 'ben', roomId: 'ben' })
  await first.kernel.stop()
  const second = openHouse(store, Promise.resolve())
  await boot(second, 2)
  await second.hear({})
  await second.hear({ messageId: 'm2' })

  assert.equal(taken(store), [
    ['ann', 'm1', true],
    ['ben', 'm1', true],
    ['ann', 'm2', true],
  ])
})

channel('P30 a shown name decides nothing, whatever it says', async () => {
  const store = openMemory()
  const policy: ChannelPolicy = { ...open, dmPolicy: 'allowlist', allowFrom: ['ann'] }
  const house = openHouse(store, Promise.resolve(), policy)
  await boot(house, 1)

  await house.hear({ messageId: 'm1', senderName: 'somebody else' })
  for (const [n, senderName] of ['ann', 'Ann', '*', 'ann\u0000'].entries()) {
    await house.hear({ messageId: `n${n}`, senderId: 'eve', roomId: 'eve', senderName })
  }

  assert.equal(
    taken(store).map((row) => (row as unknown[])[2]),
    [true, false, false, false, false],
  )
  assert.is(house.kernel.registry.snapshot('channel:irc').context.rule, 'dm.allowlist')
  assert.not.match(JSON.stringify(readRecords(store)), 'somebody else')
})

channel('P22 CU2 ids belong to an account: another one of ours has the same', async () => {
  const store = openMemory()
  const lives = [{ account: '77' }, { account: '77' }, { account: '78' }, {}]
  for (const [n, account] of lives.entries()) {
    const house = openHouse(store, Promise.resolve(), open, account)
    await boot(house, n + 1)
    await house.hear({}, '5')
    await house.kernel.stop()
  }

  const received = readRecords(store).filter(({ event }) => event.type === 'message.received')
  assert.equal(
    received.map(({ event }) => [event['account'], event['cursor']]),
    [
      ['77', '5'],
      ['78', '5'],
      [undefined, '5'],
    ],
  )
})

channel('CU3 who brings a message again is answered when the first one is on disk', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  await boot(house, 1)
  const done: string[] = []

  const first = house.hear({}).then(() => done.push('first'))
  const second = house.hear({}).then(() => done.push('second'))
  assert.equal(done, [])
  await Promise.all([first, second])

  assert.equal([done, taken(house.kernel.store).length], [['first', 'second'], 1])
})

channel('CU4 a channel is read on where it was left, on its own account only', async () => {
  const store = openMemory()
  const first = openHouse(store, Promise.resolve(), open, { account: '77' })
  await boot(first, 1)
  await first.hear({}, '41')
  await first.kernel.stop()
  const same = openHouse(store, Promise.resolve(), open, { account: '77' })
  await boot(same, 2)
  await same.kernel.stop()
  const other = openHouse(store, Promise.resolve(), open, { account: '78' })
  await boot(other, 3)

  assert.equal(first.resumed, [null])
  assert.equal(
    same.resumed.map((resume) => resume?.cursor),
    ['41'],
  )
  assert.equal(other.resumed, [null])
})

channel('CU5 what was passed over is kept once, late, and not before a message', async () => {
  const store = openMemory()
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)
  const cursors = (): unknown[] =>
    readRecords(store)
      .filter(({ event }) => event['cursor'] !== undefined)
      .map(({ event }) => [event.type, event['cursor']])

  for (const host of house.hosts) for (const cursor of ['1', '2', '3']) host.passed(cursor)
  await house.services.clock.advance(limits.cursorMs - 1)
  assert.equal(cursors(), [])
  await house.services.clock.advance(1)
  assert.equal(cursors(), [['cursor.moved', '3']])
  for (const host of house.hosts) host.passed('4')
  await house.hear({}, '5')
  await house.services.clock.advance(limits.cursorMs)
  await house.hear({}, '9') // The same message, under another cursor.
  await house.services.clock.advance(limits.cursorMs)

  assert.equal(cursors().slice(1), [
    ['message.received', '5'],
    ['cursor.moved', '9'],
  ])
})

channel('CH1 a channel that cannot work says why, and is dialled when a person asks', async () => {
  const refused = Promise.reject(new LinkFault('the token is wrong', { final: true }))
  refused.catch(() => {})
  const house = openHouse(openMemory(), refused)
  await boot(house, 1)
  await house.services.clock.advance(10 * limits.channelBackoffMsMax)

  assert.equal(house.channels.states(), { irc: 'failed' })
  assert.equal(house.channels.reasons(), { irc: 'the token is wrong' })
  assert.is(house.resumed.length, 1)
  await house.channels.retry('irc', 'req:c:1', '00')
  await settle()
  assert.is(house.resumed.length, 2)
})

channel('CH2 a link that ends for good fails; one that is asked to wait does', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  await boot(house, 1)

  for (const host of house.hosts) host.dropped('slow down', { retryAfterMs: 30_000 })
  await house.services.clock.advance(29_999)
  assert.equal([house.channels.states(), house.resumed.length], [{ irc: 'connecting' }, 1])
  assert.equal(house.channels.reasons(), { irc: 'slow down' })
  await house.services.clock.advance(1)
  assert.equal([house.channels.states(), house.channels.reasons()], [{ irc: 'connected' }, {}])
  for (const host of house.hosts) host.dropped('removed', { final: true })
  await settle()

  assert.equal(house.channels.states(), { irc: 'failed' })
})

channel.run()
