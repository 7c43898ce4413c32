/** Bundles: what is written is read, and what was changed is a fault with its place. */
import { createHash } from 'node:crypto'
import { brotliCompressSync, constants } from 'node:zlib'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { pack } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { formatBundle, type Frame, parseBundle } from '../../store/bundle.ts'
import { checkChain, formatRecords, parseRecords } from '../../store/bundle-records.ts'
import { unpackForeign } from '../../store/document.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from './cases.ts'
import { faultOf, refusal } from './contract.ts'

const bundle = cases('bundle')
const BOMB_BYTES = 64 * 1024 * 1024
const FRAMES: readonly Frame[] = [
  { kind: 'manifest', document: { title: 'a', n: [1, 2.5, null, true] } },
  { kind: 'bodies', document: [['b:1', null, Uint8Array.of(1, 2, 3), false]] },
  { kind: 'bodies', document: [] },
]

/** Writes a file by hand: any index, any frames, a digest that fits. */
function handmade(
  frames: readonly Uint8Array[],
  index: (offset: number) => unknown,
  format = 1,
  schema = 'openclaw-incident/1',
): Buffer {
  const header = pack({ schema })
  const head = Buffer.alloc(11)
  head.set([0x89, 0x4f, 0x43, 0x49, 0x4e, 0x0d, 0x0a, 0x1a, format])
  head.writeUInt16BE(header.length, 9)
  const indexBytes = pack(index(11 + header.length))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(indexBytes.length)
  return signed(Buffer.concat([head, header, ...frames, indexBytes, length]))
}

function signed(body: Buffer): Buffer {
  return Buffer.concat([body, createHash('sha256').update(body).digest()])
}

bundle('IB1 what is written is read, frames of a kind in their order', () => {
  const { documents, skipped } = parseBundle(formatBundle(FRAMES))

  assert.equal(documents('manifest'), [FRAMES[0]!.document])
  assert.equal(documents('bodies').length, 2)
  assert.equal(documents('code'), [])
  assert.equal(skipped, [])
})

bundle('IB1 the same frames give the same bytes', () => {
  assert.equal(formatBundle(FRAMES), formatBundle(FRAMES))
})

bundle('IB2 one changed bit anywhere is found, and every cut', async () => {
  const bytes = formatBundle(FRAMES)
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Uint8Array.from(bytes)
    changed[at]! ^= 1 << (at % 8)
    const { code } = await faultOf(() => parseBundle(changed))
    assert.ok(code === 'STORE_CORRUPT' || code === 'RECORD_FORMAT', code)
    await faultOf(() => parseBundle(bytes.subarray(0, at)))
  }
})

bundle(
  'IB3 a newer format is refused with both numbers, another schema with its name',
  async () => {
    const format = await faultOf(() => parseBundle(handmade([], () => [], 9)))
    const schema = await faultOf(() =>
      parseBundle(handmade([], () => [], 1, 'openclaw-incident/2')),
    )

    assert.is(format.code, 'RECORD_FORMAT')
    assert.match(format.message, /reads format 1, the file has 9/)
    assert.match(schema.message, /openclaw-incident\/2/)
  },
)

bundle('IB3 a frame of an unknown kind is passed over, whatever is in it', () => {
  const junk = Buffer.from('no brotli at all')
  const file = handmade([junk], (offset) => [['holograms', offset, junk.length, 5]])

  assert.equal(parseBundle(file).skipped, ['holograms'])
})

bundle('IB4 a frame that inflates to more than it says stops at what it says', async () => {
  const bomb = brotliCompressSync(Buffer.alloc(BOMB_BYTES), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 5 },
  })
  const file = (inflated: number) =>
    handmade([bomb], (offset) => [['bodies', offset, bomb.length, inflated]])

  assert.ok(bomb.length < 10_000)
  await refusal(() => parseBundle(file(1_000)), 'STORE_CORRUPT')
  const honest = await faultOf(() => parseBundle(file(BOMB_BYTES)))
  assert.match(honest.message, /at most \d+ bytes inflated/)
})

bundle('IB4 many frames that are large together are refused before one is inflated', async () => {
  const frame = brotliCompressSync(Buffer.alloc(1))
  const count = Math.ceil(limits.bundleInflatedBytesMax / limits.bundleFrameBytesMax) + 1
  const file = handmade(
    Array.from({ length: count }, () => frame),
    (offset) =>
      Array.from({ length: count }, (_, n) => [
        'bodies',
        offset + n * frame.length,
        frame.length,
        limits.bundleFrameBytesMax,
      ]),
  )

  assert.match((await faultOf(() => parseBundle(file))).message, /bytes in all/)
})

bundle('IB4 an index that overlaps, leaves gaps or reaches out is refused', async () => {
  const frame = brotliCompressSync(pack(1))
  for (const shift of [-1, 1, 1_000_000, 2 ** 53]) {
    const file = handmade([frame], (at) => [['bodies', at + shift, frame.length, 1]])
    await faultOf(() => parseBundle(file))
  }
  for (const row of [null, [], ['bodies'], ['bodies', 0, 0, -1], ['bodies', 0.5, 1, 1]]) {
    await refusal(() => parseBundle(handmade([frame], () => [row])), 'RECORD_FORMAT')
  }
})

bundle(
  'IB5 S22 P35 a document of a stranger may not be deep, wide beyond its bytes, or of foreign types',
  async () => {
    const deep = new Uint8Array(1_000).fill(0x91)
    const wide = Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)
    const map = Uint8Array.of(0xdf, 0x7f, 0xff, 0xff, 0xff, 0xc0)
    const extension = Uint8Array.of(0xd4, 0x72, 0x40)
    const behind = Uint8Array.of(0xc0, 0xc0)
    for (const bytes of [deep, wide, map, extension, behind, new Uint8Array(0)]) {
      await refusal(() => unpackForeign('here', bytes), 'RECORD_FORMAT')
    }
    assert.equal(unpackForeign('here', pack({ a: [1, 'x'] })), { a: [1, 'x'] })
  },
)

bundle('IB5 the walk agrees with the decoder on everything that we write', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(pack(unpackForeign('here', pack(value))), pack(value))
    }),
    { numRuns: 300, seed: 3 },
  )
})

async function journal(count: number) {
  const store = openMemory()
  for (let n = 0; n < count; n += 1) {
    const stream = n % 3 === 2 ? 'run:b' : 'run:a'
    await store.append({
      stream,
      expectedVersion: store.version(stream),
      fields: [0, `type${n}`],
    })
  }
  return store
}

const NAMES = new Map([
  [1, 'run:a'],
  [2, 'run:b'],
])

bundle('IB6 hashes are made again from position, previous hash and body', async () => {
  const store = await journal(7)
  const records = [...store.range(1)]

  const chain = parseRecords(
    formatRecords({ records, links: [] }).map(({ document }) => document),
    NAMES,
  )

  assert.equal(
    chain.records.map(({ hash }) => Buffer.from(hash).toString('hex')),
    records.map(({ hash }) => Buffer.from(hash).toString('hex')),
  )
  assert.equal(checkChain(chain), { records: 7, linked: 6, bridged: 1, faults: [] })
})

bundle('IB6 a gap needs a link, and the link must fit', async () => {
  const store = await journal(7)
  const records = [...store.range(1)].filter(({ stream }) => stream === 'run:a')
  const links = [3, 6].map((position) => ({ position, hash: store.link(position)!.hash }))

  assert.equal(checkChain({ records, links }).faults, [])
  assert.equal(checkChain({ records, links: links.slice(1) }).faults, [
    '#4: nothing tells the hash before it',
  ])
  const wrong = [{ position: 3, hash: new Uint8Array(32) }, links[1]!]
  assert.equal(checkChain({ records, links: wrong }).faults, ['#4: does not follow #3'])
})

bundle('IB6 a record that was changed breaks the chain behind it', async () => {
  const store = await journal(4)
  const records = [...store.range(1)].map((record) =>
    record.position === 2 ? { ...record, body: pack([1, 2, 0, 'forged']) } : record,
  )

  const chain = parseRecords(
    formatRecords({ records, links: [] }).map(({ document }) => document),
    NAMES,
  )

  assert.equal(checkChain(chain).faults, ['#3: does not follow #2'])
})

bundle(
  'IB7 records out of order, of a nameless stream, or with a gap of versions are refused',
  async () => {
    const records = [...(await journal(5)).range(1)]
    const parse = (list: typeof records, names = NAMES) =>
      parseRecords(
        formatRecords({ records: list, links: [] }).map(({ document }) => document),
        names,
      )

    const messageOf = async (run: () => unknown) => (await faultOf(run)).message
    assert.match(await messageOf(() => parse(records.toReversed())), /out of order/)
    const nameless = new Map([[1, 'run:a']])
    assert.match(await messageOf(() => parse(records, nameless)), /has no name/)
    assert.match(await messageOf(() => parse([records[0]!, records[3]!])), /version 3 after 1/)
  },
)

bundle.run()
