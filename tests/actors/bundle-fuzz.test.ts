/** Incident files of strangers: whatever the bytes, an answer or a GatewayError, and soon. */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readBundle } from '../../actors/bundle.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { pack } from '../../protocol/codec.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { FRAME_KINDS, formatBundle, type Frame, parseBundle } from '../../store/bundle.ts'
import { cases } from '../store/cases.ts'

const fuzz = cases('bundle fuzz')
const DIRECTORY = fileURLToPath(new URL('../../../tests/incidents/', import.meta.url))
const CORPUS = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith('.ocinc'))
  .map((name) => readFileSync(join(DIRECTORY, name)))
const NUM_RUNS = 400
const SEED = 20_261_125

/** Opens and verifies; a GatewayError of the two codes is the only other thing that may happen. */
function survives(bytes: Uint8Array): void {
  try {
    verifyBundle(readBundle(bytes), { code: 'none' })
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    assert.ok(['STORE_CORRUPT', 'RECORD_FORMAT'].includes(error.code), error.code)
  }
}

function resigned(bytes: Uint8Array): Buffer {
  const body = Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - 32)))
  return Buffer.concat([body, createHash('sha256').update(body).digest()])
}

const file = fc.constantFrom(...CORPUS)

fuzz('IZ1 flips, cuts and splices, with the digest made to fit', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(file, file, flips, fc.nat(), (one, other, changes, cut) => {
      const flipped = Buffer.from(one)
      for (const [at, change] of changes) flipped[at % flipped.length]! ^= change
      survives(flipped)
      survives(resigned(flipped))
      survives(one.subarray(0, cut % one.length))
      survives(resigned(one.subarray(0, cut % one.length)))
      const at = cut % Math.min(one.length, other.length)
      survives(resigned(Buffer.concat([one.subarray(0, at), other.subarray(at)])))
    }),
    { numRuns: NUM_RUNS, seed: SEED },
  )
})

const anything = fc.anything({
  maxDepth: 4,
  withBigInt: false,
  withDate: false,
  withMap: false,
  withSet: false,
  withTypedArray: false,
  withSparseArray: false,
})

function packable(value: unknown): boolean {
  try {
    pack(value)
    return true
  } catch {
    return false
  }
}

fuzz('IZ2 frames of random documents', () => {
  const frame = fc.record({
    kind: fc.constantFrom(...FRAME_KINDS),
    document: anything.filter(packable),
  })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
      survives(formatBundle(frames))
    }),
    { numRuns: NUM_RUNS, seed: SEED },
  )
})

/** Changes one value somewhere inside a document. */
function mutate(value: unknown, path: readonly number[], change: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined || typeof value !== 'object' || value === null) return change
  if (value instanceof Uint8Array) return change
  const keys = Object.keys(value)
  const key = keys[step % Math.max(1, keys.length)]
  if (key === undefined) return change
  const copy: Record<string, unknown> = Array.isArray(value)
    ? (Object.assign([], value) as unknown as Record<string, unknown>)
    : { ...value }
  copy[key] = mutate(copy[key], rest, change)
  return copy
}

fuzz('IZ3 real files with one value exchanged, sealed anew', () => {
  const path = fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(file, fc.nat(), path, anything.filter(packable), (bytes, which, where, change) => {
      const container = parseBundle(bytes)
      const frames: Frame[] = FRAME_KINDS.flatMap((kind) =>
        container.documents(kind).map((document) => ({ kind, document })),
      )
      const target = which % frames.length
      survives(
        formatBundle(
          frames.map((each, index) =>
            index === target ? { ...each, document: mutate(each.document, where, change) } : each,
          ),
        ),
      )
    }),
    { numRuns: NUM_RUNS, seed: SEED },
  )
})

fuzz('IZ4 random bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives), {
    numRuns: NUM_RUNS,
    seed: SEED,
  })
})

fuzz.run()
