/** A short kill loop: `scripts/bench/kill-loop.ts` runs the long one. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { makeStateDir, startChild, startServing } from '../support/child.ts'
import { TestClient } from '../support/client.ts'
import { recordsOf } from '../support/journal.ts'
import { runKillLoop } from '../support/kill-loop.ts'
import { turn } from '../support/real-gateway.ts'

const CYCLES = 6
const STARTS = 20
const RECORDS_OF_A_START = 4 // Of the gateway, its configuration and what the killed one left open.

const crash = suite('crash')

crash('F01 killed under load again and again, it keeps every promise that it made', async () => {
  const { faults, counts } = await runKillLoop({ cycles: CYCLES, seed: 20_261_123 })

  assert.equal(faults, [])
  assert.is(counts['kills'], CYCLES)
  assert.ok(Number(counts['acknowledged agent']) > 8, JSON.stringify(counts))
  assert.ok(Number(counts['acknowledged send']) > 2, JSON.stringify(counts))
  assert.ok(Number(counts['answers repeated']) > 2, JSON.stringify(counts))
})

crash('F05 killed twenty times while it starts: nothing is lost, and little is added', async () => {
  const state = makeStateDir()
  try {
    const first = await startServing(state.path)
    const client = new TestClient(first.url)
    await client.connect()
    for (const key of ['a', 'b', 'c']) await turn(client, key)
    await client.close()
    await first.kill()
    const before = (await recordsOf(state.journal)).length

    for (let n = 0; n < STARTS; n += 1) {
      const child = await startChild(state.path, { killAfterMs: 60 + n * 20 })
      await child?.kill()
    }
    const { faults } = await verifyInChild(state.journal, { deep: true })
    const added = (await recordsOf(state.journal)).length - before
    const last = await startServing(state.path)
    const again = new TestClient(last.url)
    await again.connect()
    const { payload } = await again.request('sessions.list')
    await again.close()
    await last.kill()

    assert.equal(faults, [])
    assert.ok(added <= STARTS * RECORDS_OF_A_START, `${added} records of ${STARTS} starts`)
    const [session] = payload['sessions'] as { messageCount: number }[]
    assert.is(session?.messageCount, 6)
  } finally {
    state.remove()
  }
})

crash.run()
