/** Channels as they run: links, deliveries, states. With an adapter of the test's own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { draftText, readText } from '../../actors/bodies.ts'
import { type HealthHouse, readHealth, troublesOf } from '../../actors/health.ts'
import type { ChannelPolicy } from '../../machines/rules/policy.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { boot, open, openHouse, taken } from '../support/channel-house.ts'
import { settle } from '../support/clock.ts'
import { requested } from '../support/facts.ts'
import { readRecords } from '../support/kernel.ts'

const channel = suite('channel')

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

channel('DV1 a directive is answered in its channel, and the agent never sees it', async () => {
  const store = openMemory()
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)

  for (const [index, text] of ['/model echo', '/think', '/model nobody/knows', '/stop'].entries()) {
    await house.hear({ messageId: `d${index}`, text })
    await settle()
  }

  assert.equal(house.delivered, [
    'The model is echo now.',
    'The thinking level is off.',
    '"nobody/knows" is no model that I know. Write provider/model, as the configuration names it.',
    'Nothing was running.',
  ])
  assert.not.ok(readRecords(store).some(({ event }) => event.type === 'message.accepted'))
  assert.is(house.kernel.work.sessions.get('agent:main:main')?.facts.model, 'echo')
})

channel('DV2 what stands behind /new is the first message of the new session', async () => {
  const store = openMemory()
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)
  await house.hear({ text: '/new and now for something else' })
  await settle()

  const session = house.kernel.registry.snapshot('session:agent:main:main')
  assert.is(session.context.generation, 1)
  const accepted = readRecords(store).find(({ event }) => event.type === 'message.accepted')
  const body = store.bodyState(String(accepted?.event['ref']))
  assert.equal(
    [readText(store, String(accepted?.event['ref'])), body],
    ['and now for something else', 'there'],
  )
})

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

channel('SE6 PR31 connected needs recent evidence, where the other side can be heard', async () => {
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

channel('SE6 PR31 a channel that is silent, or does not come up, makes health say so', async () => {
  let up = true
  const opened = (): Promise<void> =>
    up ? Promise.resolve() : Promise.reject(new Error('no line'))
  const house = openHouse(openMemory(), opened)
  const { channels, services, kernel } = house
  await boot(house, 1)
  const parts = {
    registry: kernel.registry,
    store: kernel.store,
    work: kernel.work,
    channels,
    services,
    configuration: { fault: null },
    startedAt: 0,
    activeRuns: () => 0,
    quarantined: () => [],
    tailscaleFault: () => null,
  } as unknown as HealthHouse
  const says = (): unknown => [readHealth(parts)['status'], troublesOf(parts).map((t) => t.says)]
  house.heard()
  assert.equal(says(), ['healthy', []])

  await services.clock.advance(limits.channelSilentMs + 1_000)
  assert.equal(says(), ['degraded', ['irc was last heard of 181 s ago']])
  house.heard()
  assert.equal(says(), ['healthy', []])
  up = false
  for (const { dropped } of house.hosts) dropped('gone')
  await services.clock.advance(limits.alertChannelDeadMs - 1)
  assert.equal(says(), ['healthy', []], 'it is tried again')
  await services.clock.advance(1)
  assert.equal(says(), ['degraded', ['irc has not come up for 10 minutes: no line']])
  up = true
  await services.clock.advance(2 * limits.channelBackoffMsMax)
  house.heard()
  assert.equal(says(), ['healthy', []])
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

channel('SE6 PR1 what is lost for good is a record, and counted in what health says', async () => {
  const store = openMemory()
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)
  assert.equal(house.channels.lost(), {})

  for (const { lost } of house.hosts) {
    lost(1, 'the store was full')
    lost(2, 'the store was full')
  }
  await settle()

  assert.equal(house.channels.lost(), { irc: { count: 3, at: house.services.clock.now() } })
  const records = readRecords(store).filter(({ event }) => event.type === 'messages.lost')
  assert.equal(
    records.map(({ event, ignored }) => [event['reason'], ignored]),
    [
      ['the store was full', null],
      ['the store was full', null],
    ],
  )
})

channel('P22 a message that names its account is that account’s own', async () => {
  const store = openMemory()
  const house = openHouse(store, Promise.resolve())
  await boot(house, 1)

  for (const account of ['7', '8', '7', undefined]) {
    await house.hear(account === undefined ? {} : { account })
  }

  const accounts = readRecords(store)
    .filter(({ event }) => event.type === 'message.received')
    .map(({ event }) => event['account'])
  assert.equal(accounts, ['7', '8', undefined])
})

channel.run()
