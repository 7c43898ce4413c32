/**
 * Verification: walks the journal and holds every record to its checksum and its place.
 *
 * Checked: checksum and shape of each record, its link to the one before it, dense positions, dense
 * versions in each stream, the anchor; `tree` computes the Merkle tree and holds the signed heads
 * to it (verify-tree.ts); `deep` also compares every other table with the records (verify-deep.ts)
 * and looks for the bodies that they name. Damage may crash the process that meets it: call through
 * check.ts unless that process is yours to lose. Step 6 of 8.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { ZERO_HASH, corruptRecord } from '../seal.ts'
import { checkAnchor, readAnchor, rollback } from './anchor.ts'
import { indexedThrough, lastPosition, openEnvironment, readRecord } from './environment.ts'
import { checkRefs, verifyDeep } from './verify-deep.ts'
import { TreeCheck, type TreeReport, type WitnessedHead } from './verify-tree.ts'
import { parseVerifier } from '../../protocol/history/checkpoint.ts'
import type { ErrorCode, ErrorDetails } from '../../protocol/errors.ts'
import type { UnsealedRecord } from '../seal.ts'
import type { Tables } from './environment.ts'

/** What to check: all records, those from a position on, or the newest ones. */
export interface VerifyOptions {
  readonly from?: number
  readonly tail?: boolean // the last limits.verifyTailRecords; wins over `from`
  readonly lock?: boolean // that the lock for writing can be had, once the report is told
  readonly deep?: boolean // all other tables too; needs the walk from position 1
  readonly tree?: boolean // the tree and its signed heads; implied by `deep`; the same
  readonly witnessed?: WitnessedHead // a head seen elsewhere, which the journal must extend
  readonly key?: string // the verifier of the only key that may have signed
}

/** One fault: where it lies and what is wrong there. */
export interface VerifyFault {
  readonly code: ErrorCode
  readonly reason: string
  readonly position?: number
  readonly database?: string
  readonly key?: unknown
}

/** What a verification found. */
export interface VerifyReport {
  readonly ok: boolean
  readonly head: number // newest position, 0 where it cannot be read
  readonly records: number // read and whole
  readonly firstFault: VerifyFault | null
  readonly faults: readonly VerifyFault[] // at most limits.verifyFaultsMax; then the walk ends
  readonly tree: TreeReport | null // null where it was not asked for, or nothing could be read
}

/** What the walk learns of the streams, for the comparison with the other tables. */
export interface WalkResult {
  readonly versions: Map<number, number> // stream number -> newest version
  readonly indexed: Map<number, number> // the same, at indexedThrough
}

/** Gathers faults, and tells when there are enough. */
export class FaultList {
  readonly faults: VerifyFault[] = []

  /** Runs a check; a GatewayError becomes a fault. Returns what the check did, else null. */
  attempt<T>(check: () => T): T | null {
    try {
      return check()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.add(error)
      return null
    }
  }

  /** Adds a fault. */
  add({ code, message, details }: GatewayError): void {
    this.faults.push({ code, ...placeOf(details), reason: reasonOf(details) ?? message })
  }

  /** Tells whether more faults would not be listed. */
  full(): boolean {
    return this.faults.length >= limits.verifyFaultsMax
  }
}

/**
 * Verifies a journal directory.
 * @throws {GatewayError} NOT_FOUND: there is no journal. Damage is reported, not thrown.
 */
export async function verifyJournal(
  directory: string,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const list = new FaultList()
  let head = 0
  let records = 0
  let tree: TreeReport | null = null
  // Before the journal: a writer beside us moves the journal first and the anchor after it.
  const anchor = list.attempt(() => readAnchor(directory))
  const environment = list.attempt(() => openForVerify(directory, anchor?.position ?? 0))
  if (environment !== null) {
    const { tables, close } = environment
    head = list.attempt(() => lastPosition(tables)) ?? 0
    if (anchor !== null) list.attempt(() => checkAnchor(tables, anchor))
    const check = createTreeCheck(tables, list, options)
    const walk = new Walk(tables, list, firstPosition(options, head))
    records = walk.run(head, (position, record) => {
      check?.take(position, record)
      if (options.deep === true && record !== null) {
        list.attempt(() => checkRefs(tables, position, record.fields))
      }
    })
    tree = check?.finish(head) ?? null
    if (options.deep === true && !list.full()) {
      list.attempt(() => verifyDeep(tables, head, walk, list))
    }
    await close()
  }
  const [firstFault = null] = list.faults
  return { ok: firstFault === null, head, records, firstFault, faults: list.faults, tree }
}

function createTreeCheck(
  tables: Tables,
  list: FaultList,
  { tree, deep = false, witnessed, key }: VerifyOptions,
): TreeCheck | null {
  if (tree !== true && !deep) return null
  const verifiers = key === undefined ? null : [parseVerifier(key)]
  return new TreeCheck(tables, list, { deep, witnessed: witnessed ?? null, verifiers })
}

function openForVerify(directory: string, anchored: number): ReturnType<typeof openEnvironment> {
  try {
    return openEnvironment(directory, 'read')
  } catch (error) {
    const gone = error instanceof GatewayError && error.code === 'NOT_FOUND' && anchored > 0
    throw gone ? rollback('the journal file is gone', anchored, 0) : error
  }
}

function firstPosition({ from, tail, deep, tree }: VerifyOptions, head: number): number {
  if (deep === true || tree === true) return 1
  if (tail === true) return Math.max(1, head - limits.verifyTailRecords + 1)
  return Math.max(1, from ?? 1)
}

/** Walks the records upwards, remembering what the next one must be. */
class Walk implements WalkResult {
  readonly versions = new Map<number, number>()
  readonly indexed = new Map<number, number>()
  readonly #tables: Tables
  readonly #list: FaultList
  readonly #from: number
  #previousHash: Uint8Array | null = ZERO_HASH // null behind a record that cannot be read
  #gaps = false // a record was unreadable: a stream's next version is unknown

  constructor(tables: Tables, list: FaultList, from: number) {
    this.#tables = tables
    this.#list = list
    this.#from = from
    if (from > 1) this.#previousHash = this.#read(from - 1)?.hash ?? null
  }

  /** Checks everything up to the head; `also` sees each. Returns how many records were whole. */
  run(head: number, also: (position: number, record: UnsealedRecord | null) => void): number {
    const through = this.#list.attempt(() => indexedThrough(this.#tables)) ?? 0
    let whole = 0
    for (let position = this.#from; position <= head && !this.#list.full(); position += 1) {
      if (position % limits.readTransactionRecordsMax === 0) this.#tables.records.resetReadTxn()
      const record = this.#read(position)
      this.#gaps ||= record === null
      if (record !== null) {
        whole += 1
        this.#list.attempt(() => this.#checkLink(position, record))
        this.#list.attempt(() => this.#checkVersion(position, record))
        if (position <= through) this.indexed.set(record.streamNumber, record.version)
      }
      this.#previousHash = record?.hash ?? null
      also(position, record)
    }
    return whole
  }

  #read(position: number): UnsealedRecord | null {
    return this.#list.attempt(() => {
      const record = readRecord(this.#tables, position)
      if (record === null) throw corruptRecord(position, 'missing')
      return record
    })
  }

  #checkLink(position: number, { previousHash }: UnsealedRecord): void {
    if (this.#previousHash === null) return
    if (Buffer.compare(previousHash, this.#previousHash) === 0) return
    throw corruptRecord(position, 'does not follow the record before it')
  }

  #checkVersion(position: number, { streamNumber, version }: UnsealedRecord): void {
    const newest = this.versions.get(streamNumber)
    this.versions.set(streamNumber, version)
    const first = this.#from === 1 && !this.#gaps ? 1 : version
    const expected = newest === undefined ? first : newest + 1
    if (version === expected || (this.#gaps && version > expected)) return
    throw corruptRecord(
      position,
      `stream ${streamNumber}: expected version ${expected}, got ${version}`,
    )
  }
}

function placeOf(details: ErrorDetails): Pick<VerifyFault, 'position' | 'database' | 'key'> {
  const { position, database, key } = details
  if (typeof position === 'number') return { position }
  return typeof database === 'string' ? { database, key } : {}
}

function reasonOf({ reason }: ErrorDetails): string | null {
  return typeof reason === 'string' ? reason : null
}
