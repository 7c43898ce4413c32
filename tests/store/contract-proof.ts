/** The part of the contract suite about proofs: tree, signed heads, keys, code, erasure. */
import * as assert from 'uvu/assert'
import {
  CompactRange,
  EMPTY_ROOT,
  isExtension,
  isIncluded,
  leafHash,
} from '../../protocol/history/merkle.ts'
import { body, draft, refusal, type Add } from './contract.ts'
import type { Store } from '../../store/contract.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Roots of all sizes, folded from the links of a store alone. */
function rootsOf(store: Store): Uint8Array[] {
  const range = new CompactRange(0, () => EMPTY_ROOT)
  const roots = [range.root()]
  for (let position = 1; position <= store.head().position; position += 1) {
    const { hash, stream } = store.link(position)!
    range.append(leafHash(hash, stream))
    roots.push(range.root())
  }
  return roots
}

async function fill(store: Store, records: number): Promise<void> {
  await Promise.all(
    Array.from({ length: records }, (_, i) =>
      store.append(draft(`run:${i % 3}`, Math.floor(i / 3), i)),
    ),
  )
}

/** Adds the cases. */
export function proofCases(promise: Add): void {
  promise('S13 the root stands for hash and stream of every record', async (store) => {
    assert.equal(store.tree.head(), { size: 0, root: EMPTY_ROOT })
    await fill(store, 30)
    const roots = rootsOf(store)
    await store.append(draft('run:9', 0))

    assert.is(hex(store.tree.root(30)), hex(roots[30]!))
    assert.is(store.tree.head().size, 31)
    assert.is(hex(store.tree.head().root), hex(rootsOf(store)[31]!))
    assert.is(hex(store.tree.root(0)), hex(EMPTY_ROOT))
  })

  promise('S13 proofs hold for every size, over tiles and before them', async (store) => {
    await fill(store, 600)
    await store.tree.ready
    const { size, root } = store.tree.head()
    const roots = rootsOf(store)

    assert.is(hex(root), hex(roots[600]!))
    for (const at of [1, 2, 255, 256, 257, 511, 512, 513, 600]) {
      const { hash, stream } = store.link(at)!
      const claim = { leaf: leafHash(hash, stream), index: at - 1, size, root }
      assert.ok(isIncluded(claim, store.tree.inclusion(at, size)), `inclusion of ${at}`)
      const older = { size: at, root: roots[at]! }
      assert.is(hex(store.tree.root(at)), hex(roots[at]!), `root of ${at}`)
      assert.ok(isExtension(older, { size, root }, store.tree.consistency(at, size)))
    }
  })

  promise('S13 sizes and positions beyond the journal are refused', async (store) => {
    await fill(store, 5)

    for (const size of [6, -1, 1.5, NaN]) {
      await refusal(() => store.tree.root(size), 'NOT_FOUND')
      await refusal(() => store.tree.consistency(1, size), 'NOT_FOUND')
      await refusal(() => store.tree.inclusion(1, size), 'NOT_FOUND')
    }
    await refusal(() => store.tree.inclusion(0, 5), 'NOT_FOUND')
    await refusal(() => store.tree.inclusion(4, 3), 'NOT_FOUND')
  })

  promise('S13 compaction and erasure change no root', async (store) => {
    for (let i = 0; i < 9; i += 1) {
      await store.append({ ...draft('run:a', i), bodies: [body(`text ${i}`)] })
    }
    const before = store.tree.head()
    await store.putSnapshot('run:a', 8, Buffer.from('eight'))
    await store.compact('run:a', 8)
    await store.erase([body('text 1').ref])

    assert.is(hex(store.tree.root(9)), hex(before.root))
    assert.is(hex(store.tree.head().root), hex(before.root))
  })

  promise('S13 an erased body is gone for good, and known to have been', async (store) => {
    const [one, two] = [body('one'), body('two', 9)]
    await store.append({ ...draft('run:a', 0), bodies: [one, two] })
    const hash = store.head().hash

    assert.equal(await store.erase([one.ref, one.ref, 'b:00000000000000000000']), { erased: 1 })

    assert.is(store.body(one.ref), null)
    assert.is(store.salted(one.ref), null)
    assert.is(store.bodyState(one.ref), 'erased')
    assert.is(store.bodyState(two.ref), 'there')
    assert.is(store.bodyState('b:00000000000000000000'), 'missing')
    assert.equal(Buffer.from(store.salted(two.ref)!.salt), Buffer.alloc(16, 9))
    assert.is(Buffer.from(store.salted(two.ref)!.bytes).toString(), 'two')
    assert.is(hex(store.head().hash), hex(hash))
    assert.equal(await store.erase([one.ref]), { erased: 0 })
    assert.equal(await store.erase([]), { erased: 0 })
  })

  promise('S13 many bodies are erased', async (store) => {
    const bodies = Array.from({ length: 450 }, (_, i) => body(`text ${i}`))
    await store.append({ ...draft('run:a', 0), bodies })

    assert.equal(await store.erase(bodies.map(({ ref }) => ref)), { erased: 450 })
    assert.ok(bodies.every(({ ref }) => store.bodyState(ref) === 'erased'))
  })

  promise('signed heads are kept in order, none ahead of the journal', async (store) => {
    await fill(store, 10)
    assert.is(store.signedHead(), null)
    for (const position of [3, 10, 7]) await store.putHead(position, `head of ${position}`)

    assert.equal(store.signedHead(), { position: 10, text: 'head of 10' })
    assert.equal(store.signedHead(9), { position: 7, text: 'head of 7' })
    assert.is(store.signedHead(2), null)
    assert.equal(
      [...store.signedHeads()].map(({ position }) => position),
      [3, 7, 10],
    )
    for (const position of [0, 11, 1.5]) {
      await refusal(() => store.putHead(position, 'no'), 'APPEND_REJECTED')
    }
    await refusal(() => store.putHead(1, ''), 'APPEND_REJECTED')
    await refusal(() => store.putHead(1, 'x'.repeat(5_000)), 'APPEND_REJECTED')
  })

  promise('public keys are kept once, in order', async (store) => {
    const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    for (const key of [two, one, two]) await store.putKey(key)

    assert.equal(store.keys().map(hex), [hex(two), hex(one)])
    await refusal(() => store.putKey(Buffer.alloc(31)), 'APPEND_REJECTED')
  })

  promise('code is kept by its identity', async (store) => {
    await store.putCode('0123456789abcdef', Buffer.from('archive'))

    assert.is(Buffer.from(store.code('0123456789abcdef')!).toString(), 'archive')
    assert.is(store.code('0000000000000000'), null)
    assert.equal(store.codes(), ['0123456789abcdef'])
    await refusal(() => store.putCode('main', Buffer.of(1)), 'APPEND_REJECTED')
  })
}
