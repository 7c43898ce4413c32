/** What flows through a channel: cursors, each message once, the order of what goes out, ends for good. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { draftText } from '../../actors/bodies.ts'
import { DeliveryFault, LinkFault } from '../../actors/channels/adapter.ts'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { boot, type House, open, openHouse, taken } from '../support/channel-house.ts'
import { settle } from '../support/clock.ts'
import { requested } from '../support/facts.ts'
import { readRecords } from '../support/kernel.ts'

const channel = suite('channel flow')

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

channel('CU4 PR8 a channel is read on where it was left, on its own account only', async () => {
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

channel(
  'CU5 what was passed over is kept late and once, but for the first, and not before a message',
  async () => {
    const store = openMemory()
    const house = openHouse(store, Promise.resolve())
    await boot(house, 1)
    const cursors = (): unknown[] =>
      readRecords(store)
        .filter(({ event }) => event['cursor'] !== undefined)
        .map(({ event }) => [event.type, event['cursor']])

    for (const host of house.hosts) for (const cursor of ['1', '2', '3']) host.passed(cursor)
    await house.services.clock.advance(limits.cursorMs - 1)
    assert.equal(cursors(), [['cursor.moved', '1']])
    await house.services.clock.advance(1)
    assert.equal(cursors().slice(1), [['cursor.moved', '3']])
    for (const host of house.hosts) host.passed('4')
    await house.hear({}, '5')
    await house.services.clock.advance(limits.cursorMs)
    await house.hear({}, '9') // The same message, under another cursor.
    await house.services.clock.advance(limits.cursorMs)

    assert.equal(cursors().slice(2), [
      ['message.received', '5'],
      ['cursor.moved', '9'],
    ])
  },
)

/** Wishes for deliveries, by target. */
async function send(
  { kernel, services }: House,
  texts: Record<string, string>,
  changes: { expiresAt?: number } = {},
): Promise<void> {
  for (const [text, target] of Object.entries(texts)) {
    const body = draftText(services.chance, text)
    await kernel.registry.deliver(`delivery:${text}`, {
      event: requested(text, { ref: body.ref, target, fileIn: null, ...changes }),
      cause: 'ext:test',
      correlationId: '00',
      bodies: [body],
    })
  }
  await settle()
}

channel('DO1 what was said later does not overtake what is tried again; others do', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  await boot(house, 1)
  house.faults.push(new DeliveryFault('busy', 'no', true, 3_000))

  await send(house, { one: 'ann', two: 'ann', three: 'ben' })
  assert.equal(house.delivered, ['three'])
  await house.services.clock.advance(3_000)

  assert.equal(house.delivered, ['three', 'one', 'two'])
})

channel('DO2 what failed for good, or is uncertain, keeps nobody waiting', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  await boot(house, 1)
  house.faults.push(new DeliveryFault('no', 'no', false), new DeliveryFault('cut', 'maybe', false))

  await send(house, { one: 'ann', two: 'ann', three: 'ann' })

  assert.equal(house.delivered, ['three'])
})

channel('DO3 the order stands behind a restart, also of what waits to be tried again', async () => {
  const store = openMemory()
  const first = openHouse(store, Promise.resolve())
  await boot(first, 1)
  first.faults.push(new DeliveryFault('busy', 'no', true, 60_000))
  await send(first, { one: 'ann', two: 'ann', three: 'ann' })
  assert.equal(first.delivered, [])
  first.kernel.outbox.stop()
  await first.kernel.stop()
  const second = openHouse(store, Promise.resolve())
  await boot(second, 2)
  await send(second, { four: 'ann', five: 'ben' })

  assert.equal(second.delivered, ['five'])
  await second.services.clock.advance(60_000)
  assert.equal(second.delivered, ['five', 'one', 'two', 'three', 'four'])
})

/** A house whose link comes up while `line.up`, and is online now. */
async function onLine(): Promise<{ house: House; line: { up: boolean } }> {
  const line = { up: true }
  const house = openHouse(openMemory(), () =>
    line.up ? Promise.resolve() : Promise.reject(new Error('no line')),
  )
  await boot(house, 1)
  return { house, line }
}

const lasting = { expiresAt: 1_800_000_000_000 + limits.deliveryTtlMs }
const stateOf = ({ kernel }: House, id: string): unknown =>
  kernel.registry.snapshot(`delivery:${id}`).value
const marks = (house: House): number =>
  readRecords(house.kernel.store).filter(({ kind }) => kind === 'started').length

channel(
  'DO4 PR6 an outage of hours uses up no attempt, and all goes out in order after it',
  async () => {
    const { house, line } = await onLine()
    line.up = false
    for (const host of house.hosts) host.dropped('gone')
    await send(house, { one: 'ann', two: 'ann', three: 'ann' }, lasting)
    await house.services.clock.advance(limits.deliveryTtlMs - 600_000)
    const during = [marks(house), house.delivered.length]

    line.up = true
    await house.services.clock.advance(2 * limits.channelBackoffMsMax)

    assert.equal(during, [0, 0])
    assert.equal(house.delivered, ['one', 'two', 'three'])
  },
)

channel('DO5 PR4 PR6 what is too old when the line is back is not sent; a person may', async () => {
  const { house, line } = await onLine()
  line.up = false
  for (const host of house.hosts) host.dropped('gone')
  await send(house, { one: 'ann', two: 'ann' }, lasting)
  await house.services.clock.advance(15 * 3_600_000)

  line.up = true
  await house.services.clock.advance(2 * limits.channelBackoffMsMax)

  assert.equal(
    [house.delivered, stateOf(house, 'one'), stateOf(house, 'two')],
    [[], 'dead', 'dead'],
  )
  const { registry } = house.kernel
  assert.is(registry.snapshot('delivery:one').context.fault, 'expired')
  const expiresAt = house.services.clock.now() + limits.deliveryTtlMs
  const event = { type: 'delivery.resubmitted', expiresAt, by: 'owner' }
  await registry.deliver('delivery:one', { event, cause: 'op:test', correlationId: '00' })
  await settle()
  assert.equal([house.delivered, stateOf(house, 'one')], [['one'], 'sent'])
})

channel('DO6 what waits to be tried again is tried at once when the link is back', async () => {
  const { house } = await onLine()
  const busy = new DeliveryFault('busy', 'no', true)
  house.faults.push(busy, busy, busy, new DeliveryFault('wait', 'no', true, 600_000))
  await send(house, { one: 'ann', two: 'ann' }, lasting)
  await house.services.clock.advance(60_000)
  await send(house, { other: 'ben' }, lasting)
  const before = [stateOf(house, 'one'), stateOf(house, 'other')]

  for (const host of house.hosts) host.dropped('gone')
  await house.services.clock.advance(2_000)

  assert.equal(before, ['waiting', 'waiting'])
  assert.equal(house.delivered, ['one', 'two'])
  assert.is(stateOf(house, 'other'), 'waiting', 'the time that the platform has set stays')
  const recalled = readRecords(house.kernel.store).findLast(
    ({ event, stream }) => event.type === 'retry.due' && stream === 'delivery:one',
  )
  const opened = readRecords(house.kernel.store).findLast(
    ({ event }) => event['name'] === 'channel.open',
  )
  assert.equal([recalled?.cause, recalled?.correlationId], [opened?.cause, '00'])
  assert.equal(recalled?.cancelled, ['retry'])
})

channel('DO7 a delivery that is set aside keeps nobody waiting', async () => {
  const house = openHouse(openMemory(), Promise.resolve())
  await boot(house, 1)
  house.faults.push(new DeliveryFault('busy', 'no', true, 600_000))
  await send(house, { one: 'ann', two: 'ann' }, lasting)
  assert.equal(house.delivered, [])

  const event = { type: 'stream.quarantined', stream: 'delivery:one', code: 'INTERNAL' }
  await house.kernel.registry.deliver(GATEWAY, { event, cause: 'sys:test', correlationId: '00' })
  await settle()

  assert.equal(house.delivered, ['two'])
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

channel(
  'TG21 PR29 a room that has moved keeps its conversation, its rules and its line',
  async () => {
    const store = openMemory()
    const rooms = { '-55': { requireMention: false, allowFrom: ['ann'] } }
    const policy: ChannelPolicy = { ...open, groupPolicy: 'allowlist', rooms }
    const first = openHouse(store, Promise.resolve(), policy)
    await boot(first, 1)
    const say = (house: House, roomId: string, messageId: string, senderId = 'ann') =>
      house.hear({
        peer: 'group',
        roomId,
        messageId,
        senderId,
        replyTarget: roomId,
        mentioned: false,
      })
    await say(first, '-55', 'm1')
    for (const { moved } of first.hosts) await moved('-55', '-10055')
    await say(first, '-10055', 'm1') // Another message: there ids are counted anew.
    await say(first, '-10055', 'm2', 'eve')
    await first.kernel.stop()
    const house = openHouse(store, Promise.resolve(), policy)
    await boot(house, 2)
    house.faults.push(new DeliveryFault('busy', 'no', true, 3_000))
    await send(house, { old: '-55', new: '-10055' })
    assert.equal(house.delivered, [], 'one line')
    await house.services.clock.advance(3_000)
    await settle()

    const taken = readRecords(store).filter(({ event }) => event.type === 'message.received')
    assert.equal(
      taken.map(({ event, sends }) => [event['roomId'], event['sessionKey'], sends.length]),
      [
        ['-55', 'agent:main:irc:group:-55', 1],
        ['-10055', 'agent:main:irc:group:-55', 1],
        ['-10055', 'agent:main:irc:group:-55', 0],
      ],
    )
    assert.equal(
      [house.delivered, house.targets],
      [
        ['old', 'new'],
        ['-10055', '-10055'],
      ],
    )
  },
)

channel('DC28 known conversations are those that were let in, the newest first', async () => {
  const store = openMemory()
  const policy: ChannelPolicy = { ...open, dmPolicy: 'allowlist', allowFrom: ['ann', 'ben'] }
  const house = openHouse(store, Promise.resolve(), policy)
  await boot(house, 1)
  const known = (): unknown => house.hosts.map(({ conversations }) => conversations())
  assert.equal(known(), [[]])

  for (const [n, senderId] of ['ann', 'ben', 'eve', 'ann', 'eve'].entries()) {
    const replyTarget = `user:${senderId}`
    await house.hear({ messageId: `m${n}`, senderId, roomId: senderId, replyTarget })
  }

  assert.equal(known(), [['user:ann', 'user:ben']])
})

channel.run()
