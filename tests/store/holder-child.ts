/**
 * A foreign process at a journal's file, which holds what it has taken until it is killed.
 *
 *   node holder-child.js <directory> read <count>   that many readers, each in a transaction
 *   node holder-child.js <directory> write          the one lock for writing
 *   stdout   `holds <count>` once it does
 */
import { createRequire } from 'node:module'
import { writeSync } from 'node:fs'
import { lmdb } from '../../store/lmdb/native.ts'
import { dataFile } from '../../store/lmdb/environment.ts'
import { memberOf } from '../../protocol/members.ts'

const [, , directory = '.', what, count = '1'] = process.argv
const READ_ONLY = 0x20000
const root = lmdb.open(dataFile(directory), {
  noSubdir: true,
  encoding: 'binary',
  readOnly: what === 'read',
  overlappingSync: false,
  maxReaders: 1024,
  maxDbs: 11,
})

// The native class is not in lmdb's types, and reads through it are not shared.
type Transaction = new (env: unknown, flags: number) => object
const addon: unknown = memberOf(createRequire(import.meta.url)('lmdb'), 'nativeAddon')
const held: object[] = []

if (what === 'read') {
  const Transaction = memberOf(addon, 'Txn') as Transaction
  try {
    for (let n = 0; n < Number(count); n += 1) {
      held.push(new Transaction(memberOf(root, 'env'), READ_ONLY))
    }
  } catch {
    // The table is full.
  }
  process.stdout.write(`holds ${held.length}\n`)
  setInterval(() => held.length, 60_000)
} else {
  root.transactionSync(() => {
    writeSync(1, 'holds 1\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
}
