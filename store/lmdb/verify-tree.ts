/**
 * Verification of the tree: computes it from the records and holds to it what claims to know it.
 *
 * Checked, for every signed head that is kept: its form, its signature, its root, and that the
 * journal reaches it; the same for a head that was witnessed elsewhere; `deep` also tiles and code.
 * Truth ends at the newest head that somebody else remembers: what is behind it, or signed only by
 * a key inside the copy, could have been made anew by whoever wrote the copy. Step 6 of 8.
 */
import { GatewayError } from '../../protocol/errors.ts'
import {
  formatVerifier,
  type Verifier,
  verifierOf,
  verifyCheckpoint,
} from '../../protocol/history/checkpoint.ts'
import { CompactRange, EMPTY_ROOT, isEqual, leafHash } from '../../protocol/history/merkle.ts'
import { limits } from '../../protocol/limits.ts'
import { parseArchive } from '../code-archive.ts'
import { corruptRecord, corruptValue } from '../seal.ts'
import { listKeys, readDecoded, readValue } from './environment.ts'
import { readHeadAt, readKeys } from './proof.ts'
import type { UnsealedRecord } from '../seal.ts'
import type { Tables } from './environment.ts'
import type { FaultList } from './verify.ts'

/** A head that was seen elsewhere, its signature checked by whoever brings it. */
export interface WitnessedHead {
  readonly size: number
  readonly root: string // base64
}

/** What to hold the tree to. */
export interface TreeOptions {
  readonly deep: boolean // tiles and code too
  readonly witnessed: WitnessedHead | null
  readonly verifiers: readonly Verifier[] | null // only these may have signed; null: those inside
}

/** What the tree of a journal is. */
export interface TreeReport {
  readonly size: number // records that the root covers
  readonly root: string // base64
  readonly heads: number // signed heads that hold
  readonly signed: number // size of the newest of these; what is behind it is the unsigned tail
  readonly witnessed: number | null // size of the witnessed head, where it holds
  readonly keys: readonly string[] // verifiers of the keys that are kept inside
}

const TILE_LEAVES = 2 ** limits.treeTileLevel

/** Grows with the walk over the records, from the first on. */
export class TreeCheck {
  readonly #tables: Tables
  readonly #list: FaultList
  readonly #options: TreeOptions
  readonly #keys: readonly Uint8Array[]
  readonly #verifiers: readonly Verifier[]
  readonly #signed: ReadonlySet<number> // sizes of the signed heads that are kept
  readonly #names = new Map<number, string>()
  readonly #range: CompactRange
  #broken = false // a leaf is unknown: no root behind it can be computed
  #heads = 0
  #newest = 0
  #witnessed: number | null = null

  constructor(tables: Tables, list: FaultList, options: TreeOptions) {
    this.#tables = tables
    this.#list = list
    this.#options = options
    this.#keys = list.attempt(() => readKeys(tables)) ?? []
    this.#verifiers = options.verifiers ?? this.#keys.map(verifierOf)
    const sizes = list.attempt(() => listKeys(tables, 'heads', {})) ?? []
    this.#signed = new Set(sizes.map(Number))
    this.#range = new CompactRange(
      0,
      () => EMPTY_ROOT,
      (level, index, hash) => {
        if (options.deep) list.attempt(() => this.#checkTile(level, index, hash))
      },
    )
    if (options.witnessed?.size === 0) this.#checkWitnessed()
  }

  /** Takes in the next record; null where it cannot be read. */
  take(position: number, record: UnsealedRecord | null): void {
    const name = record === null ? null : this.#nameOf(position, record.streamNumber)
    if (record === null || name === null) this.#broken = true
    if (record === null || name === null || this.#broken) return
    this.#range.append(leafHash(record.hash, name))
    if (this.#signed.has(position)) this.#list.attempt(() => this.#checkHead(position))
    if (this.#options.witnessed?.size === position) this.#checkWitnessed()
  }

  /** Ends at the head of the journal: what lies beyond it is a fault. */
  finish(head: number): TreeReport {
    for (const size of this.#signed) {
      if (size > head && !this.#list.full()) this.#list.add(cutShort('signed', size, head))
    }
    const { witnessed, deep } = this.#options
    if (witnessed !== null && witnessed.size > head) {
      this.#list.add(cutShort('witnessed', witnessed.size, head))
    }
    if (deep) this.#checkRest(head)
    return {
      size: this.#range.size,
      root: Buffer.from(this.#range.root()).toString('base64'),
      heads: this.#heads,
      signed: this.#newest,
      witnessed: this.#witnessed,
      keys: this.#keys.map((key) => formatVerifier(verifierOf(key))),
    }
  }

  #nameOf(position: number, number: number): string | null {
    const known = this.#names.get(number)
    if (known !== undefined) return known
    return this.#list.attempt(() => {
      const name = readDecoded(this.#tables, 'streams', number)
      if (typeof name !== 'string') throw corruptRecord(position, `unknown stream ${number}`)
      this.#names.set(number, name)
      return name
    })
  }

  #checkHead(position: number): void {
    const head = readHeadAt(this.#tables, position)
    if (head === null) return
    const { size, root } = this.#verified(position, head.text)
    if (size !== position) throw corruptValue('heads', position, `it is a head of ${size}`)
    if (!isEqual(root, this.#range.root())) throw differs('signed', position)
    this.#heads += 1
    this.#newest = position
  }

  // Signed by any of the keys that count; the last refusal is the one that is told.
  #verified(position: number, text: string): ReturnType<typeof verifyCheckpoint> {
    let refusal: unknown = new GatewayError(
      'PROOF_INVALID',
      `head of ${position}: there is no key to hold it to`,
      { position },
    )
    for (const verifier of this.#verifiers) {
      try {
        return verifyCheckpoint(text, verifier)
      } catch (error) {
        refusal = error
      }
    }
    const reason = refusal instanceof Error ? refusal.message : String(refusal)
    throw new GatewayError('PROOF_INVALID', reason, { position, reason })
  }

  #checkWitnessed(): void {
    const { witnessed } = this.#options
    if (witnessed === null) return
    const isSame = isEqual(Buffer.from(witnessed.root, 'base64'), this.#range.root())
    if (isSame) this.#witnessed = witnessed.size
    else this.#list.add(differs('witnessed', witnessed.size))
  }

  #checkTile(level: number, index: number, hash: Uint8Array): void {
    if (level % limits.treeTileLevel !== 0) return
    const key = [level / limits.treeTileLevel, index]
    const kept = readValue(this.#tables, 'tree', key)
    if (kept !== null && !isEqual(kept, hash)) {
      throw corruptValue('tree', key, 'is not what the records make')
    }
  }

  #checkRest(head: number): void {
    const tables = this.#tables
    for (const key of this.#list.attempt(() => listKeys(tables, 'tree', {})) ?? []) {
      const [level, index] = Array.isArray(key) ? key : []
      const last = (Number(index) + 1) * TILE_LEAVES ** Number(level)
      if (!(last <= head)) this.#list.add(corruptValue('tree', key, 'ahead of the journal'))
      if (this.#list.full()) return
    }
    for (const key of this.#list.attempt(() => listKeys(tables, 'code', {})) ?? []) {
      this.#list.attempt(() => {
        const bytes = readValue(tables, 'code', key)
        if (bytes !== null) parseArchive(String(key), bytes)
      })
    }
  }
}

function differs(how: string, position: number): GatewayError {
  const reason = `these records are not the ${position} that the ${how} head stands for`
  return new GatewayError('PROOF_INVALID', `tree: ${reason}`, { position, reason })
}

function cutShort(how: string, position: number, head: number): GatewayError {
  const reason = `the journal ends at ${head}, but a head of ${position} records was ${how}`
  return new GatewayError('STORE_ROLLBACK', `tree: ${reason}`, { position, head, reason })
}
