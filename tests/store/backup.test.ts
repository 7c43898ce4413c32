/** Copies of a journal beside its writer. Rules BK3 and F54. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { copyJournal, readFacts } from '../../store/lmdb/backup.ts'
import { dataFile } from '../../store/lmdb/environment.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { compiled, start } from '../support/process.ts'
import { cases } from './cases.ts'
import { draft, refusal } from './contract.ts'
import { closedJournal, fill, openJournal, temporaryDirectory } from './journals.ts'

const test = cases('backup')

test('F54 copies that are made while a writer appends are whole, each up to one moment', async () => {
  const directory = temporaryDirectory()
  const writer = start([compiled('tests/store/writer-child.js'), directory, 'run:child'])
  await writer.says(/ack 64 /)
  const heads: number[] = []

  for (const name of ['a', 'b', 'c']) {
    const target = join(temporaryDirectory(), name)
    await copyJournal(directory, target)
    const { ok, head, faults } = await verifyJournal(target, { deep: true })
    assert.is(ok, true, JSON.stringify(faults))
    heads.push(head)
  }
  writer.child.kill('SIGKILL')
  await writer.ended

  assert.ok((heads[0] ?? 0) >= 64, heads.join(' '))
  assert.equal(
    heads,
    heads.toSorted((a, b) => a - b),
  )
  assert.is((await verifyJournal(directory)).ok, true)
})

test('BK3 a copy has the head, the root and the epoch of the journal, 0600, and no lock', async () => {
  const directory = await closedJournal((store) => fill(store, 50))
  const target = join(temporaryDirectory(), 'copy')

  await copyJournal(directory, target)

  const [copied, own] = [await readFacts(target), await readFacts(directory)]
  assert.equal(copied, own)
  assert.is(copied.position, 50)
  assert.is(statSync(dataFile(target)).mode & 0o777, 0o600)
  assert.is(existsSync(`${dataFile(target)}-lock`), false)
})

test('BK3 an empty journal can be copied, none cannot', async () => {
  const target = join(temporaryDirectory(), 'copy')
  const empty = await closedJournal(() => Promise.resolve())

  await refusal(() => copyJournal(temporaryDirectory(), target), 'NOT_FOUND')
  await copyJournal(empty, target)

  const { position, origin } = await readFacts(target)
  assert.equal([position, origin], [0, '0'.repeat(64)])
})

test('BK4 a copy that is opened above an epoch fences both lines of writers', async () => {
  const directory = await closedJournal((store) => fill(store, 4))
  const store = await openJournal(directory, { epochAbove: 41 })
  const late = await openJournal(directory)

  assert.equal([store.epoch(), late.epoch()], [42, 43])
  await refusal(() => store.append(draft('run:late', 0)), 'EPOCH_FENCED')
  await late.close()
  await store.close()
})

test.run()
