/** Compaction: a stream shortened behind a snapshot is the same stream. */
import '../../actors/trap.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { replayStream } from '../../actors/stream.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { Store } from '../../store/contract.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { openMemory } from '../../store/memory.ts'
import { settle } from '../support/clock.ts'
import { accepted } from '../support/facts.ts'
import { openTestKernel, type TestKernel } from '../support/kernel.ts'
import { pack, unpack } from '../../protocol/codec.ts'

const SESSION: StreamId = 'session:agent:main:main'
const compaction = suite('compaction')

/** Ten turns of one session, every run answered, one left open at the end. */
async function talk({ tell, given, kernel }: TestKernel): Promise<void> {
  for (let n = 0; n < 10; n += 1) {
    await tell(
      SESSION,
      accepted(`r${n}`, { idempotency: { owner: 'd', key: `k${n}`, digest: 'x' } }),
    )
    while (given.length <= n) await settle(1)
    given[n]?.answer({
      type: 'effect.done',
      facts: { ref: `b:a${n}`, inputTokens: 1, outputTokens: 1 },
    })
    while (kernel.registry.snapshot(SESSION).value !== 'idle') await settle(1)
  }
  await tell(SESSION, accepted('open'))
  while (given.length <= 10) await settle(1)
}

async function holds(store: Store, reopen: () => Promise<Store>): Promise<void> {
  const before = openTestKernel({ store })
  await talk(before)
  const live = replayStream(store, SESSION, 'test')
  const work = structuredClone(before.kernel.work)

  const { removed } = await before.kernel.compact(SESSION)
  before.kernel.registry.sweep(0)
  const after = replayStream(store, SESSION, 'test')
  const underNewCode = replayStream(store, SESSION, 'other code')

  assert.ok(removed > 10)
  assert.equal([after.hash, after.version, after.folded], [live.hash, live.version, 0])
  assert.equal(underNewCode.hash, live.hash)
  await before.kernel.stop()
  const reopened = await reopen()
  const next = openTestKernel({ store: reopened })
  assert.equal(next.kernel.work.sessions, work.sessions)
  assert.equal(next.kernel.work.effects, work.effects)
  assert.equal(next.kernel.work.keys, work.keys)
  await next.tell(SESSION, {
    type: 'run.finished',
    runId: 'open',
    status: 'failed',
    fault: 'x',
    ref: '',
    inputTokens: 0,
    outputTokens: 0,
  })
  assert.is(next.kernel.registry.snapshot(SESSION).value, 'idle')
  await reopened.close()
}

compaction('I2 in memory a session rebuilds to the same state hash before and after', async () => {
  const store = openMemory()
  await holds({ ...store, close: () => Promise.resolve() }, () => Promise.resolve(store))
})

compaction(
  'I2 in LMDB a session rebuilds to the same state hash, and the chain still verifies',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'openclaw-test-'))
    const store = await openLmdb({ directory, verify: false })
    await holds(store, async () => {
      await store.close()
      await verifyInChild(directory, { deep: true })
      return openLmdb({ directory })
    })
    rmSync(directory, { recursive: true })
  },
)

compaction(
  'I28 open work that needs what was compacted away is refused, never guessed',
  async () => {
    const store = openMemory()
    const before = openTestKernel({ store })
    await talk(before)
    await before.kernel.compact(SESSION)

    assert.throws(
      () => openTestKernel({ store: { ...store, checkpoint: () => null } }),
      (error: { code: string }) => error.code === 'STORE_CORRUPT',
    )
  },
)

compaction('I28 a checkpoint of a shape that is not known is folded anew', async () => {
  const store = openMemory()
  const before = openTestKernel({ store })
  await talk(before)
  await before.kernel.stop()
  const saved = store.checkpoint('open-work')!
  const { code, work } = unpack(saved.bytes) as { code: string; work: object }
  const strange = { ...work, sessions: [['a', 'row', 'of', 'another', 'time', 1, 2, 3, 4]] }
  const bytes = pack({ code, work: strange })

  const after = openTestKernel({ store: { ...store, checkpoint: () => ({ ...saved, bytes }) } })

  assert.equal([...after.kernel.work.sessions], [...before.kernel.work.sessions])
})

compaction.run()
