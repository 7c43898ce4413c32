/** Recovery: what a process leaves open and the next one takes up. Rules K4, K6, K7, D-4. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../protocol/errors.ts'

import { loadOpenWork } from '../../actors/projector.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { settle } from '../support/clock.ts'
import { accepted, requested } from '../support/facts.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTestKernel } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'

const SESSION: StreamId = 'session:agent:main:main'
const opened = {
  type: 'connection.opened',
  deviceId: 'd',
  role: 'client',
  scopes: [],
  subscribe: null,
  resumeFrom: null,
}
const recovery = suite('recovery')

recovery(
  'K6 an effect without outcome is lost at the next boot, and the run calls again',
  async () => {
    const store = openMemory()
    const before = openTestKernel({ store })
    await before.tell(SESSION, accepted('r1'))
    await settle()
    assert.is(before.given.length, 1)

    const after = openTestKernel({ store, services: openTestServices(before.services.clock) })
    const recovered = await after.kernel.recover('boot:2')
    await settle()

    assert.is(recovered.effectsLost, 1)
    const lost = after.records().at(-1)
    assert.equal(
      [lost?.event.type, lost?.cause, lost?.event['started']],
      ['effect.lost', '2.e0', false],
    )
    assert.equal([after.given[0]?.name, after.given[0]?.params['attempt']], ['model.call', 2])
  },
)

recovery('K6 a delivery that may have been sent is not sent again', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  await before.tell('delivery:d1', requested('d1'))
  await settle()
  assert.is(before.records().at(-1)?.kind, 'started')

  const after = openTestKernel({ store })
  await after.kernel.recover('boot:2')
  await settle()

  assert.is(after.kernel.registry.snapshot('delivery:d1').value, 'uncertain')
  assert.is(after.given.length, 0)
})

recovery('K6 PR3 a delivery that was never started is sent after the restart', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  before.kernel.outbox.stop()
  await before.tell('delivery:d1', requested('d1'))
  await settle()

  const after = openTestKernel({ store })
  await after.kernel.recover('boot:2')
  await settle()

  assert.equal(
    after.given.map(({ name }) => name),
    ['message.deliver'],
  )
})

recovery('K6 a stop lets what is marked be tried, and marks nothing more', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  await before.tell('delivery:d1', requested('d1'))
  before.kernel.outbox.drain()
  await before.tell('delivery:d2', requested('d2'))
  await settle()
  assert.equal(
    before.given.map(({ params }) => params['deliveryId']),
    ['d1'],
  )
  before.given[0]?.answer({ type: 'effect.done', facts: { messageId: null } })
  await before.kernel.outbox.idle()
  await before.kernel.stop()

  const after = openTestKernel({ store })
  await after.kernel.recover('boot:2')
  await settle()

  assert.is(after.kernel.registry.snapshot('delivery:d1').value, 'sent')
  assert.is(after.given[0]?.params['deliveryId'], 'd2')
})

recovery('K4 PR2 a send without consumer is carried at the next boot, once', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  const carry = before.kernel.registry.deliver.bind(before.kernel.registry)
  before.kernel.registry.deliver = (stream, message) =>
    stream.startsWith('run:') ? new Promise(() => {}) : carry(stream, message)
  await before.tell(SESSION, accepted('r1'))
  assert.is(before.records().length, 1)

  const second = openTestKernel({ store })
  assert.is((await second.kernel.recover('boot:2')).sends, 1)
  await settle()
  const third = openTestKernel({ store })
  assert.is((await third.kernel.recover('boot:3')).sends, 0)

  const requests = third.records().filter(({ event }) => event.type === 'run.requested')
  assert.is(requests.length, 1)
})

recovery(
  'K7 a wait is armed from its record, fires at its time, and is cited as cause',
  async () => {
    const { tell, records, given, services } = openTestKernel()
    await tell(SESSION, accepted('r1'))
    await settle()
    given[0]?.answer({ type: 'effect.failed', class: 'rate', retryable: true, retryAfterMs: 3_000 })
    await settle()
    assert.is(records().at(-1)?.armed[0]?.dueAt, services.clock.now() + 3_000)

    await services.clock.advance(2_999)
    assert.is(given.length, 1)
    await services.clock.advance(1)

    assert.equal([records().at(-1)?.event.type, records().at(-1)?.cause], ['retry.due', '3.t0'])
    assert.is(given.length, 2)
  },
)

recovery(
  'K7 a wait outlives the process: overdue ones fire at once, later ones on time',
  async () => {
    const store = openMemory()
    const before = openTestKernel({ store })
    await before.tell(SESSION, accepted('r1'))
    await settle()
    before.given[0]?.answer({
      type: 'effect.failed',
      class: 'rate',
      retryable: true,
      retryAfterMs: 3_000,
    })
    await settle()
    await before.kernel.stop()
    await before.services.clock.advance(10_000)

    const after = openTestKernel({ store, services: openTestServices(before.services.clock) })
    assert.is((await after.kernel.recover('boot:2')).waits, 1)
    await after.services.clock.advance(0)

    assert.equal(
      after.given.map(({ params }) => params['attempt']),
      [2],
    )
  },
)

recovery('K7 an aborted run cancels its wait', async () => {
  const { tell, given, services, records, kernel } = openTestKernel()
  await tell(SESSION, accepted('r1'))
  await settle()
  given[0]?.answer({ type: 'effect.failed', class: 'rate', retryable: true, retryAfterMs: 3_000 })
  await settle()

  await tell('run:r1', { type: 'run.aborted', by: 'test' })
  await services.clock.advance(60_000)

  assert.is(records().filter(({ event }) => event.type === 'retry.due').length, 0)
  assert.is(kernel.work.waits.size, 0)
})

recovery('D-4 open work folded from the checkpoint equals open work folded from zero', async () => {
  const { tell, kernel, store, given } = openTestKernel()
  for (let n = 0; n < 30; n += 1) {
    await tell(
      SESSION,
      accepted(`r${n}`, { idempotency: { owner: 'd', key: `k${n}`, digest: 'x' } }),
    )
    await settle(2)
    if (n % 3 === 0) given.at(-1)?.answer({ type: 'effect.failed', class: 'rate', retryable: true })
    if (n === 15) await kernel.stop()
  }

  const fromCheckpoint = openTestKernel({ store }).kernel.work
  const fromZero = openTestKernel({ store: { ...store, checkpoint: () => null } }).kernel.work

  assert.ok((store.checkpoint('open-work')?.position ?? 0) > 0)
  assert.equal(fromCheckpoint, fromZero)
})

recovery('D-R14 P34 a damaged stream is set aside at boot and keeps nobody else down', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  for (const stream of ['connection:c1', 'connection:c2'] as const)
    await before.tell(stream, opened)
  const damaged: Store = {
    ...store,
    stream: (name, from) => {
      if (name === 'connection:c2' || name === 'channel:irc')
        throw new GatewayError('STORE_CORRUPT', name)
      return store.stream(name, from)
    },
  }
  const house = await startTestGateway({
    store: damaged,
    config: { channels: { irc: { host: '127.0.0.1', port: 1, tls: false, nick: 'heron' } } },
  })
  const client = house.client()
  await client.connect()

  const { payload } = await client.request('health')

  assert.equal(payload['status'], 'degraded')
  assert.equal(payload['quarantined'], ['connection:c2', 'channel:irc'])
  assert.equal(payload['channels'], { irc: 'disconnected' })
  assert.is(store.version('connection:c1'), 2)
  await house.stop()
})

recovery('D-4 open work can be read beside a writer that goes on meanwhile', async () => {
  const { tell, store } = openTestKernel()
  await tell(SESSION, accepted('r1'))
  await settle()
  const head = store.head().position
  let looks = 0
  const reader = {
    ...store,
    head: () => {
      looks += 1
      return { ...store.head(), position: head - (looks === 1 ? 1 : 0) }
    },
    range: (from: number, to = head - 1) => store.range(from, to),
  }

  assert.is(loadOpenWork(reader).position, head - 1)
})

recovery.run()
