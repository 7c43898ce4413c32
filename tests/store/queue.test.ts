/** The commit queue on a table of our own: what a failing disk and a foreign put do to it. */
import * as assert from 'uvu/assert'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { CommitQueue, storeFailed } from '../../store/lmdb/queue.ts'
import { cases } from './cases.ts'
import type { Table } from '../../store/lmdb/environment.ts'

const queues = cases('commit queue')

interface Desk {
  readonly queue: CommitQueue
  readonly puts: { key: unknown; answer: (result: unknown) => void; fail: (error: Error) => void }[]
  readonly removed: unknown[]
  readonly fence: { fault: Error | null }
  readonly submit: (key: number, operations?: number) => Promise<string>
}

/** A queue over a table whose puts are answered by the test. */
function desk(): Desk {
  const puts: Desk['puts'] = []
  const removed: unknown[] = []
  const fence: Desk['fence'] = { fault: null }
  const table: Table = {
    getBinaryFast: () => undefined,
    getKeys: () => [],
    put: (key) =>
      new Promise((answer, fail) => {
        puts.push({ key, answer, fail })
      }),
    remove: (key) => {
      removed.push(key)
      return Promise.resolve(true)
    },
    resetReadTxn: () => {},
    getStats: () => ({}),
  }
  const queue = new CommitQueue({
    check: () => fence.fault,
    refused: () => new GatewayError('EPOCH_FENCED', 'fenced'),
    committed: () => {},
  })
  const submit = (key: number, operations = 1): Promise<string> =>
    new Promise((resolve) => {
      const write = { table, key, value: Buffer.of(1), once: true }
      queue.submit({
        writes: Array.from({ length: operations }, () => write),
        bytes: operations,
        settle: (fault) => resolve(fault instanceof GatewayError ? fault.code : String(fault)),
      })
    })
  return { queue, puts, removed, fence, submit }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

queues('S7 what comes while a commit is in flight waits for its end', async () => {
  const { puts, submit } = desk()
  const first = [submit(1), submit(2)]
  await turn()
  const second = submit(3)
  await turn()
  assert.is(puts.length, 2)

  for (const { answer } of puts) answer(true)
  assert.equal(await Promise.all(first), ['null', 'null'])
  assert.is(puts.length, 3)
  puts[2]!.answer(true)
  assert.is(await second, 'null')
})

queues('F12 a commit that hangs is told by how long it has been under way', async () => {
  const { queue, puts, submit } = desk()
  const before = queue.stats().commitWaitsMs
  const end = submit(1)
  await turn()
  const meanwhile = queue.stats().commitWaitsMs
  puts[0]!.answer(true)
  await end

  assert.is(before, 0)
  assert.ok(meanwhile > 0, String(meanwhile))
  assert.is(queue.stats().commitWaitsMs, 0)
})

queues('D-R9 a commit takes whole units up to the bound, in order', async () => {
  const { puts, submit } = desk()
  const half = limits.commitOperationsMax / 2
  const ends = [submit(1, half), submit(2, half + 1), submit(3, 1)]
  // The third would fit, but must not overtake the second.
  assert.is(puts.length, half)

  for (const { answer } of puts.splice(0)) answer(true)
  assert.is(await ends[0], 'null')
  assert.is(puts.length, half + 2)
  assert.is(puts[0]!.key, 2)
})

queues('S5 a failed commit refuses everything, once, and the table is left alone', async () => {
  const { queue, puts, submit } = desk()
  const ends = [submit(1), submit(2)]
  await turn()
  ends.push(submit(3))
  puts[0]!.fail(new Error('Commit failed'))
  puts[1]!.answer(true)

  assert.equal(await Promise.all(ends), ['STORE_FAILED', 'STORE_FAILED', 'STORE_FAILED'])
  assert.is((await queue.failed).message, 'store: commit failed')
  assert.is(await submit(4), 'STORE_FAILED')
  await turn()
  assert.is(puts.length, 2)
  await queue.idle()
})

queues('S5 a refused put takes its neighbours back and fails them', async () => {
  const { queue, puts, removed, submit } = desk()
  const ends = [submit(1), submit(2), submit(3)]
  await turn()
  ends.push(submit(4))
  puts[0]!.answer(false)
  puts[1]!.answer(true)
  puts[2]!.answer(true)

  assert.equal(await Promise.all(ends), Array(4).fill('EPOCH_FENCED'))
  assert.equal(removed, [2, 3])
  assert.is(puts.length, 3)
  assert.is(queue.failure()?.message, 'fenced')
})

queues('S5 nothing is taken back after a failed commit', async () => {
  const { puts, removed, submit } = desk()
  const ends = [submit(1), submit(2), submit(3)]
  puts[0]!.answer(true)
  puts[1]!.answer(false)
  puts[2]!.fail(new Error('Commit failed'))

  assert.equal(await Promise.all(ends), Array(3).fill('STORE_FAILED'))
  assert.equal(removed, [])
})

queues('S5 an answer that is neither true nor false is a failure', async () => {
  for (const result of [undefined, 1, 'true', null]) {
    const { puts, submit } = desk()
    const end = submit(1)
    puts[0]!.answer(result)
    assert.is(await end, 'EPOCH_FENCED')
  }
})

queues('S8 a fault found before a commit stops the queue before anything is written', async () => {
  const { puts, fence, submit } = desk()
  fence.fault = storeFailed('position 1 is taken')

  assert.equal(await Promise.all([submit(1), submit(2)]), ['STORE_FAILED', 'STORE_FAILED'])
  assert.is(puts.length, 0)
})

queues.run()
