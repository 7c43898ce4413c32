/** The kernel on a memory store: records, order, faults, waking. Rules K1-K10, D-R4, D-R14, D-R15. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatSnapshot, replayStream } from '../../actors/stream.ts'
import { kinds } from '../../machines/kinds.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { settle } from '../support/clock.ts'
import { accepted, approved } from '../support/facts.ts'
import { openTestKernel } from '../support/kernel.ts'

const SESSION: StreamId = 'session:agent:main:main'
const unexpected = () => assert.unreachable('expected a refusal')
const kernels = suite('kernel')

kernels('K3 a macrostep is one record with its outputs, cause and hash', async () => {
  const { tell, records } = openTestKernel()

  const record = await tell(SESSION, accepted('r1'))

  const [first] = records()
  assert.equal(first, record)
  assert.is(record.value, 'running')
  assert.is(record.cause, 'ext:test')
  assert.is(record.sends[0]?.to, 'run:r1')
  assert.match(record.stateHash, /^[0-9a-f]{16}$/)
})

kernels(
  'K4 a send is taken in with its address as cause, and the chain ends in an answer',
  async () => {
    const { tell, records, given } = openTestKernel()
    await tell(SESSION, accepted('r1'))
    await settle()

    given[0]?.answer({
      type: 'effect.done',
      facts: { ref: 'b:answer', inputTokens: 1, outputTokens: 2 },
    })
    await settle()

    const chain = records().map(({ stream, event, cause }) => [stream, event.type, cause])
    assert.equal(chain, [
      [SESSION, 'message.accepted', 'ext:test'],
      ['run:r1', 'run.requested', '1.s0'],
      ['run:r1', 'effect.done', '2.e0'],
      [SESSION, 'run.finished', '3.s0'],
    ])
  },
)

kernels('K3 no effect starts and no snapshot shows before the record is on disk', async () => {
  const memory = openMemory()
  let release = () => {}
  const held: Store = {
    ...memory,
    append: async (draft) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return memory.append(draft)
    },
  }
  const { kernel, tell, given } = openTestKernel({ store: held })
  const shown: unknown[] = []
  kernel.registry.actor('run:r1').ref.subscribe((snapshot) => shown.push(snapshot.value))

  const pending = tell('run:r1', {
    type: 'run.requested',
    runId: 'r1',
    sessionKey: 'k',
    model: 'echo',
    thinking: 'off',
  })
  await settle()
  assert.equal([shown, given.length, kernel.registry.snapshot('run:r1').value], [[], 0, 'new'])
  release()
  await pending

  assert.equal([shown, given.length], [['calling'], 1])
})

kernels(
  'D-R15 an actor has one batch in flight; what gathers meanwhile shares the next',
  async () => {
    const memory = openMemory()
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked: number[] = []
    const held: Store = {
      ...memory,
      append: async (draft) => {
        asked.push(draft.expectedVersion)
        await gate
        return memory.append(draft)
      },
    }
    const { tell, records } = openTestKernel({ store: held })
    const told = Array.from({ length: 20 }, (_, n) =>
      tell('pairing:d', { ...approved('d'), tokenHash: `${n}` }),
    )
    await settle()
    assert.equal(asked, [0])

    release()
    await Promise.all(told)

    assert.equal(
      asked,
      Array.from({ length: 20 }, (_, n) => n),
    )
    assert.equal(
      records().map(({ event }) => event['tokenHash']),
      Array.from({ length: 20 }, (_, n) => `${n}`),
    )
  },
)

kernels(
  'I14 a refused message in the middle of a batch takes none of its neighbours along',
  async () => {
    const memory = openMemory()
    const picky: Store = {
      ...memory,
      append: (draft) =>
        JSON.stringify(draft.fields).includes('bad')
          ? Promise.reject(new GatewayError('APPEND_REJECTED', 'too large'))
          : memory.append(draft),
    }
    const { tell, records, kernel } = openTestKernel({ store: picky })

    const hashes = ['a', 'b', 'bad', 'c', 'd']
    const outcomes = await Promise.allSettled(
      hashes.map((tokenHash) => tell('pairing:d', { ...approved('d'), tokenHash })),
    )

    assert.equal(
      outcomes.map(({ status }) => status === 'fulfilled'),
      [true, true, false, true, true],
    )
    assert.equal(
      records().map(({ event }) => event['tokenHash']),
      ['a', 'b', 'c', 'd'],
    )
    assert.is(
      (kernel.registry.snapshot('pairing:d').context as { tokenHash: string }).tokenHash,
      'd',
    )
  },
)

kernels('K3 an ignored event is a record that says so and changes no state', async () => {
  const { tell } = openTestKernel()
  const before = await tell('pairing:d', approved('d'))

  const record = await tell('pairing:d', { type: 'device.seen', hour: 1 })

  assert.is(record.ignored, 'refused')
  assert.is(record.stateHash, before.stateHash)
})

kernels('I14 a refused append leaves the actor as it was, and the next one is taken', async () => {
  const memory = openMemory()
  let refuse = true
  const store: Store = {
    ...memory,
    append: (draft) => (refuse ? Promise.reject(new Error('no room')) : memory.append(draft)),
  }
  const { tell, kernel } = openTestKernel({ store })

  await tell('pairing:d', approved('d')).then(unexpected, (error: Error) =>
    assert.is(error.message, 'no room'),
  )
  assert.is(kernel.registry.snapshot('pairing:d').value, 'unknown')
  refuse = false

  assert.is((await tell('pairing:d', approved('d'))).version, 1)
})

kernels(
  'D-R14 F33 an actor that throws is tried again with back-off, then set aside; others serve',
  async () => {
    const { tell, services, kernel, records } = openTestKernel()
    await tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '1' })
    const poison = tell('session:agent:main:bad', {
      ...accepted('r1'),
      get runId(): string {
        throw new Error('poison')
      },
    })
    const outcome = poison.then(
      () => 'taken',
      (error: { code: string }) => error.code,
    )
    await settle()
    await services.clock.advance(limits.actorBackoffMs * 8)

    assert.is(await outcome, 'STREAM_QUARANTINED')
    assert.equal(kernel.supervisor.quarantined(), ['session:agent:main:bad'])
    await tell(SESSION, accepted('r2'))
    await tell('session:agent:main:bad', accepted('r3')).then(
      unexpected,
      (error: { code: string }) => assert.is(error.code, 'STREAM_QUARANTINED'),
    )
    const told = records().filter(
      ({ event, ignored }) => event.type === 'stream.quarantined' && ignored === null,
    )
    assert.is(told.length, 1)
  },
)

kernels('I5 F34 what waits behind a message that throws is not taken without it', async () => {
  const { tell, services, store } = openTestKernel()
  const bad: StreamId = 'session:agent:main:bad'
  const poison = {
    ...accepted('r1'),
    get runId(): string {
      throw new Error('poison')
    },
  }

  const told = Promise.allSettled([tell(bad, poison), tell(bad, accepted('r2'))])
  await settle()
  await services.clock.advance(limits.actorBackoffMs * 8)

  assert.equal(
    (await told).map((result) => result.status === 'rejected' && result.reason.code),
    ['STREAM_QUARANTINED', 'STREAM_QUARANTINED'],
  )
  assert.is(store.version(bad), 0)
})

kernels('I2 an actor that slept wakes to the same state, from snapshot and tail', async () => {
  const { tell, kernel, store } = openTestKernel()
  const count = limits.snapshotEveryRecords + 44
  for (let n = 1; n <= count; n += 1)
    await tell('pairing:d', { ...approved('d'), tokenHash: `${n}` })
  const live = kernel.registry.snapshot('pairing:d')
  await settle()
  kernel.registry.sweep(0)
  assert.is(kernel.registry.awake, 0)

  const replayed = replayStream(store, 'pairing:d', 'test')

  assert.equal(replayed.snapshot.context, live.context)
  assert.is(replayed.folded, 44)
  assert.is(replayed.version, count)
  const fromZero = replayStream(store, 'pairing:d', 'other code')
  assert.is(fromZero.folded, count)
  assert.is(fromZero.hash, replayed.hash)
})

kernels('D-R4 on a nearly full disk new work is refused, and work in hand goes on', async () => {
  const memory = openMemory()
  let freeBytes: number = limits.spaceRefuseBytes
  const store: Store = { ...memory, stats: () => ({ ...memory.stats(), freeBytes }) }
  const { kernel, services } = openTestKernel({ store })
  const message = { event: accepted('r1'), cause: 'ext:test', correlationId: '00' }
  await kernel.registry.offer(SESSION, message)

  freeBytes -= 1
  await services.clock.advance(limits.spaceCheckIntervalMs)
  const refused = await kernel.registry.offer(SESSION, message).catch((error: unknown) => error)

  assert.is(refused instanceof GatewayError && refused.code, 'STORE_LOW_SPACE')
  assert.is((await kernel.registry.deliver(SESSION, message)).version, 2)
})

kernels('I28 a snapshot that its record contradicts is passed over', async () => {
  const { tell, kernel, store } = openTestKernel()
  await tell('pairing:d', approved('d'))
  const { stepper } = kinds.pairing
  const wrong = stepper.step(stepper.initial, approved('another'), 0).snapshot
  await store.putSnapshot('pairing:d', 1, formatSnapshot(wrong, 'test'))
  kernel.registry.sweep(0)

  const { context } = kernel.registry.snapshot('pairing:d')

  assert.is((context as { deviceId: string }).deviceId, 'd')
})

kernels('I2 a compacted stream wakes under new code too, from the old snapshot', async () => {
  const { tell, kernel, store } = openTestKernel()
  for (let n = 1; n <= limits.snapshotEveryRecords + 2; n += 1)
    await tell('pairing:d', { ...approved('d'), tokenHash: `${n}` })
  await settle()
  const { removed } = await kernel.compact('pairing:d')
  assert.is(removed, limits.snapshotEveryRecords + 1)

  const after = openTestKernel({ store, code: 'new' })

  const { context } = after.kernel.registry.snapshot('pairing:d')
  assert.equal(context, kernel.registry.snapshot('pairing:d').context)
})

kernels('I32 an actor whose machine has ended is put to sleep at once', async () => {
  const { tell, kernel } = openTestKernel()
  await tell('connection:c', {
    type: 'connection.opened',
    deviceId: 'd',
    role: 'client',
    scopes: [],
    subscribe: null,
    resumeFrom: null,
  })
  assert.is(kernel.registry.awake, 1)

  await tell('connection:c', { type: 'connection.closed', code: 1000, reason: '' })
  await settle()

  assert.is(kernel.registry.awake, 0)
})

kernels('I3 after STORE_FAILED nothing is answered well and nothing more is appended', async () => {
  const memory = openMemory()
  const store: Store = {
    ...memory,
    append: () => Promise.reject(Object.assign(new Error('gone'), { code: 'STORE_FAILED' })),
  }
  const { tell, given } = openTestKernel({ store })

  const outcomes = await Promise.allSettled([
    tell(SESSION, accepted('r1')),
    tell(SESSION, accepted('r2')),
  ])

  assert.equal(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal([memory.head().position, given.length], [0, 0])
})

kernels.run()
