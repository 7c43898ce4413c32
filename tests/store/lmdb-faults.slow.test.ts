/** What becomes of a journal whose bytes are damaged or put back. */
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { pack } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openEnvironment, readRecord } from '../../store/lmdb/environment.ts'
import { openLmdb, openLmdbReader } from '../../store/lmdb/open.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { packRecordBody, seal, sealRecord } from '../../store/seal.ts'
import { cases } from './cases.ts'
import { body, draft, refusal } from './contract.ts'
import { closedJournal, fill, openJournal, temporaryDirectory } from './journals.ts'
import type { TableName } from '../../store/lmdb/environment.ts'
import type { TableKey } from '../../store/seal.ts'

const PAGE_BYTES = 4096

/** A fixed sequence of numbers below 1: the same damage on every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

/** Copies the data file of a journal, changed, into a directory of its own. */
function damagedCopy(directory: string, change: (bytes: Buffer) => void): string {
  const copy = temporaryDirectory()
  const bytes = readFileSync(join(directory, 'journal.mdb'))
  change(bytes)
  writeFileSync(join(copy, 'journal.mdb'), bytes)
  return copy
}

/** Reads stored values as they lie in the file. */
async function rawValues(
  directory: string,
  name: TableName,
  keys: readonly TableKey[],
): Promise<Buffer[]> {
  const { tables, close } = openEnvironment(directory, 'read')
  const values = keys.map((key) => {
    const value = tables[name].getBinaryFast(key)!
    return Buffer.from(value.subarray(0, value.length))
  })
  await close()
  return values
}

/** Finds every copy of a value: LMDB leaves old pages behind, and only one of them is live. */
function offsetsOf(bytes: Buffer, value: Buffer): number[] {
  const offsets: number[] = []
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1)) offsets.push(at)
  assert.ok(offsets.length > 0, 'the value lies in the file in one piece')
  return offsets
}

function flip(bytes: Buffer, value: Buffer, at: number, mask: number): void {
  for (const offset of offsetsOf(bytes, value)) bytes[offset + at]! ^= mask
}

const damage = cases('journal damage')

damage(
  'S6 S54 P33 F13 a flipped byte in a record is named by position and never served',
  async () => {
    const random = seeded(1842)
    const directory = await closedJournal((store) => fill(store, 300))
    const positions = Array.from({ length: 300 }, (_, i) => i + 1)
    const values = await rawValues(directory, 'records', positions)
    for (let i = 0; i < 60; i += 1) {
      const position = 1 + Math.floor(random() * 300)
      const value = values[position - 1]!
      const at = Math.floor(random() * value.length)
      const mask = 1 << Math.floor(random() * 8)
      const copy = damagedCopy(directory, (bytes) => flip(bytes, value, at, mask))

      const report = await verifyJournal(copy)
      assert.equal([report.ok, report.firstFault?.position], [false, position])
      if (i % 4 > 0) continue
      const found = await refusal(() => verifyInChild(copy), 'STORE_CORRUPT')
      assert.is(found['position'], position)
      const reader = await openLmdbReader(copy)
      const served = await refusal(() => reader.read(position), 'STORE_CORRUPT')
      assert.is(served['position'], position)
      await refusal(() => [...reader.range(1)], 'STORE_CORRUPT')
      await refusal(() => reader.version('run:0'), 'STORE_CORRUPT')
      await reader.close()
    }
  },
)

damage('S6 damage far from the end stops a full check, near it also the opening', async () => {
  const directory = await closedJournal((store) => fill(store, limits.verifyTailRecords + 200))
  const [early, late] = await rawValues(directory, 'records', [100, limits.verifyTailRecords])
  const earlyCopy = damagedCopy(directory, (bytes) => flip(bytes, early!, 50, 1))
  const lateCopy = damagedCopy(directory, (bytes) => flip(bytes, late!, 50, 1))

  await verifyInChild(earlyCopy, { tail: true })
  await verifyInChild(earlyCopy, { from: 102 }) // 101 is held to the hash of 100.
  assert.is((await refusal(() => verifyInChild(earlyCopy), 'STORE_CORRUPT'))['position'], 100)
  await refusal(() => openLmdb({ directory: lateCopy }), 'STORE_CORRUPT')
})

damage('D-R6 F14 a truncated file is found by the child, and this process lives', async () => {
  const directory = await closedJournal((store) => fill(store, 600))
  const copy = damagedCopy(directory, () => {})
  truncateSync(join(copy, 'journal.mdb'), PAGE_BYTES * 9)

  const details = await refusal(() => verifyInChild(copy), 'STORE_CORRUPT')
  assert.ok('signal' in details || 'report' in details)
  await refusal(() => openLmdb({ directory: copy }), 'STORE_CORRUPT')
})

damage('D-R6 F14 a zeroed page is found by the child, and this process lives', async () => {
  const directory = await closedJournal((store) => fill(store, 600))
  for (const position of [1, 300, 600]) {
    const [value] = await rawValues(directory, 'records', [position])
    const copy = damagedCopy(directory, (bytes) => {
      for (const offset of offsetsOf(bytes, value!)) {
        const page = offset - (offset % PAGE_BYTES)
        bytes.fill(0, page, page + PAGE_BYTES)
      }
    })

    await refusal(() => verifyInChild(copy), 'STORE_CORRUPT')
  }
})

damage('S6 a damaged body, name or run is named by table and key', async () => {
  const directory = await closedJournal(async (store) => {
    await store.append({ ...draft('run:a', 0), bodies: [body('precious words')] })
    await fill(store, limits.indexTailRecordsMax + 100)
  })
  const { ref } = body('precious words')
  const cases: [TableName, TableKey][] = [
    ['bodies', ref],
    ['streams', 'run:1'],
    ['index', [2, 1]],
    ['meta', 'indexedThrough'],
  ]
  for (const [name, key] of cases) {
    const [value] = await rawValues(directory, name, [key])
    const copy = damagedCopy(directory, (bytes) => flip(bytes, value!, value!.length - 1, 4))

    const report = await verifyJournal(copy, { deep: true })
    assert.is(report.ok, false)
    const named = report.faults.some(
      (fault) => fault.database === name && JSON.stringify(fault.key) === JSON.stringify(key),
    )
    assert.ok(named, `${name} is named`)
  }
  const [value] = await rawValues(directory, 'bodies', [ref])
  const copy = damagedCopy(directory, (bytes) => flip(bytes, value!, 30, 4))
  const reader = await openLmdbReader(copy)
  const details = await refusal(() => reader.body(ref), 'STORE_CORRUPT')
  assert.equal([details['database'], details['key']], ['bodies', ref])
  await reader.close()
})

damage('a damaged snapshot or checkpoint is passed over for an older one', async () => {
  const directory = await closedJournal(async (store) => {
    await fill(store, 30, 1)
    for (const at of [10, 20]) await store.putSnapshot('run:0', at, Buffer.from(`snapshot ${at}`))
    for (const at of [11, 21]) await store.putCheckpoint('open', at, Buffer.from(`open at ${at}`))
  })
  const [snapshot] = await rawValues(directory, 'snapshots', [[1, 20]])
  const [checkpoint] = await rawValues(directory, 'checkpoints', [['open', 21]])
  const copy = damagedCopy(directory, (bytes) => {
    flip(bytes, snapshot!, 8, 16)
    flip(bytes, checkpoint!, 8, 16)
  })

  const reader = await openLmdbReader(copy)
  assert.is(reader.snapshot('run:0')!.version, 10)
  assert.is(reader.checkpoint('open')!.position, 11)
  await reader.close()
  assert.is((await verifyJournal(copy, { deep: true })).faults.length, 2)
  const store = await openJournal(copy)
  assert.equal(await store.compact('run:0', 30), { removed: 9 })
  await store.close()
})

damage('S6 a record that is not what the index says is not served', async () => {
  const directory = await closedJournal((store) => fill(store, limits.indexTailRecordsMax + 100))
  const { tables, close } = openEnvironment(directory, 'write')
  // Sealed as it should be, but naming the records of another stream.
  const key = [1, 1]
  await tables.index.put(key, seal(key, pack([2, 3, 3])))
  await close()

  const reader = await openLmdbReader(directory)
  const details = await refusal(() => [...reader.stream('run:0')], 'STORE_CORRUPT')
  assert.is(details['position'], 2)
  await reader.close()
  assert.is((await verifyJournal(directory, { deep: true })).ok, false)
})

damage('S2 whole records that do not belong together are told apart by verification', async () => {
  const other = new Uint8Array(32).fill(1)
  const forged: [Uint8Array, string][] = [
    [sealRecord(5, other, packRecordBody(2, 2, [])).value, 'does not follow'],
    [Buffer.alloc(0), 'missing'],
  ]
  for (const [value, reason] of forged) {
    const directory = await closedJournal((store) => fill(store, 9))
    const { tables, close } = openEnvironment(directory, 'write')
    if (value.length > 0) await tables.records.put(5, value)
    else await tables.records.remove(5)
    await close()

    const report = await verifyJournal(directory)
    assert.is(report.firstFault?.position, 5)
    assert.match(report.firstFault?.reason ?? '', reason)
    assert.is((await verifyJournal(directory, { from: 7 })).ok, true)
  }
})

damage('S2 a gap in the versions of a stream is told by verification and by opening', async () => {
  const directory = await closedJournal((store) => fill(store, 9))
  const { tables, close } = openEnvironment(directory, 'write')
  const { hash } = readRecord(tables, 9)!
  const { value } = sealRecord(10, hash, packRecordBody(1, 5, []))
  await tables.records.put(10, value)
  await close()

  const report = await verifyJournal(directory)
  assert.is(report.firstFault?.position, 10)
  assert.match(report.firstFault?.reason ?? '', 'expected version 4, got 5')
  await refusal(() => openJournal(directory), 'STORE_CORRUPT')
})

damage('a flush that was cut short before its last chunk changes nothing', async () => {
  const directory = await closedJournal((store) => fill(store, limits.indexTailRecordsMax + 100))
  const { tables, close } = openEnvironment(directory, 'write')
  await tables.meta.remove('indexedThrough')
  await close()

  const store = await openJournal(directory)
  const count = limits.indexTailRecordsMax + 100
  assert.is(store.version('run:1'), Math.ceil((count - 1) / 3))
  assert.is([...store.stream('run:1')].length, store.version('run:1'))
  await store.append(draft('run:1', store.version('run:1')))
  await store.append(draft('run:9', 0))
  await store.close()
  assert.equal((await verifyJournal(directory, { deep: true })).faults, [])
})

const rollback = cases('journal rollback')

rollback('F15 an older copy of the file is refused with STORE_ROLLBACK', async () => {
  const directory = await closedJournal((store) => fill(store, 10))
  const file = join(directory, 'journal.mdb')
  copyFileSync(file, `${file}.old`)
  const store = await openJournal(directory)
  await store.append(draft('run:0', store.version('run:0')))
  await store.close()
  renameSync(`${file}.old`, file)

  const details = await refusal(() => openJournal(directory), 'STORE_ROLLBACK')
  assert.equal([details['position'], details['head']], [11, 10])
  await refusal(() => openLmdb({ directory }), 'STORE_ROLLBACK')
  await refusal(() => openLmdbReader(directory), 'STORE_ROLLBACK')
  await refusal(() => verifyInChild(directory), 'STORE_ROLLBACK')
  rmSync(join(directory, 'anchor.json'))
  const restored = await openJournal(directory)
  assert.is(restored.head().position, 10)
  await restored.close()
})

rollback('F15 another journal of the same length is refused with STORE_ROLLBACK', async () => {
  const directory = await closedJournal((store) => fill(store, 10, 2))
  const other = await closedJournal((store) => fill(store, 10, 3))
  copyFileSync(join(other, 'journal.mdb'), join(directory, 'journal.mdb'))

  await refusal(() => openJournal(directory), 'STORE_ROLLBACK')
})

rollback('F16 a journal that is gone is never replaced by an empty one', async () => {
  const directory = await closedJournal((store) => fill(store, 10))
  rmSync(join(directory, 'journal.mdb'))

  await refusal(() => openLmdb({ directory }), 'STORE_ROLLBACK')
  await refusal(() => openLmdbReader(directory), 'STORE_ROLLBACK')
  await refusal(() => verifyInChild(directory), 'STORE_ROLLBACK')
  assert.not.ok(existsSync(join(directory, 'journal.mdb')))
})

rollback('an anchor that is no anchor is refused with STORE_CORRUPT', async () => {
  const directory = await closedJournal((store) => fill(store, 10))
  for (const text of ['{', 'null', '{"position":1,"hash":"","epoch":1}']) {
    writeFileSync(join(directory, 'anchor.json'), text)
    await refusal(() => openJournal(directory), 'STORE_CORRUPT')
    await refusal(() => verifyInChild(directory), 'STORE_CORRUPT')
  }
})

damage.run()
rollback.run()
