/**
 * Where the records of a stream stand: names, numbers, versions, positions.
 *
 * A stream's positions lie in runs in the table `index` up to `indexedThrough`, and behind that in
 * memory, in tails. Tails come from the records themselves, so a crash between two chunks of a
 * flush loses nothing: the records are read again and what the runs already know is passed over.
 *
 *   run   [streamNumber, first version] -> sealed msgpack [first position, delta, delta, ...]
 *
 * Everything is looked up when it is asked for: opening reads the tail only. Step 6 of 8.
 */
import assert from 'node:assert/strict'
import { pack, unpack } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { corruptRecord, corruptValue, isCount, seal } from '../seal.ts'
import {
  indexedThrough,
  lastPosition,
  listKeys,
  readDecoded,
  readRecord,
  readValue,
  walkKeys,
} from './environment.ts'
import type { Table, Tables } from './environment.ts'
import type { TableKey } from '../seal.ts'

/** What is known of one stream. */
export interface StreamState {
  readonly name: string
  readonly number: number // from 1, in the order of first appends
  version: number // of the newest committed record
  pendingVersion: number // of the newest record on its way, else `version`
  tailFirst: number // version of tail[0]; runs reach to tailFirst - 1 at least
  tail: number[] // positions of the versions from tailFirst on
}

/** One write of a commit. A `value` of null removes; `once` refuses to overwrite. */
export interface Write {
  readonly table: Table
  readonly key: TableKey
  readonly value: Uint8Array | null
  readonly once: boolean
}

interface Run {
  readonly first: number // version of positions[0]
  readonly positions: number[]
}

const HIGHEST = Number.MAX_SAFE_INTEGER

/** The index of one open journal; the writer's is fed by its commits, a reader's by `refresh`. */
export class StreamIndex {
  readonly #tables: Tables
  readonly #byName = new Map<string, StreamState>()
  readonly #byNumber = new Map<number, StreamState>()
  readonly #names = new Map<number, string>() // of streams without a state
  readonly #runs = new Map<number, Run>() // looked up last; a run only ever grows at its end
  #base = 0 // indexedThrough when the tails were begun
  #scanned = 0 // records up to here are in runs or tails
  #lastNumber = 0

  constructor(tables: Tables) {
    this.#tables = tables
    const [last] = listKeys(tables, 'streams', { start: HIGHEST, reverse: true, limit: 1 })
    this.#lastNumber = typeof last === 'number' ? last : 0
  }

  /** Position of the newest record that is in runs or tails. */
  scanned(): number {
    return this.#scanned
  }

  /** Counts the positions that are not in runs yet. */
  tailLength(): number {
    return this.#scanned - this.#base
  }

  /**
   * Takes in what was committed since the last call: at most limits.indexTailRecordsMax records
   * and what was appended while the last flush ran.
   * @throws {GatewayError} STORE_CORRUPT with details.position.
   */
  refresh(): void {
    const head = lastPosition(this.#tables)
    if (head === this.#scanned) return
    const base = indexedThrough(this.#tables)
    if (base !== this.#base) this.#restart(base)
    while (this.#scanned < head) this.#scan(this.#scanned + 1)
  }

  // Runs have grown: cached versions and tails may lie behind them.
  #restart(base: number): void {
    this.#byName.clear()
    this.#byNumber.clear()
    this.#base = base
    this.#scanned = base
  }

  #scan(position: number): void {
    if (position % limits.readTransactionRecordsMax === 0) this.#tables.records.resetReadTxn()
    const record = readRecord(this.#tables, position)
    if (record === null) throw corruptRecord(position, 'missing')
    const state = this.#byNumber.get(record.streamNumber) ?? this.#load(record.streamNumber)
    if (state === null) throw corruptRecord(position, `unknown stream ${record.streamNumber}`)
    this.add(state, record.version, position)
  }

  /**
   * Files a committed record. Versions that the runs already hold are passed over.
   * @throws {GatewayError} STORE_CORRUPT: a version is missing before this one.
   */
  add(state: StreamState, version: number, position: number): void {
    this.#scanned = position
    if (version <= state.version) return
    if (version !== state.version + 1) {
      throw corruptRecord(position, `version ${version} of ${state.name} after ${state.version}`)
    }
    state.tail.push(position)
    state.version = version
    if (state.pendingVersion < version) state.pendingVersion = version
  }

  /** Finds a stream by its name; null where it has no record. */
  find(name: string): StreamState | null {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const number = readDecoded(this.#tables, 'streams', name)
    return isCount(number) ? this.#load(number, name) : null
  }

  /** Reads a stream's name from its number; null where the number is unknown. */
  name(number: number): string | null {
    const known = this.#byNumber.get(number)?.name ?? this.#names.get(number)
    if (known !== undefined) return known
    const name = readDecoded(this.#tables, 'streams', number)
    if (typeof name !== 'string') return null
    if (this.#names.size >= limits.streamsCachedMax) this.#names.clear()
    this.#names.set(number, name)
    return name
  }

  /** Number that the next new stream will get. */
  nextNumber(): number {
    return this.#lastNumber + 1
  }

  /** Adds a stream that has no record yet, under `nextNumber`. */
  create(name: string): StreamState {
    this.#lastNumber += 1
    return this.#keep(name, this.#lastNumber, 0)
  }

  #load(number: number, name = this.name(number)): StreamState | null {
    if (name === null) return null
    const run = this.#run(number, HIGHEST)
    return this.#keep(name, number, run === null ? 0 : run.first + run.positions.length - 1)
  }

  #keep(name: string, number: number, version: number): StreamState {
    // Twice the cap, so that the walk is paid for by as many streams as it lets go.
    if (this.#byNumber.size >= 2 * limits.streamsCachedMax) this.#forgetUnused()
    const state: StreamState = {
      name,
      number,
      version,
      pendingVersion: version,
      tailFirst: version + 1,
      tail: [],
    }
    this.#byName.set(name, state)
    this.#byNumber.set(number, state)
    return state
  }

  /**
   * Finds positions of a stream from a version on: as many as lie together, none past its end.
   * @throws {GatewayError} STORE_CORRUPT: a run is damaged or missing.
   */
  positions(state: StreamState, version: number): readonly number[] {
    if (version < 1 || version > state.version) return []
    if (version >= state.tailFirst) return state.tail.slice(version - state.tailFirst)
    const run = this.#runWith(state.number, version)
    const found = run === null ? [] : run.positions.slice(version - run.first)
    if (found.length > 0) return found
    throw corruptValue('index', [state.number, version], 'no run holds this version')
  }

  /** Finds the newest version of a stream at or before a position; 0 where it began later. */
  versionAt(state: StreamState, position: number): number {
    const [first] = state.tail
    if (first !== undefined && first <= position) {
      return state.tailFirst + countThrough(state.tail, position) - 1
    }
    // Positions rise with versions, so the answer is found by halving what lies in runs.
    let low = 0
    let high = state.tailFirst - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const positions = this.positions(state, middle)
      if ((positions[0] ?? 0) > position) high = middle - 1
      else if ((positions.at(-1) ?? 0) > position) {
        return middle + countThrough(positions, position) - 1
      } else low = middle + positions.length - 1
    }
    return low
  }

  /** Names all streams that have a record, in the order of their first records. */
  *allNames(): Generator<string> {
    for (let number = 1; ; number += 1) {
      const name = this.name(number)
      if (name === null) return
      if ((this.find(name)?.version ?? 0) > 0) yield name
    }
  }

  /** Names those of one kind that have a record; costs by their number, not by that of all. */
  namesOf(kind: string): string[] {
    const range = { start: `${kind}:`, end: `${kind};` } // The sign behind the colon ends it.
    const found: StreamState[] = []
    for (const name of walkKeys(this.#tables, 'streams', range)) {
      const state = typeof name === 'string' ? this.find(name) : null
      if (state !== null && state.version > 0) found.push(state)
    }
    return found.sort((a, b) => a.number - b.number).map(({ name }) => name)
  }

  #runWith(number: number, version: number): Run | null {
    const known = this.#runs.get(number)
    const isIn = known !== undefined && version >= known.first
    return isIn && version < known.first + known.positions.length
      ? known
      : this.#run(number, version)
  }

  /** Finds the run with the highest first version at or below one. */
  #run(number: number, version: number): Run | null {
    const [key] = listKeys(this.#tables, 'index', {
      start: [number, version],
      end: [number],
      reverse: true,
      limit: 1,
    })
    if (!Array.isArray(key)) return null
    const first = key[1]
    const bytes = readValue(this.#tables, 'index', key)
    if (!isCount(first) || bytes === null) throw corruptValue('index', key, 'no run')
    const run = { first, positions: parseRun(key, bytes) }
    if (this.#runs.size >= limits.runsCachedMax) this.#runs.clear()
    this.#runs.set(number, run)
    return run
  }

  /** Yields the writes that put all tail positions up to `through` into runs, as it is asked. */
  *flushWrites(through: number): Generator<Write> {
    for (const state of this.#byNumber.values()) {
      const count = countThrough(state.tail, through)
      if (count > 0) yield* this.#runWrites(state, state.tail.slice(0, count))
    }
  }

  // The last run is filled up first, so that a quiet stream does not gather runs of one.
  #runWrites(state: StreamState, positions: number[]): Write[] {
    const writes: Write[] = []
    const last = this.#run(state.number, HIGHEST)
    const reached = last === null ? 0 : last.first + last.positions.length - 1
    assert.equal(reached, state.tailFirst - 1, 'the runs of a stream reach up to its tail')
    const isFull = last === null || last.positions.length >= limits.indexRunPositionsMax
    const first = isFull ? state.tailFirst : last.first
    const pending = isFull ? positions : [...last.positions, ...positions]
    for (let at = 0; at < pending.length; at += limits.indexRunPositionsMax) {
      const key = [state.number, first + at]
      const value = formatRun(pending.slice(at, at + limits.indexRunPositionsMax))
      writes.push({ table: this.#tables.index, key, value: seal(key, value), once: false })
    }
    return writes
  }

  /** Forgets tail positions up to `through`, which are in runs now, and streams long unused. */
  settleFlush(through: number): void {
    this.#base = through
    for (const state of this.#byNumber.values()) {
      const count = countThrough(state.tail, through)
      state.tail = state.tail.slice(count)
      state.tailFirst += count
    }
    this.#forgetUnused()
  }

  // Only what has nothing in its tail and nothing on its way can be read again from the runs.
  #forgetUnused(): void {
    for (const state of this.#byNumber.values()) {
      if (this.#byNumber.size <= limits.streamsCachedMax) return
      if (state.tail.length > 0 || state.pendingVersion > state.version) continue
      this.#byNumber.delete(state.number)
      this.#byName.delete(state.name)
    }
  }
}

function countThrough(tail: readonly number[], through: number): number {
  let count = 0
  while (count < tail.length && (tail[count] ?? 0) <= through) count += 1
  return count
}

function formatRun(positions: readonly number[]): Uint8Array {
  return pack(positions.map((position, i) => position - (i === 0 ? 0 : (positions[i - 1] ?? 0))))
}

/**
 * Reads the positions of a run.
 * @throws {GatewayError} STORE_CORRUPT: they do not rise.
 */
export function parseRun(key: TableKey, bytes: Uint8Array): number[] {
  const deltas = unpack(bytes)
  if (!Array.isArray(deltas) || deltas.length === 0) throw corruptValue('index', key, 'no run')
  const positions: number[] = []
  let position = 0
  for (const delta of deltas) {
    if (!isCount(delta)) throw corruptValue('index', key, 'positions do not rise')
    position += delta
    positions.push(position)
  }
  return positions
}
