/**
 * The Merkle tree over the journal (RFC 6962, 2.1): one root stands for all records so far, and
 * short proofs tell that a record is in it, or that one journal is the beginning of another.
 *
 *   leaf of position p   SHA-256(0x00, record hash (32), stream name as UTF-8)
 *   node                 SHA-256(0x01, left, right)
 *   root of nothing      SHA-256 of no bytes
 *
 * The name is in the leaf because a record holds only its stream's number. Pure: hashes of
 * complete subtrees are asked of whoever keeps them, so that proofs need not read every record.
 * Indexes count from 0: the leaf of position p has index p - 1.
 */
import { sha256 } from '../digest.ts'

/** The root of an empty journal: 32 bytes. */
export const EMPTY_ROOT: Uint8Array = sha256('')

/** Tells the hash of the complete subtree of 2^level leaves that begins at leaf index * 2^level. */
export type SubtreeHash = (level: number, index: number) => Uint8Array

const LEAF = Buffer.of(0)
const NODE_BYTES = 65
const node = Buffer.allocUnsafeSlow(NODE_BYTES) // Used again for each node.
node[0] = 1

/** Hashes one record, by its hash and its stream's name, as a leaf. */
export function leafHash(recordHash: Uint8Array, stream: string): Uint8Array {
  return sha256(Buffer.concat([LEAF, recordHash, Buffer.from(stream)]))
}

/** Hashes two subtrees of neighbours as one. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1)
  node.set(right, 33)
  return sha256(node)
}

/** The largest power of two below a size of at least 2. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** Hashes the leaves from..to (not included); `from` is a multiple of the first split. */
function rangeHash(from: number, to: number, subtree: SubtreeHash): Uint8Array {
  const size = to - from
  const level = Math.log2(size)
  if (Number.isInteger(level)) return subtree(level, from / size)
  const split = from + splitOf(size)
  return nodeHash(rangeHash(from, split, subtree), rangeHash(split, to, subtree))
}

/** Computes the root of the first `size` leaves. */
export function rootOf(size: number, subtree: SubtreeHash): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, subtree)
}

/**
 * Proves that the leaf at an index is in the tree of `size` leaves (RFC 6962, 2.1.1); empty where
 * the index is beyond it.
 */
export function inclusionProof(index: number, size: number, subtree: SubtreeHash): Uint8Array[] {
  const proof: Uint8Array[] = []
  let [from, to] = [0, size]
  if (index >= size) return proof
  while (to - from > 1) {
    const split = from + splitOf(to - from)
    if (index < split) {
      proof.push(rangeHash(split, to, subtree))
      to = split
    } else {
      proof.push(rangeHash(from, split, subtree))
      from = split
    }
  }
  return proof.toReversed()
}

/** What an inclusion proof claims. */
export interface Inclusion {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
}

/** Tells whether a proof shows that a leaf is in the tree with this root (RFC 9162, 2.1.3.2). */
export function isIncluded(claim: Inclusion, proof: readonly Uint8Array[]): boolean {
  const { leaf, index, size, root } = claim
  if (!isSize(index) || !isSize(size) || index >= size) return false
  let [at, last] = [index, size - 1]
  let found = leaf
  for (const hash of proof) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      found = nodeHash(hash, found)
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)]
    } else {
      found = nodeHash(found, hash)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && isEqual(found, root)
}

/**
 * Proves that the tree of `from` leaves is the beginning of the tree of `to` (RFC 6962, 2.1.2).
 * Empty where there is nothing to prove: `from` is 0, or both are one.
 */
export function consistencyProof(from: number, to: number, subtree: SubtreeHash): Uint8Array[] {
  const proof: Uint8Array[] = []
  if (from <= 0 || from >= to) return proof
  let [start, end, size] = [0, to, from] // size: leaves of the older tree in start..end
  let isWhole = true // the older tree itself is start..start + size: its root need not be told
  while (size !== end - start) {
    const split = splitOf(end - start)
    if (size <= split) {
      proof.push(rangeHash(start + split, end, subtree))
      end = start + split
    } else {
      proof.push(rangeHash(start, start + split, subtree))
      start += split
      size -= split
      isWhole = false
    }
  }
  if (!isWhole) proof.push(rangeHash(start, end, subtree))
  return proof.toReversed()
}

/** One tree by its size and root. */
export interface Tree {
  readonly size: number
  readonly root: Uint8Array
}

/** Tells whether a proof shows that one tree is the beginning of another (RFC 9162, 2.1.4.2). */
export function isExtension(from: Tree, to: Tree, proof: readonly Uint8Array[]): boolean {
  if (!isSize(from.size) || !isSize(to.size) || from.size > to.size) return false
  if (from.size === to.size) return proof.length === 0 && isEqual(from.root, to.root)
  if (from.size === 0) return proof.length === 0 && isEqual(from.root, EMPTY_ROOT)
  const isWhole = Number.isInteger(Math.log2(from.size))
  const [first, ...rest] = isWhole ? [from.root, ...proof] : proof
  if (first === undefined || proof.length === 0) return false
  let [at, last] = [from.size - 1, to.size - 1]
  while (at % 2 === 1) [at, last] = [half(at), half(last)]
  let [older, newer] = [first, first]
  for (const hash of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      older = nodeHash(hash, older)
      newer = nodeHash(hash, newer)
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)]
    } else {
      newer = nodeHash(newer, hash)
    }
    ;[at, last] = [half(at), half(last)]
  }
  return last === 0 && isEqual(older, from.root) && isEqual(newer, to.root)
}

function half(count: number): number {
  return Math.floor(count / 2)
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Tells whether two hashes are the same. */
export function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

/**
 * A tree that grows leaf by leaf and keeps only the roots of its complete subtrees, largest first:
 * one for each bit of its size.
 */
export class CompactRange {
  #size: number
  #roots: Uint8Array[]
  readonly #complete: (level: number, index: number, hash: Uint8Array) => void

  /**
   * Begins with the first `size` leaves, as `subtree` tells them. `complete` is called for each
   * subtree of two leaves and more that a new leaf completes.
   */
  constructor(
    size: number,
    subtree: SubtreeHash,
    complete: (level: number, index: number, hash: Uint8Array) => void = () => {},
  ) {
    this.#size = size
    this.#complete = complete
    this.#roots = []
    let from = 0
    while (from < size) {
      const level = Math.floor(Math.log2(size - from))
      this.#roots.push(subtree(level, from / 2 ** level))
      from += 2 ** level
    }
  }

  get size(): number {
    return this.#size
  }

  /** Adds the next leaf. */
  append(leaf: Uint8Array): void {
    let hash = leaf
    let index = this.#size
    for (let level = 1; index % 2 === 1; level += 1) {
      hash = nodeHash(this.#roots.pop() ?? EMPTY_ROOT, hash)
      index = half(index)
      this.#complete(level, index, hash)
    }
    this.#roots.push(hash)
    this.#size += 1
  }

  /** Computes the root of all leaves so far. */
  root(): Uint8Array {
    let root: Uint8Array | null = null
    for (const hash of this.#roots.toReversed()) root = root === null ? hash : nodeHash(hash, root)
    return root ?? EMPTY_ROOT
  }
}
