/** Deliveries that wait for a person, over the wire. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { readText } from '../../actors/bodies.ts'
import { draftText } from '../../actors/bodies.ts'
import { openKernel } from '../../actors/kernel.ts'
import type { Driver, Outcome } from '../../actors/outbox.ts'
import { foldDeliveries, type OpenDeliveries } from '../../machines/projections/deliveries.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import type { TestClient } from '../support/client.ts'
import { settle } from '../support/clock.ts'
import { requested } from '../support/facts.ts'
import { startTestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'
import { until } from '../support/wait.ts'

const test = cases('deliveries')

type Row = Readonly<Record<string, unknown>>

const IRC = { enabled: true, host: '127.0.0.1', port: 1, tls: false, nick: 'heron' }

/** Leaves a journal in which one delivery is dead and one uncertain. */
async function troubled(): Promise<Store> {
  const store = openMemory()
  const services = openTestServices()
  const refused: Outcome = { type: 'effect.failed', class: 'refused', retryable: false }
  const deliver: Driver = {
    visible: true,
    run: ({ params }) =>
      Promise.resolve({ ...refused, sent: params['deliveryId'] === 'dead' ? 'no' : 'maybe' }),
  }
  const kernel = openKernel(store, new Map([['message.deliver', deliver]]), services, 'test')
  for (const id of ['dead', 'perhaps']) {
    const expiresAt = services.clock.now() + 60_000
    const body = draftText(services.chance, 'A new session of ours')
    const facts = { ref: body.ref, expiresAt, fileIn: 'agent:main:main' }
    const event = requested(id, facts)
    const message = { event, cause: 'ext:test', correlationId: '00', bodies: [body] }
    await kernel.registry.deliver(`delivery:${id}`, message)
  }
  await settle()
  await kernel.stop()
  return store
}

async function inTrouble(
  run: (client: TestClient, store: Store) => Promise<void>,
  channels: object = { irc: IRC },
): Promise<void> {
  const store = await troubled()
  const house = await startTestGateway({ store, config: { channels } })
  try {
    const client = house.client()
    await client.connect()
    await run(client, store)
  } finally {
    await house.stop()
  }
}

async function listed(client: TestClient, params: object = {}): Promise<unknown[]> {
  const { payload } = await client.request('deliveries.list', params)
  return (payload['deliveries'] as Row[]).map(({ deliveryId, state }) => [deliveryId, state])
}

test('DL1 what was not sent, or perhaps, is listed with its text; health counts it', () =>
  inTrouble(async (client) => {
    const { payload } = await client.request('deliveries.list')
    const health = (await client.request('health')).payload

    const rows = payload['deliveries'] as Row[]
    assert.equal(
      rows.map(({ deliveryId, state, fault }) => [deliveryId, state, fault]),
      [
        ['dead', 'dead', 'refused'],
        ['perhaps', 'uncertain', 'refused'],
      ],
    )
    assert.match(String(rows[0]?.['text']), /^A new session/)
    assert.equal(health['deliveries'], { uncertain: 1, dead: 1 })
    assert.equal(await listed(client, { state: 'uncertain' }), [['perhaps', 'uncertain']])
  }))

test('DL2 a person sends it again, by the same way, with attempts of its own', () =>
  inTrouble(async (client, store) => {
    const { ok } = await client.request('deliveries.resubmit', { deliveryId: 'perhaps' })

    assert.ok(ok)
    assert.equal(await listed(client), [
      ['dead', 'dead'],
      ['perhaps', 'attempting'],
    ])
    const resubmitted = readRecords(store).find(
      ({ event }) => event.type === 'delivery.resubmitted',
    )
    assert.equal(resubmitted?.effects[0]?.params['attempt'], 2)
    assert.is(resubmitted?.event['by'], 'device-1')
  }))

test('DL3 an uncertain one that was sent joins its session, one that was not becomes dead', () =>
  inTrouble(async (client, store) => {
    await client.request('deliveries.resolve', { deliveryId: 'perhaps', sent: false })
    assert.equal(await listed(client, { state: 'dead' }), [
      ['dead', 'dead'],
      ['perhaps', 'dead'],
    ])
    const late = await client.request('deliveries.resolve', { deliveryId: 'perhaps', sent: true })
    assert.equal([late.ok, late.error?.code], [false, 'INVALID_REQUEST'])
    assert.not.ok(readRecords(store).some(({ event }) => event.type === 'message.filed'))
  }))

test('DL4 what is let go leaves the list, and is not sent later', () =>
  inTrouble(async (client) => {
    for (const deliveryId of ['dead', 'perhaps']) {
      await client.request('deliveries.dismiss', { deliveryId })
    }

    assert.equal(await listed(client), [])
    const again = await client.request('deliveries.resubmit', { deliveryId: 'dead' })
    assert.equal([again.error?.code, again.error?.details?.['path']], ['NOT_FOUND', 'deliveryId'])
  }))

test('DL5 what has no channel any more is refused before anything is written', () =>
  inTrouble(async (client, store) => {
    const before = store.head().position
    const { error } = await client.request('deliveries.resubmit', { deliveryId: 'dead' })

    assert.is(error?.code, 'CHANNEL_UNKNOWN')
    assert.is(store.head().position, before)
  }, {}))

test('DL7 the owner is told of what was not sent, or perhaps, once for each', async () => {
  const alerts = { channel: 'irc', target: '#owner' }
  const store = await troubled()
  const config = { channels: { irc: IRC }, gateway: { alerts } }
  const house = await startTestGateway({ store, config })
  const told = (): string[] =>
    readRecords(store)
      .filter(({ event }) => event.type === 'trouble.noticed')
      .map(({ event }) => readText(store, String(event['ref'])))
  try {
    await until(() => told().length === 2, 'both are told')

    assert.equal(told(), [
      'OpenClaw gateway: 1 message may or may not have been sent: openclaw deliveries list',
      'OpenClaw gateway: 1 message could not be sent: openclaw deliveries list',
    ])
  } finally {
    await house.stop()
  }
})

test('DL6 the list is bounded: the oldest that wait for a person go, never what is on its way', () => {
  const deliveries: OpenDeliveries = new Map()
  const fold = (id: string, value: string): void => {
    const event = requested(id)
    const record = { stream: `delivery:${id}`, event, value, at: 1 } as unknown as JournalRecord
    foldDeliveries(deliveries, record)
  }
  fold('moving', 'attempting')
  for (let n = 0; n < limits.openDeliveriesMax; n += 1) fold(`d${n}`, 'dead')

  assert.is(deliveries.size, limits.openDeliveriesMax)
  assert.equal(
    [deliveries.has('moving'), deliveries.has('d0'), deliveries.has('d1')],
    [true, false, true],
  )
})

test.run()
