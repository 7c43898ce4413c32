/** The Merkle tree against a naive one that follows the text of RFC 6962 word by word. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  CompactRange,
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  isExtension,
  isIncluded,
  leafHash,
  nodeHash,
  rootOf,
  type SubtreeHash,
} from '../../../protocol/history/merkle.ts'
import { cases } from '../../store/cases.ts'

const merkle = cases('merkle')
const SIZES = 600

const sha = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const leafOf = (data: Uint8Array): Buffer => sha(Buffer.of(0), data)

/** RFC 6962, 2.1: MTH over the data itself. */
function naive(data: readonly Uint8Array[]): Buffer {
  const [only = Buffer.alloc(0)] = data
  if (data.length === 0) return sha()
  if (data.length === 1) return leafOf(only)
  let k = 1
  while (k * 2 < data.length) k *= 2
  return sha(Buffer.of(1), naive(data.slice(0, k)), naive(data.slice(k)))
}

function subtreesOf(leaves: readonly Uint8Array[]): SubtreeHash {
  const known = new Map<string, Uint8Array>()
  const subtree: SubtreeHash = (level, index) => {
    const key = `${level}/${index}`
    const found =
      known.get(key) ??
      (level === 0
        ? leaves[index]!
        : nodeHash(subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1)))
    known.set(key, found)
    return found
  }
  return subtree
}

const data = Array.from({ length: SIZES }, (_, i) => Buffer.from(`entry ${i}`))
const leaves = data.map(leafOf)
const subtree = subtreesOf(leaves)
const roots = Array.from({ length: SIZES + 1 }, (_, size) => rootOf(size, subtree))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

// The inputs and roots of the reference implementation of RFC 6962.
const VECTORS = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657']
const LAST = '606162636465666768696a6b6c6d6e6f'
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

merkle('RFC 6962 the known roots of 0 to 8 leaves come out', () => {
  const known = [...VECTORS, LAST].map((text) => leafOf(Buffer.from(text, 'hex')))
  const found = ROOTS.map((_, size) => hex(rootOf(size, subtreesOf(known))))

  assert.equal(found, ROOTS)
  assert.is(hex(EMPTY_ROOT), ROOTS[0])
})

merkle('RFC 6962 a leaf holds the hash of its record and the name of its stream', () => {
  const record = sha(Buffer.from('record'))

  assert.is(hex(leafHash(record, 'run:é')), hex(sha(Buffer.of(0), record, Buffer.from('run:é'))))
})

merkle('RFC 6962 roots of all sizes are the naive ones, also leaf by leaf', () => {
  const range = new CompactRange(0, subtree)
  for (let size = 1; size <= SIZES; size += 1) {
    range.append(leaves[size - 1]!)
    assert.is(hex(range.root()), hex(roots[size]!), `size ${size}`)
    if (size % 7 === 0 || size < 40) {
      assert.is(hex(roots[size]!), hex(naive(data.slice(0, size))), `size ${size}`)
      assert.is(hex(new CompactRange(size, subtree).root()), hex(roots[size]!))
    }
  }
})

merkle('RFC 6962 a growing tree tells each subtree that it completes, once', () => {
  const told: string[] = []
  const range = new CompactRange(256, subtree, (level, index, hash) => {
    assert.is(hex(hash), hex(subtree(level, index)))
    told.push(`${level}/${index}`)
  })
  for (const leaf of leaves.slice(256, 520)) range.append(leaf)

  assert.is(new Set(told).size, told.length)
  assert.equal(
    told.filter((each) => each.startsWith('8/') || each.startsWith('9/')),
    ['8/1', '9/0'],
  )
})

merkle('RFC 6962 every inclusion proof of sizes 1 to 600 holds, and only for its own leaf', () => {
  for (let size = 1; size <= SIZES; size += 1) {
    const step = size <= 70 ? 1 : 37
    for (let index = 0; index < size; index += step) {
      const proof = inclusionProof(index, size, subtree)
      const claim = { leaf: leaves[index]!, index, size, root: roots[size]! }
      assert.ok(isIncluded(claim, proof), `${index} of ${size}`)
      assert.not.ok(isIncluded({ ...claim, leaf: leaves[(index + 1) % SIZES]! }, proof))
      assert.not.ok(isIncluded({ ...claim, root: roots[size - 1]! }, proof))
      assert.not.ok(isIncluded({ ...claim, index: size }, proof))
      if (size > 1) assert.not.ok(isIncluded(claim, proof.slice(1)))
    }
  }
  assert.equal(inclusionProof(5, 5, subtree), [])
})

merkle('RFC 6962 every consistency proof of sizes 1 to 600 holds, and for no other tree', () => {
  for (let to = 1; to <= SIZES; to += 1) {
    const step = to <= 70 ? 1 : 41
    for (let from = 0; from <= to; from += step) {
      const proof = consistencyProof(from, to, subtree)
      const [older, newer] = [
        { size: from, root: roots[from]! },
        { size: to, root: roots[to]! },
      ]
      assert.ok(isExtension(older, newer, proof), `${from} to ${to}`)
      assert.not.ok(isExtension({ ...older, root: roots[from + 1] ?? EMPTY_ROOT }, newer, proof))
      // Everything extends an empty journal; nothing else is said of it.
      if (from > 0) assert.not.ok(isExtension(older, { ...newer, root: roots[to - 1]! }, proof))
      if (from > 0 && from < to) {
        assert.not.ok(isExtension(newer, older, proof))
        assert.not.ok(isExtension(older, newer, proof.slice(0, -1)))
      }
    }
  }
})

merkle('RFC 6962 a proof with any bit flipped, or a hash more, is refused', () => {
  const size = fc.integer({ min: 2, max: SIZES })
  const numbers = fc.tuple(size, fc.nat(), fc.nat(), fc.nat())
  fc.assert(
    fc.property(numbers, ([to, a, b, c]) => {
      const from = 1 + (a % (to - 1))
      const claim = { leaf: leaves[from - 1]!, index: from - 1, size: to, root: roots[to]! }
      const [older, newer] = [
        { size: from, root: roots[from]! },
        { size: to, root: roots[to]! },
      ]
      const included = inclusionProof(from - 1, to, subtree)
      const extended = consistencyProof(from, to, subtree)
      for (const [proof, holds] of [
        [included, (each: Uint8Array[]) => isIncluded(claim, each)],
        [extended, (each: Uint8Array[]) => isExtension(older, newer, each)],
      ] as const) {
        assert.ok(holds(proof))
        const wrong = proof.map((each) => Buffer.from(each))
        const [place, bit] = [b % wrong.length, c % 256]
        wrong[place]![bit >> 3]! ^= 1 << (bit & 7)
        assert.not.ok(holds(wrong))
        assert.not.ok(holds([...proof, roots[to]!]))
      }
    }),
    { numRuns: 300 },
  )
})

merkle.run()
