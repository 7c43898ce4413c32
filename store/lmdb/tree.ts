/**
 * The writer's tree: fed by what it commits, folded when somebody asks or 256 leaves have gathered.
 *
 *   committed ─► pending (hash, name) ─► compact range ─► tiles, through the commit queue
 *
 * On the way of a commit this costs one push. Tiles that a crash, or a version without a tree, left
 * out are made first, 256 leaves a turn; until then `ready` is open and leaves wait. Step 6 of 8.
 */
import { CompactRange, leafHash, type Tree } from '../../protocol/history/merkle.ts'
import { limits } from '../../protocol/limits.ts'
import { seal } from '../seal.ts'
import { subtreesOf } from '../tree.ts'
import { tilesKept, treeSource } from './proof.ts'
import type { SubtreeHash } from '../../protocol/history/merkle.ts'
import type { Tables } from './environment.ts'
import type { StreamIndex, Write } from './streams.ts'

const TILE_LEAVES = 2 ** limits.treeTileLevel

/** What the tree needs of the journal. */
export interface TreeParts {
  readonly tables: Tables
  readonly index: StreamIndex
  readonly size: number // records committed at opening
  readonly commit: (writes: readonly Write[]) => Promise<void>
}

/** The tree of one writer. */
export class WriterTree {
  /** Contract: StoreTree.ready. */
  readonly ready: Promise<void>
  readonly #parts: TreeParts
  readonly #subtree: SubtreeHash
  #range: CompactRange | null = null // made at the first fold
  #pending: [hash: Uint8Array, stream: string][] = []
  #tiles: Write[] = [] // of the fold in hand
  #isReady = false
  #closed = false
  #head: Tree | null = null // of what is folded; null where the root is to be computed

  constructor(parts: TreeParts) {
    this.#parts = parts
    this.#subtree = subtreesOf(treeSource(parts))
    this.ready = this.#makeTiles()
    this.ready.catch(() => {}) // Told to whoever waits for it.
  }

  /** Takes in a committed record; in the order of positions. */
  add(hash: Uint8Array, stream: string): void {
    this.#pending.push([hash, stream])
  }

  /** Folds what has gathered, once that is a tile's worth. */
  settle(): void {
    if (this.#isReady && this.#pending.length >= TILE_LEAVES) this.#fold()
  }

  /** Contract: StoreTree.head. */
  head(): Tree {
    const range = this.#fold()
    this.#head ??= { size: range.size, root: range.root() }
    return this.#head
  }

  /** Makes no more tiles. */
  close(): void {
    this.#closed = true
  }

  #fold(): CompactRange {
    this.#range ??= new CompactRange(this.#parts.size, this.#subtree, (level, index, hash) => {
      if (level % limits.treeTileLevel === 0) this.#tiles.push(this.#write(level, index, hash))
    })
    if (this.#pending.length === 0) return this.#range
    for (const [hash, stream] of this.#pending) this.#range.append(leafHash(hash, stream))
    this.#pending = []
    this.#head = null
    const writes = this.#tiles
    this.#tiles = []
    // Not waited for: a failed commit shows in `store.failed`, and a missing tile is computed.
    if (writes.length > 0 && !this.#closed) this.#parts.commit(writes).catch(() => {})
    return this.#range
  }

  #write(level: number, index: number, hash: Uint8Array): Write {
    const key = [level / limits.treeTileLevel, index]
    return { table: this.#parts.tables.tree, key, value: seal(key, hash), once: false }
  }

  /** Makes the tiles that are missing below the size at opening. */
  async #makeTiles(): Promise<void> {
    const { tables, size, commit } = this.#parts
    const count = Math.floor(size / TILE_LEAVES)
    for (let index = tilesKept(tables); index < count; index += 1) {
      // Turns in between: connections and commits go on beside it.
      await new Promise((turn) => {
        setImmediate(turn)
      })
      if (this.#closed) return
      await commit(this.#missing(index))
    }
    this.#isReady = true
  }

  // The tile of 256 leaves, and those larger ones whose last part it is.
  #missing(index: number): Write[] {
    const writes: Write[] = []
    let [level, at] = [limits.treeTileLevel, index]
    for (;;) {
      writes.push(this.#write(level, at, this.#subtree(level, at)))
      if ((at + 1) % TILE_LEAVES !== 0) return writes
      level += limits.treeTileLevel
      at = Math.floor(at / TILE_LEAVES)
    }
  }
}
