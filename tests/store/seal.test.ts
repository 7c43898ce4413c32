/** Seals: what is read is what was written, at the place where it was written. */
import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import { pack } from '../../protocol/codec.ts'
import {
  ZERO_HASH,
  packRecordBody,
  seal,
  sealRecord,
  sealTombstone,
  unseal,
  unsealRecord,
} from '../../store/seal.ts'
import { cases } from './cases.ts'
import { refusal } from './contract.ts'
import type { TableKey } from '../../store/seal.ts'

const seals = cases('seal')

function record(position: number): Buffer {
  const body = packRecordBody(3, 8, ['a', { b: 1 }])
  return Buffer.from(sealRecord(position, new Uint8Array(32).fill(9), body).value)
}

seals('a record comes back with its place, its fields and its links', () => {
  const previousHash = new Uint8Array(32).fill(9)
  const body = packRecordBody(3, 8, ['a', { b: 1 }])
  const sealed = sealRecord(2 ** 40 + 5, previousHash, body)

  const opened = unsealRecord(2 ** 40 + 5, Buffer.from(sealed.value))
  assert.equal([opened.streamNumber, opened.version, opened.fields], [3, 8, ['a', { b: 1 }]])
  assert.equal(Buffer.from(opened.previousHash), Buffer.from(previousHash))
  assert.equal(Buffer.from(opened.hash), Buffer.from(sealed.hash))
  assert.is(opened.pruned, false)
})

seals('the hash is SHA-256 of previous hash, position, format and body', () => {
  const body = packRecordBody(1, 1, [])
  const { hash } = sealRecord(258, ZERO_HASH, body)

  const place = Buffer.from([0, 0, 0, 0, 0, 0, 1, 2])
  const bytes = Buffer.concat([ZERO_HASH, place, Buffer.of(1), body])
  assert.equal(Buffer.from(hash), createHash('sha256').update(bytes).digest())
})

seals('a tombstone keeps links and place, and nothing else', () => {
  const opened = unsealRecord(7, record(7))
  const tombstone = unsealRecord(7, Buffer.from(sealTombstone(7, opened)))

  assert.is(tombstone.pruned, true)
  assert.equal([tombstone.streamNumber, tombstone.version, tombstone.fields], [3, 8, []])
  assert.equal(Buffer.from(tombstone.hash), Buffer.from(opened.hash))
  assert.equal(Buffer.from(tombstone.previousHash), Buffer.from(opened.previousHash))
})

seals('S6 a value under another position is refused', async () => {
  const value = record(7)
  for (const position of [6, 8, 7 + 2 ** 32]) {
    const details = await refusal(() => unsealRecord(position, value), 'STORE_CORRUPT')
    assert.is(details['position'], position)
  }
})

seals('S6 every flipped bit and every cut of a record is refused', async () => {
  const value = record(7)
  for (let bit = 0; bit < value.length * 8; bit += 1) {
    const damaged = Buffer.from(value)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    await refusal(() => unsealRecord(7, damaged), 'STORE_CORRUPT')
  }
  for (let length = 0; length < value.length; length += 1) {
    await refusal(() => unsealRecord(7, value.subarray(0, length)), 'STORE_CORRUPT')
  }
})

seals('S6 a whole record without a place is refused', async () => {
  for (const tuple of [{}, [], [1], [0, 1], [1, 0], ['1', 1], [1.5, 1]]) {
    const value = Buffer.from(sealRecord(7, ZERO_HASH, pack(tuple)).value)
    await refusal(() => unsealRecord(7, value), 'STORE_CORRUPT')
  }
})

const key = fc.oneof<fc.Arbitrary<TableKey>[]>(
  fc.nat(),
  fc.string(),
  fc.tuple(fc.string(), fc.nat()),
  fc.tuple(fc.nat(), fc.nat()),
)

seals('S6 sealed bytes open under their own key only, and not with a flipped bit', async () => {
  const property = fc.asyncProperty(
    key,
    key,
    fc.uint8Array(),
    fc.nat(),
    async (own, other, bytes, bit) => {
      const value = Buffer.from(seal(own, bytes))
      assert.equal(Uint8Array.from(unseal('meta', own, value)), Uint8Array.from(bytes))

      if (JSON.stringify(own) !== JSON.stringify(other)) {
        await refusal(() => unseal('meta', other, value), 'STORE_CORRUPT')
      }
      const at = bit % (value.length * 8)
      value[at >> 3]! ^= 1 << (at & 7)
      const details = await refusal(() => unseal('meta', own, value), 'STORE_CORRUPT')
      assert.equal([details['database'], details['key']], ['meta', own])
    },
  )
  await fc.assert(property, { numRuns: 300, seed: 7 })
})

seals.run()
