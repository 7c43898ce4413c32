/**
 * What proves a journal, in memory: tree, signed heads, keys, code; beside `memory.ts`.
 *
 * Step 6 of 8.
 */
import { CompactRange, leafHash } from '../protocol/history/merkle.ts'
import { checkBytes, checkCodeId, checkHeadText, checkKey, checkPlace } from './draft.ts'
import { corruptRecord, seal, unseal } from './seal.ts'
import { createTree, subtreesOf, type TreeSource } from './tree.ts'
import type { SignedHead, Store, StoredLink } from './contract.ts'

/** What it needs of the store that it belongs to. */
export interface MemoryParts {
  readonly link: (position: number) => StoredLink | null
  readonly head: () => number
  /** Does the work now, in the order of the calls, and answers in a later turn. */
  readonly later: <T>(work: () => T) => Promise<T>
}

type ProofContract = Pick<
  Store,
  | 'tree'
  | 'signedHead'
  | 'signedHeads'
  | 'keys'
  | 'code'
  | 'codes'
  | 'putHead'
  | 'putKey'
  | 'putCode'
>

const decoder = new TextDecoder()

/** Tree, heads, keys and code of one memory store. */
export class MemoryProof {
  readonly #parts: MemoryParts
  readonly #heads = new Map<number, Buffer>() // position -> sealed text
  readonly #keys: Uint8Array[] = []
  readonly #codes = new Map<string, Buffer>() // identity -> sealed archive

  constructor(parts: MemoryParts) {
    this.#parts = parts
  }

  /** The part of the contract that is served here. */
  contract(): ProofContract {
    const { head, later } = this.#parts
    return {
      tree: this.#tree(),
      signedHead: (atMost = Infinity) => [...this.#signedHeads(atMost)].at(-1) ?? null,
      signedHeads: () => this.#signedHeads(Infinity),
      keys: () => [...this.#keys],
      code: (id) => {
        const value = this.#codes.get(id)
        return value === undefined ? null : unseal('code', id, value)
      },
      codes: () => [...this.#codes.keys()].toSorted(),
      putHead: (position, text) =>
        later(() => {
          checkPlace('head', position, head())
          checkHeadText(text)
          this.#heads.set(position, Buffer.from(seal(position, Buffer.from(text))))
        }),
      putKey: (publicKey) =>
        later(() => {
          checkKey(publicKey)
          const isKnown = this.#keys.some((each) => Buffer.compare(each, publicKey) === 0)
          if (!isKnown) this.#keys.push(Uint8Array.from(publicKey))
        }),
      putCode: (id, bytes) =>
        later(() => {
          checkCodeId(id)
          checkBytes(`code ${id}`, bytes)
          this.#codes.set(id, Buffer.from(seal(id, bytes)))
        }),
    }
  }

  #tree(): Store['tree'] {
    const { head } = this.#parts
    const source: TreeSource = { leaf: (position) => this.#leaf(position), tile: () => null }
    const range = new CompactRange(0, subtreesOf(source))
    return {
      ...createTree(source, head),
      head: () => {
        while (range.size < head()) range.append(this.#leaf(range.size + 1))
        return { size: range.size, root: range.root() }
      },
      ready: Promise.resolve(),
    }
  }

  #leaf(position: number): Uint8Array {
    const link = this.#parts.link(position)
    if (link === null) throw corruptRecord(position, 'missing')
    return leafHash(link.hash, link.stream)
  }

  *#signedHeads(atMost: number): Generator<SignedHead> {
    const positions = [...this.#heads.keys()].filter((position) => position <= atMost)
    for (const position of positions.toSorted((a, b) => a - b)) {
      const value = this.#heads.get(position)
      if (value === undefined) continue
      yield { position, text: decoder.decode(unseal('heads', position, value)) }
    }
  }
}
