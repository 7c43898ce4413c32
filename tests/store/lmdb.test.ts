/** The contract on LMDB, and what only a journal on disk promises when all goes well. */
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdb, openLmdbReader } from '../../store/lmdb/open.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { cases } from './cases.ts'
import { body, draft, refusal, storeContract } from './contract.ts'
import { proofCases } from './contract-proof.ts'
import { fill, openJournal, temporaryDirectory } from './journals.ts'
import type { StoreReader } from '../../store/contract.ts'

storeContract('store on lmdb', () => openJournal(temporaryDirectory()), proofCases).run()

const journal = cases('journal')

/** What a reader says of all streams: version and positions of each. */
function indexOf(store: StoreReader, streams: readonly string[]): unknown {
  return streams.map((stream) => {
    const version = store.version(stream)
    const found = Array.from({ length: version }, (_, i) => store.positionOf(stream, i + 1))
    return [stream, version, found, [...store.stream(stream)].map(({ position }) => position)]
  })
}

journal('S1 what was appended is there after reopening, each time with a new epoch', async () => {
  const directory = temporaryDirectory()
  for (let start = 0; start < 3; start += 1) {
    const store = await openLmdb({ directory })
    assert.is(store.epoch(), start + 1)
    assert.is(store.version('run:a'), start)
    await store.append({ ...draft('run:a', start), bodies: [body(`text ${start}`)] })
    await store.close()
  }

  const reader = await openLmdbReader(directory)
  assert.is(reader.head().position, 3)
  assert.is(reader.epoch(), 3)
  assert.equal(
    [...reader.stream('run:a')].map(({ version }) => version),
    [1, 2, 3],
  )
  assert.is(Buffer.from(reader.body(body('text 1').ref)!).toString(), 'text 1')
  await reader.close()
})

journal('S1 a journal that does not exist is not made by reading it', async () => {
  const directory = temporaryDirectory()

  await refusal(() => openLmdbReader(directory), 'NOT_FOUND')
  await refusal(() => verifyInChild(directory), 'NOT_FOUND')
  assert.is(statSync(join(directory, 'journal.mdb'), { throwIfNoEntry: false }), undefined)
})

journal('D-R11 only the owner can read the files, whatever the umask', async () => {
  for (const umask of [0o000, 0o277]) {
    const directory = temporaryDirectory()
    chmodSync(directory, 0o755)
    const before = process.umask(umask)
    const store = await openJournal(directory)
    await fill(store, 3)
    await store.close()
    process.umask(before)

    assert.is(statSync(directory).mode & 0o777, 0o700)
    for (const name of ['journal.mdb', 'journal.mdb-lock', 'anchor.json']) {
      assert.is(statSync(join(directory, name)).mode & 0o777, 0o600, name)
    }
  }
})

journal('D-R9 2,000 appends of one turn go in commits of at most 500 operations', async () => {
  const directory = temporaryDirectory()
  const store = await openJournal(directory)
  const before = store.stats().commits
  await fill(store, 2_000, 1)

  // A new stream's two names are operations too, so the first commit holds 498 records.
  assert.is(store.stats().commits - before, 5)
  assert.is(store.head().position, 2_000)
  await store.close()
})

journal('S7 a unit that does not fit waits, and nothing overtakes it', async () => {
  const store = await openJournal(temporaryDirectory())
  const half = limits.commitBytesMax / 2 + 1
  const appends = [0, 1, 2].map((i) => {
    const large = { ref: `b:${i}`, salt: new Uint8Array(16), bytes: new Uint8Array(half) }
    return store.append({ ...draft(`run:${i}`, 0), bodies: [large] })
  })
  appends.push(store.append(draft('run:small', 0)))

  assert.equal(
    (await Promise.all(appends)).map(({ position }) => position),
    [1, 2, 3, 4],
  )
  assert.is(store.stats().commits, 3)
  await store.close()
})

journal('closing waits for what is on its way', async () => {
  const directory = temporaryDirectory()
  const store = await openJournal(directory)
  const appends = fill(store, 1_200)
  await store.close()
  await appends

  const reader = await openLmdbReader(directory)
  assert.is(reader.head().position, 1_200)
  await reader.close()
})

journal('the anchor names the head after closing', async () => {
  const directory = temporaryDirectory()
  const store = await openJournal(directory)
  await fill(store, 5)
  const { hash } = store.head()
  await store.close()

  assert.equal(JSON.parse(readFileSync(join(directory, 'anchor.json'), 'utf8')), {
    position: 5,
    hash: Buffer.from(hash).toString('hex'),
    epoch: 1,
  })
})

journal('D-R4 appends are refused while the disk is nearly full, and go on after', async () => {
  const disk = { freeBytes: limits.spaceStopBytes - 1, now: 0 }
  const store = await openJournal(temporaryDirectory(), {
    freeBytes: () => disk.freeBytes,
    monotonic: () => disk.now,
  })
  await refusal(() => store.append(draft('run:a', 0)), 'STORE_LOW_SPACE')
  assert.is(store.head().position, 0)

  // What was seen is believed for a while, then looked at again.
  disk.freeBytes = limits.spaceStopBytes
  disk.now = limits.spaceCheckIntervalMs - 1
  await refusal(() => store.append(draft('run:a', 0)), 'STORE_LOW_SPACE')
  disk.now = limits.spaceCheckIntervalMs
  assert.equal(await store.append(draft('run:a', 0)), { position: 1, version: 1 })

  // What can be made again does not take the last room.
  await refusal(() => store.putSnapshot('run:a', 1, Buffer.of(1)), 'STORE_LOW_SPACE')
  assert.is(store.read(1)!.stream, 'run:a')
  await store.close()
})

journal('S2 the flushed index is the index that the records give', async () => {
  const directory = temporaryDirectory()
  const streams = Array.from({ length: 40 }, (_, i) => `run:${i}`)
  const store = await openJournal(directory)
  await fill(store, limits.indexTailRecordsMax + 900, 40)
  const follower = await openLmdbReader(directory)
  const before = indexOf(follower, streams)
  // A second flush fills up the runs of the first; the follower sees runs grow under it.
  const from = store.version('run:0')
  for (let i = 0; i < 6; i += 1) {
    await Promise.all(
      Array.from({ length: 900 }, (_, k) => store.append(draft('run:0', from + i * 900 + k))),
    )
  }

  const expected = indexOf(store, streams)
  assert.equal(indexOf(follower, streams), expected)
  assert.not.equal(before, expected)
  await follower.close()
  await store.close()
  assert.equal((await verifyJournal(directory, { deep: true })).faults, [])
  const reopened = await openJournal(directory)
  assert.equal(indexOf(reopened, streams), expected)
  await reopened.close()
})

journal('S2 the index survives any interleaving of streams, flushes and reopenings', async () => {
  const step = fc.record({
    picks: fc.array(fc.nat(8), { minLength: 1, maxLength: 60 }),
    reopen: fc.boolean(),
    times: fc.integer({ min: 1, max: 40 }),
  })
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 5 }),
    async (steps) => {
      const directory = temporaryDirectory()
      const model = new Map<string, number[]>()
      let position = 0
      let store = await openJournal(directory)
      for (const { picks, reopen, times } of steps) {
        const appends: Promise<unknown>[] = []
        for (let i = 0; i < picks.length * times; i += 1) {
          const name = `run:${picks[i % picks.length]}`
          const positions = model.get(name) ?? []
          appends.push(store.append(draft(name, positions.length)))
          position += 1
          model.set(name, [...positions, position])
        }
        await Promise.all(appends)
        if (!reopen) continue
        await store.close()
        store = await openJournal(directory)
      }
      for (const [name, positions] of model) {
        assert.is(store.version(name), positions.length)
        assert.equal(
          positions.map((_, i) => store.positionOf(name, i + 1)),
          positions,
        )
        for (const at of [1, 7, Math.floor(position / 2), position - 1, position]) {
          const versions = positions.filter((each) => each <= at).length
          assert.is(store.versionAt(name, at), versions, `${name} at ${at}`)
        }
      }
      await store.close()
      assert.equal((await verifyJournal(directory, { deep: true })).faults, [])
    },
  )
  await fc.assert(property, { numRuns: 12, seed: 1842 })
})

journal('compaction keeps the chain verifiable, also after reopening', async () => {
  const directory = temporaryDirectory()
  const store = await openJournal(directory)
  await fill(store, 1_500, 2)
  await store.putSnapshot('run:0', 700, Buffer.from('fold'))
  assert.equal(await store.compact('run:0', 750), { removed: 699 })
  await store.close()

  const report = await verifyInChild(directory, { deep: true })
  assert.equal([report.head, report.records, report.faults], [1_500, 1_500, []])
  const reader = await openLmdbReader(directory)
  assert.is(reader.read(1), null)
  assert.is([...reader.stream('run:0', 700)].length, 51)
  await refusal(() => [...reader.stream('run:0', 699)], 'HISTORY_PRUNED')
  await reader.close()
})

journal.run()
