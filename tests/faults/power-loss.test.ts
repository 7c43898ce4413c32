/**
 * Power loss: what a writer does to its disk is traced, and images of the disk are made as they could
 * be at any moment of it. What was synced is there; of what was written since, any sector may be.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../protocol/errors.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { seeded } from '../support/kill-loop.ts'
import { compiled } from '../support/process.ts'
import { ERRNO, openShim, whyNoShim } from '../support/shim.ts'
import { until } from '../support/wait.ts'
import { cases } from '../store/cases.ts'
import { fill, openJournal, temporaryDirectory } from '../store/journals.ts'

const test = cases('power loss')
const noShim = whyNoShim()
const PAGE_BYTES = 4_096
const SECTOR_BYTES = 512
const HEAD_BYTES = 13 // type u8 | offset u64 | length u32
const IMAGES = 12

/** One thing that a writer did. */
interface Step {
  readonly type: 'W' | 'D' | 'B' | 'S' | 'T' | 'M'
  readonly offset: number
  readonly bytes: Buffer
}

interface Life {
  readonly steps: readonly Step[]
  readonly directory: string
}

/** Lets a writer live under the shim, from an empty journal on, until it has said enough. */
async function live(acknowledgements: number, breaks = false): Promise<Life> {
  const place = temporaryDirectory()
  const directory = join(place, 'journal')
  const trace = join(place, 'trace')
  const shim = openShim(place, trace)
  const child = spawn(
    process.execPath,
    [compiled('tests/store/writer-child.js'), directory, 'run:x'],
    {
      env: { PATH: process.env['PATH'], ...shim.env },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  let said = 0
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString().split('\n').length - 1
  })
  const gone = once(child, 'exit')
  await until(() => said >= acknowledgements, 'acknowledgements')
  if (breaks) shim.fail('sync', ERRNO.EIO)
  else child.kill('SIGKILL')
  await gone
  return { steps: parseTrace(readFileSync(trace)), directory }
}

function parseTrace(bytes: Buffer): Step[] {
  const steps: Step[] = []
  for (let at = 0; at + HEAD_BYTES <= bytes.length;) {
    const type = String.fromCharCode(bytes[at] ?? 0) as Step['type']
    const offset = Number(bytes.readBigUInt64LE(at + 1))
    const end = at + HEAD_BYTES + bytes.readUInt32LE(at + 9)
    steps.push({ type, offset, bytes: bytes.subarray(at + HEAD_BYTES, end) })
    at = end
  }
  return steps
}

/** The newest position that was acknowledged up to a step. */
function promisedAt(steps: readonly Step[]): number {
  const told = steps.filter(({ type }) => type === 'M').map(({ bytes }) => bytes.toString())
  const positions = [...told.join('').matchAll(/^ack (\d+)/gm)].map(([, position]) =>
    Number(position),
  )
  return Math.max(0, ...positions)
}

/** How a disk may look after a crash: units of `unit` bytes that no sync covers come or do not. */
function imageOf(
  steps: readonly Step[],
  unit: number,
  random: () => number,
  honest = true,
): Buffer {
  const synced = honest ? lastSynced(steps) : -1
  let image = Buffer.alloc(0)
  const put = (offset: number, bytes: Buffer): void => {
    if (offset + bytes.length > image.length) {
      image = Buffer.concat([image, Buffer.alloc(offset + bytes.length - image.length)])
    }
    bytes.copy(image, offset)
  }
  for (const [index, { type, offset, bytes }] of steps.entries()) {
    if (type !== 'W' && type !== 'D') continue
    const isThere = index < synced || (honest && type === 'D')
    for (let at = 0; at < bytes.length; at += unit) {
      if (isThere || random() < 0.5) put(offset + at, bytes.subarray(at, at + unit))
    }
  }
  return image
}

// What was written before a sync began is on the medium once that sync is done.
function lastSynced(steps: readonly Step[]): number {
  const done = steps.findLastIndex(({ type }) => type === 'S')
  return steps.slice(0, Math.max(0, done)).findLastIndex(({ type }) => type === 'B')
}

/** Opens an image; what is wrong with it, or null where all that was promised is there. */
async function judge(image: Buffer, promised: number): Promise<string | null> {
  const directory = temporaryDirectory()
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'journal.mdb'), image, { mode: 0o600 })
  try {
    const { faults } = await verifyInChild(directory, { deep: true })
    if (faults.length > 0) return JSON.stringify(faults[0])
    const reader = await openLmdbReader(directory)
    const head = reader.head().position
    await reader.close()
    if (head < promised) return `#${promised} was acknowledged, #${head} is the last`
    const store = await openJournal(directory)
    await fill(store, 20)
    await store.close()
    return null
  } catch (thrown) {
    return thrown instanceof GatewayError ? thrown.message : String(thrown)
  }
}

/** Faults of images at moments after the first acknowledgement. */
async function crash({ steps }: Life, unit: number, honest = true): Promise<string[]> {
  const random = seeded(unit)
  const begin = steps.findIndex(({ type, bytes }) => type === 'M' && bytes.includes('ack'))
  const faults: string[] = []
  for (let n = 0; n < IMAGES; n += 1) {
    const at = begin + 1 + Math.floor(random() * (steps.length - begin))
    const until = steps.slice(0, at)
    const fault = await judge(imageOf(until, unit, random, honest), promisedAt(until))
    if (fault !== null) faults.push(`${at} of ${steps.length}: ${fault}`)
  }
  return faults
}

const life = noShim === null ? live(300) : null

const holds = (unit: number) => async (): Promise<void> => {
  assert.ok(life !== null)
  assert.equal(await crash(await life, unit), [])
}

test.unless(
  noShim,
  'F06 F53 after a power loss that leaves any of the pages, all that was acknowledged is there',
  holds(PAGE_BYTES),
)

test.unless(
  noShim,
  'F07 after a power loss that tears pages, all that was acknowledged is there',
  holds(SECTOR_BYTES),
)

test.unless(
  noShim,
  'F56 a failed sync, then a power loss: all that was acknowledged is there',
  async () => {
    const broken = await live(100, true)

    assert.equal(await crash(broken, PAGE_BYTES), [])
  },
)

test.unless(
  noShim,
  'F06 the harness sees: on a disk that ignores syncs most images are damaged',
  async () => {
    assert.ok(life !== null)
    const faults = await crash(await life, PAGE_BYTES, false)

    assert.ok(faults.length >= IMAGES / 2, `${faults.length} of ${IMAGES}`)
  },
)

test.run()
