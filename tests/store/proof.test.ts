/** Tree, signed heads, code and erasure on LMDB: over openings, old journals and damage. */
import * as assert from 'uvu/assert'
import { formatVerifier } from '../../protocol/history/checkpoint.ts'
import { archiveId, formatArchive, parseArchive, readCode } from '../../store/code-archive.ts'
import { openEnvironment } from '../../store/lmdb/environment.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { seal } from '../../store/seal.ts'
import { openSigner } from '../support/signer.ts'
import { cases } from './cases.ts'
import { body, draft, refusal } from './contract.ts'
import { closedJournal, fill, openJournal } from './journals.ts'
import type { TableName } from '../../store/lmdb/environment.ts'
import type { VerifyOptions } from '../../store/lmdb/verify.ts'
import type { TableKey } from '../../store/seal.ts'

const proof = cases('proof on lmdb')
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Changes one table of a closed journal. */
async function change(
  directory: string,
  name: TableName,
  writes: readonly (readonly [TableKey, Uint8Array | null])[],
): Promise<void> {
  const { tables, close } = openEnvironment(directory, 'write')
  await Promise.all(
    writes.map(([key, value]) =>
      value === null ? tables[name].remove(key) : tables[name].put(key, value),
    ),
  )
  await close()
}

async function keysOf(directory: string, name: TableName): Promise<TableKey[]> {
  const { tables, close } = openEnvironment(directory, 'read')
  const keys = [...tables[name].getKeys({})]
  await close()
  return keys
}

async function faultsOf(directory: string, options: VerifyOptions): Promise<string[]> {
  const { faults } = await verifyJournal(directory, options)
  return faults.map(({ code, position, database }) =>
    [code, position ?? database].filter((part) => part !== undefined).join(' '),
  )
}

proof('S13 tiles are written beside the records, and a reader agrees with the writer', async () => {
  let root = ''
  const directory = await closedJournal(async (store) => {
    await fill(store, 600)
    root = hex(store.tree.head().root)
  })

  assert.equal(await keysOf(directory, 'tree'), [
    [1, 0],
    [1, 1],
  ])
  const reader = await openLmdbReader(directory)
  assert.is(hex(reader.tree.head().root), root)
  await reader.close()
  assert.equal(await faultsOf(directory, { deep: true }), [])
})

proof('S13 a journal without tiles gets them at the next opening, beside its work', async () => {
  const directory = await closedJournal((store) => fill(store, 1_100))
  const kept = await keysOf(directory, 'tree')
  await change(
    directory,
    'tree',
    kept.map((key) => [key, null]),
  )
  const store = await openJournal(directory)
  const append = store.append(draft('run:new', 0))
  await store.tree.ready
  await append
  const { root, size } = store.tree.head()
  await store.close()

  assert.is(size, 1_101)
  assert.equal(
    await keysOf(directory, 'tree'),
    [0, 1, 2, 3].map((index) => [1, index]),
  )
  const { tree } = await verifyJournal(directory, { deep: true })
  assert.is(tree!.root, Buffer.from(root).toString('base64'))
})

proof('S13 the tree goes on where an earlier writer left it', async () => {
  const directory = await closedJournal((store) => fill(store, 300))
  const store = await openJournal(directory)
  await Promise.all(Array.from({ length: 300 }, (_, i) => store.append(draft('run:later', i, i))))
  const { root } = store.tree.head()
  await store.close()

  const { tree, ok } = await verifyJournal(directory, { deep: true })
  assert.ok(ok)
  assert.is(tree!.root, Buffer.from(root).toString('base64'))
})

proof('S9 a wrong tile is told by a deep verification, a damaged one costs only time', async () => {
  const directory = await closedJournal((store) => fill(store, 300))
  const { tree: before } = await verifyJournal(directory, { tree: true })
  const key = [1, 0]
  await change(directory, 'tree', [[key, Buffer.from('damaged')]])
  const reader = await openLmdbReader(directory)
  const { root } = reader.tree.head()
  await reader.close()

  assert.is(Buffer.from(root).toString('base64'), before!.root)
  assert.equal(await faultsOf(directory, { deep: true }), ['STORE_CORRUPT tree'])
  await change(directory, 'tree', [[key, seal(key, Buffer.alloc(32, 1))]])
  assert.equal(await faultsOf(directory, { deep: true }), ['STORE_CORRUPT tree'])
  await change(directory, 'tree', [
    [key, null],
    [[1, 1], seal([1, 1], Buffer.alloc(32))],
  ])
  assert.equal(await faultsOf(directory, { deep: true }), ['STORE_CORRUPT tree'])
})

proof('signed heads are held to the records, and the rest is told as unsigned', async () => {
  const signer = openSigner()
  const directory = await closedJournal(async (store) => {
    await fill(store, 10)
    await signer.sign(store)
    await store.append(draft('run:late', 0))
  })

  const { ok, tree, head } = await verifyJournal(directory, { tree: true })
  assert.ok(ok)
  assert.equal([head, tree!.size, tree!.heads, tree!.signed], [11, 11, 1, 10])
  assert.equal(tree!.keys, [formatVerifier(signer.verifier)])
  const known = formatVerifier(signer.verifier)
  assert.equal(await faultsOf(directory, { tree: true, key: known }), [])
  const stranger = formatVerifier(openSigner().verifier)
  assert.equal(await faultsOf(directory, { tree: true, key: stranger }), ['PROOF_INVALID 10'])
})

proof('a signed head that does not fit, or that nobody signed, is a fault', async () => {
  const [signer, stranger] = [openSigner(), openSigner()]
  let [text, other] = ['', '']
  const directory = await closedJournal(async (store) => {
    await fill(store, 10)
    text = await signer.sign(store)
    await store.append(draft('run:late', 0))
  })
  await closedJournal(async (store) => {
    await fill(store, 10)
    other = await stranger.sign(store)
  })
  const put = (position: number, head: string): Promise<void> =>
    change(directory, 'heads', [[position, seal(position, Buffer.from(head))]])

  await put(10, other)
  assert.equal(await faultsOf(directory, { tree: true }), ['PROOF_INVALID 10'])
  await put(10, text)
  await put(11, text)
  assert.equal(await faultsOf(directory, { tree: true }), ['STORE_CORRUPT heads'])
  await change(directory, 'heads', [[11, null]])
  await put(12, text)
  assert.equal(await faultsOf(directory, { tree: true }), ['STORE_ROLLBACK 12'])
})

proof('a witnessed head must be the journal of that size', async () => {
  let root = ''
  const directory = await closedJournal(async (store) => {
    await fill(store, 10)
    root = Buffer.from(store.tree.root(8)).toString('base64')
  })
  const found = (size: number): Promise<string[]> =>
    faultsOf(directory, { tree: true, witnessed: { size, root } })

  assert.equal(await found(8), [])
  assert.equal(await found(9), ['PROOF_INVALID 9'])
  assert.equal(await found(11), ['STORE_ROLLBACK 11'])
  assert.equal(await found(0), ['PROOF_INVALID 0'])
  const { tree } = await verifyJournal(directory, { tree: true, witnessed: { size: 8, root } })
  assert.is(tree!.witnessed, 8)
})

proof('S13 erasure changes no hash and no root, and the journal stays whole', async () => {
  const texts = ['one', 'two', 'three'].map((text) => body(text))
  const directory = await closedJournal(async (store) => {
    for (const [i, text] of texts.entries()) {
      const fields = [0, 'test.happened', { ref: text.ref, deep: [{ ref: text.ref }] }]
      await store.append({ stream: 'run:a', expectedVersion: i, fields, bodies: [text] })
    }
  })
  const before = await verifyJournal(directory, { deep: true })
  const store = await openJournal(directory)
  await store.erase([texts[1]!.ref])
  await store.close()

  assert.equal(await verifyJournal(directory, { deep: true }), before)
  const reader = await openLmdbReader(directory)
  assert.is(reader.body(texts[1]!.ref), null)
  assert.is(reader.bodyState(texts[1]!.ref), 'erased')
  await reader.close()
})

proof('a body that a record names and that is gone is a fault of its record', async () => {
  const text = body('one')
  const directory = await closedJournal(async (store) => {
    const fields = [0, 'test.happened', { ref: text.ref, name: 'b:00000000000000000000' }]
    await store.append({ stream: 'run:a', expectedVersion: 0, fields, bodies: [text] })
  })

  assert.equal(await faultsOf(directory, { deep: true }), [])
  await change(directory, 'bodies', [[text.ref, null]])
  assert.equal(await faultsOf(directory, { deep: true }), ['STORE_CORRUPT 1'])
})

const files = { 'machines/a.js': 'export const a = 1\n', 'protocol/b.js': 'export const b = 2\n' }
const archive = { files, xstate: '5.33.3', immer: '11.2.10' }

proof('K8 code comes back as it was, under the id that its files have', async () => {
  const id = archiveId(archive)
  const directory = await closedJournal((store) => store.putCode(id, formatArchive(archive)))
  const reader = await openLmdbReader(directory)

  assert.equal(readCode(reader, id), archive)
  assert.is(readCode(reader, '0000000000000000'), null)
  await reader.close()
})

proof('K8 code that is damaged, or filed under another id, is refused', async () => {
  const id = archiveId(archive)
  const bytes = Buffer.from(formatArchive(archive))
  const changed = formatArchive({ ...archive, files: { ...files, 'machines/a.js': 'evil()' } })

  for (const bad of [changed, bytes.subarray(0, -3), Buffer.from('no'), Buffer.alloc(0)]) {
    const { database } = await refusal(() => parseArchive(id, bad), 'STORE_CORRUPT')
    assert.is(database, 'code')
  }
  const directory = await closedJournal((store) => store.putCode(id, changed))
  assert.equal(await faultsOf(directory, { deep: true }), ['STORE_CORRUPT code'])
})

proof.run()
