/**
 * Deep verification: holds every table beside `records` to what the records say.
 *
 * Names and numbers of streams must mirror one another and know every stream of the records; runs
 * must be dense and name the right records; bodies must have the digest that they are named by;
 * snapshots and checkpoints must be whole and not ahead of the journal. Step 6 of 8.
 */
import { bodyRef } from '../../protocol/codec.ts'
import { parseBody } from '../shapes.ts'
import { corruptRecord, corruptValue, isCount } from '../seal.ts'
import { readDecoded, readRecord, readValue, walkKeys } from './environment.ts'
import { parseRun } from './streams.ts'
import type { TableKey } from '../seal.ts'
import type { TableName, Tables } from './environment.ts'
import type { FaultList, WalkResult } from './verify.ts'

/** Checks all tables but `records`; faults go to the list. */
export function verifyDeep(tables: Tables, head: number, walk: WalkResult, list: FaultList): void {
  eachKey(tables, 'records', list, (key) => {
    if (isCount(key) && key <= head) return
    throw corruptValue('records', key, 'key is no position')
  })
  eachKey(tables, 'meta', list, (key) => checkMeta(tables, head, key))
  eachKey(tables, 'streams', list, (key) => checkStream(tables, walk, key))
  for (const number of walk.versions.keys()) {
    if (list.full()) return
    list.attempt(() => checkNumber(tables, number))
  }
  checkRuns(tables, walk, list)
  eachKey(tables, 'bodies', list, (key) => checkBody(tables, key))
  eachKey(tables, 'snapshots', list, (key) => checkSnapshot(tables, walk, key))
  eachKey(tables, 'checkpoints', list, (key) => checkCheckpoint(tables, head, key))
}

/** Checks key by key; a key that is damaged is one fault, a page that is ends the walk. */
function eachKey(
  tables: Tables,
  name: TableName,
  list: FaultList,
  check: (key: TableKey) => void,
): void {
  list.attempt(() => {
    for (const key of walkKeys(tables, name)) {
      if (list.full()) return
      list.attempt(() => check(key))
    }
  })
}

function checkMeta(tables: Tables, head: number, key: TableKey): void {
  if (Array.isArray(key) && key[0] === 'key') return // Read with the signed heads.
  const value = readDecoded(tables, 'meta', key)
  if (Array.isArray(key) ? value === key[1] : Number(value) <= head) return
  throw corruptValue('meta', key, `unexpected ${String(value)}`)
}

function checkStream(tables: Tables, walk: WalkResult, key: TableKey): void {
  const other = readDecoded(tables, 'streams', key)
  if (typeof other !== 'string' && !isCount(other)) throw corruptValue('streams', key, 'no stream')
  if (readDecoded(tables, 'streams', other) !== key) {
    throw corruptValue('streams', key, `${other} does not lead back`)
  }
  if (typeof key === 'number' && !walk.versions.has(key)) {
    throw corruptValue('streams', key, 'has no records')
  }
}

function checkNumber(tables: Tables, number: number): void {
  if (typeof readDecoded(tables, 'streams', number) === 'string') return
  throw corruptValue('streams', number, 'records of a stream without a name')
}

function checkRuns(tables: Tables, walk: WalkResult, list: FaultList): void {
  const reached = new Map<number, number>() // stream number -> newest version in runs
  eachKey(tables, 'index', list, (key) => {
    const [number, first] = Array.isArray(key) ? key : []
    const bytes = readValue(tables, 'index', key)
    if (!isCount(number) || !isCount(first) || bytes === null) {
      throw corruptValue('index', key, 'no run')
    }
    const before = reached.get(number) ?? 0
    const positions = parseRun(key, bytes)
    reached.set(number, first + positions.length - 1)
    if (first !== before + 1) throw corruptValue('index', key, `the run before ends at ${before}`)
    positions.forEach((position, i) => checkPlace(tables, position, number, first + i))
  })
  for (const [number, version] of walk.indexed) {
    const known = reached.get(number) ?? 0
    if (list.full()) return
    if (known < version) list.add(corruptValue('index', [number, known + 1], 'no run holds this'))
  }
}

function checkPlace(tables: Tables, position: number, number: number, version: number): void {
  const record = readRecord(tables, position)
  if (record !== null && record.streamNumber === number && record.version === version) return
  throw corruptRecord(position, `the index expects stream ${number} version ${version} here`)
}

function checkBody(tables: Tables, key: TableKey): void {
  const value = typeof key === 'string' ? readValue(tables, 'bodies', key) : null
  if (typeof key !== 'string' || value === null) throw corruptValue('bodies', key, 'key is no ref')
  const body = parseBody(key, value)
  if (body === null) return // Erased: there is nothing left to compare.
  if (body.keyId === 0 && bodyRef(body.salt, body.bytes) !== key) {
    throw corruptValue('bodies', key, 'bytes have another digest')
  }
}

const REF = /^b:[0-9a-f]{20}$/

/**
 * Looks for the bodies that a record names: any member called `ref` that has the form of one.
 * @throws {GatewayError} STORE_CORRUPT: one is missing; an erased one has left its tombstone.
 */
export function checkRefs(tables: Tables, position: number, value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const isMap = !Array.isArray(value)
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'object') checkRefs(tables, position, member)
    if (!isMap || name !== 'ref' || typeof member !== 'string' || !REF.test(member)) continue
    if (tables.bodies.getBinaryFast(member) !== undefined) continue
    throw corruptRecord(position, `names body ${member}, which is missing`)
  }
}

function checkSnapshot(tables: Tables, walk: WalkResult, key: TableKey): void {
  const [number, version] = Array.isArray(key) ? key : []
  if (readValue(tables, 'snapshots', key) === null || typeof number !== 'number') {
    throw corruptValue('snapshots', key, 'no snapshot')
  }
  if (Number(version) <= (walk.versions.get(number) ?? 0)) return
  throw corruptValue('snapshots', key, 'ahead of its stream')
}

function checkCheckpoint(tables: Tables, head: number, key: TableKey): void {
  const position = Array.isArray(key) ? key[1] : null
  if (readValue(tables, 'checkpoints', key) !== null && Number(position) <= head) return
  throw corruptValue('checkpoints', key, 'ahead of the journal')
}
