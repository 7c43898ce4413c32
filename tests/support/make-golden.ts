/**
 * Writes the golden journal of this format: `node dist/tests/support/make-golden.js DIRECTORY`.
 *
 * Run once for each new record format, never for an old one: a golden journal is what an old
 * version wrote, and it must be readable for ever (tests/golden/README.md).
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bodyRef } from '../../protocol/codec.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { accepted, approved, requested } from './facts.ts'
import { openTestKernel, readRecords, type TestKernel } from './kernel.ts'
import { until } from './wait.ts'

const SESSION: StreamId = 'session:agent:main:main'
const [directory = ''] = process.argv.slice(2)
const store = await openLmdb({ directory: join(directory, 'journal'), verify: false })
const house = openTestKernel({ store, code: '0123456789abcdef' })
await tellStory(house)
await house.kernel.compact('pairing:phone')
await house.kernel.stop()
writeFileSync(join(directory, 'records.json'), `${JSON.stringify(readRecords(store), null, 1)}\n`)
await store.close()

/** A little of everything that a journal of this format can hold. */
async function tellStory({ tell, given, kernel, services }: TestKernel): Promise<void> {
  await tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '0.1.0' })
  for (let n = 0; n < 8; n += 1)
    await tell('pairing:phone', { ...approved('phone'), tokenHash: `${n}` })
  await tell('pairing:phone', { type: 'device.seen', hour: 1 }) // Ignored: the hour is not new.
  const salt = Buffer.alloc(16, 1)
  const bytes = Buffer.from('hello old friend')
  const ref = bodyRef(salt, bytes)
  const idempotency = { owner: 'phone', key: 'k1', digest: 'd' }
  await kernel.registry.deliver(SESSION, {
    event: accepted('r1', {
      ref,
      idempotency,
      channel: 'irc',
      peer: 'ann',
      sender: 'ann',
      route: { channel: 'irc', target: 'ann' },
    }),
    cause: 'ext:irc:m1',
    correlationId: '0123456789abcdef0123456789abcdef',
    bodies: [{ ref, salt, bytes }],
  })
  await until(() => given.length === 1, 'the first call')
  given[0]?.answer({ type: 'effect.failed', class: 'rate', retryable: true, retryAfterMs: 2_000 })
  await until(() => kernel.work.waits.size === 1, 'the wait for the next call')
  await services.clock.advance(2_000)
  await until(() => given.length === 2, 'the second call')
  given[1]?.answer({
    type: 'effect.done',
    facts: { ref: 'b:answer', inputTokens: 3, outputTokens: 5 },
  })
  await until(() => given.length === 3, 'the delivery of the answer')
  given[2]?.answer({ type: 'effect.done', facts: { messageId: null } })
  await tell('delivery:d1', requested('d1'))
  await until(() => given.length === 4, 'the delivery of d1')
  given[3]?.answer({ type: 'effect.failed', class: 'reset', retryable: true, sent: 'maybe' })
  await tell(SESSION, accepted('r2'))
  await until(() => given.length === 5, 'the call that is left open')
}
