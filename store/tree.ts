/**
 * The Merkle tree of a store: leaves from records, complete subtrees from tiles where there are any.
 *
 * A tile is the hash of a complete subtree of 256 leaves, 256^2, ...: what saves reading every
 * record for each proof. Tiles are derived: one that is missing or damaged is computed. Step 6 of 8.
 */
import { GatewayError } from '../protocol/errors.ts'
import {
  consistencyProof,
  inclusionProof,
  nodeHash,
  rootOf,
  type SubtreeHash,
} from '../protocol/history/merkle.ts'
import { limits } from '../protocol/limits.ts'
import type { StoreTree } from './contract.ts'

/** Where a tree's hashes come from. */
export interface TreeSource {
  readonly leaf: (position: number) => Uint8Array
  /** The subtree of 256^level leaves at an index, or null where none is kept. */
  readonly tile: (level: number, index: number) => Uint8Array | null
}

/** Makes the getter of complete subtrees over a source. */
export function subtreesOf({ leaf, tile }: TreeSource): SubtreeHash {
  const subtree: SubtreeHash = (level, index) => {
    if (level === 0) return leaf(index + 1)
    const isTile = level % limits.treeTileLevel === 0
    const kept = isTile ? tile(level / limits.treeTileLevel, index) : null
    return kept ?? nodeHash(subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1))
  }
  return subtree
}

/** Makes a tree's roots and proofs; `head` tells how many records there are. */
export function createTree(
  source: TreeSource,
  head: () => number,
): Pick<StoreTree, 'head' | 'root' | 'inclusion' | 'consistency'> {
  const subtree = subtreesOf(source)
  const checked = (size: number): number => {
    if (Number.isSafeInteger(size) && size >= 0 && size <= head()) return size
    const text = `tree: expected a size of 0 to ${head()}, got ${size}`
    throw new GatewayError('NOT_FOUND', text, { size, head: head() })
  }
  return {
    head: () => {
      const size = head()
      return { size, root: rootOf(size, subtree) }
    },
    root: (size) => rootOf(checked(size), subtree),
    inclusion: (position, size) => {
      if (position >= 1 && position <= checked(size)) {
        return inclusionProof(position - 1, size, subtree)
      }
      const text = `tree: record #${position} is not among the first ${size}`
      throw new GatewayError('NOT_FOUND', text, { position, size })
    },
    consistency: (from, to) => consistencyProof(checked(from), checked(to), subtree),
  }
}
