/**
 * Somebody who edits a journal's file: at random, with checksums and chain made good again, without
 * the key that signs. Every edit of what a witnessed head covers must be found; an edit behind it
 * must at least be told as unwitnessed.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pack, unpack } from '../../protocol/codec.ts'
import { parseCheckpoint } from '../../protocol/history/checkpoint.ts'
import { listKeys, openEnvironment, type Tables } from '../../store/lmdb/environment.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { verifyJournal, type VerifyReport } from '../../store/lmdb/verify.ts'
import { seal, sealRecord, unsealRecord, ZERO_HASH } from '../../store/seal.ts'
import { accepted } from './facts.ts'
import { openTestKernel, type TestKernel } from './kernel.ts'
import { openSigner } from './signer.ts'
import { until } from './wait.ts'

/** What came of many edits. */
export interface TamperReport {
  readonly found: number // faults, each at a position
  readonly unwitnessed: number // behind the witnessed head, and told as such
  readonly missed: readonly string[] // edits that passed for the truth
  readonly byKind: Readonly<Record<string, number>>
}

interface Journal {
  readonly directory: string
  readonly head: number
  readonly witnessed: { readonly size: number; readonly root: string }
}

/** A record as the tuple under its hash: [stream number, version, ...fields]. */
type Row = unknown[]

interface Edit {
  readonly first: number // position of the first record that is not what it was
  readonly run: (tables: Tables) => void
}

type Random = (below: number) => number
type Editor = (rows: readonly Row[], random: Random) => Edit

const SESSIONS = 5
const MESSAGES = 12
const TAIL = 3 // messages behind the witnessed head

/** Edits a journal that a kernel wrote, so many times, each time anew. */
export async function tamper(edits: number, seed: number): Promise<TamperReport> {
  const root = mkdtempSync(join(tmpdir(), 'openclaw-tamper-'))
  try {
    const journal = await writeJournal(join(root, 'journal'))
    const rows = await readRows(journal)
    const random = seeded(seed)
    const kinds = Object.entries(EDITORS)
    const outcome = { found: 0, unwitnessed: 0 }
    const missed: string[] = []
    const byKind: Record<string, number> = {}
    for (let index = 0; index < edits; index += 1) {
      const [kind, editor] = kinds[index % kinds.length]!
      const edit = editor(rows, random)
      const covers = random(2) === 0
      const report = await verifyEdited(journal, edit, covers)
      byKind[kind] = (byKind[kind] ?? 0) + 1
      const judged = judge(journal, edit, report)
      if (judged === 'missed') missed.push(`${index} ${kind} at #${edit.first}, covers ${covers}`)
      else outcome[judged] += 1
    }
    return { ...outcome, missed, byKind }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function judge(
  { witnessed, head }: Journal,
  { first }: Edit,
  report: VerifyReport,
): 'found' | 'unwitnessed' | 'missed' {
  const { ok, tree } = report
  if (!ok) return report.faults.every(({ reason }) => reason !== '') ? 'found' : 'missed'
  const isTold = tree?.witnessed === witnessed.size && tree.signed <= head
  return first > witnessed.size && isTold ? 'unwitnessed' : 'missed'
}

async function writeJournal(directory: string): Promise<Journal> {
  const store = await openLmdb({ directory, verify: false })
  const house = openTestKernel({ store })
  const signer = openSigner()
  let text = ''
  for (let message = 0; message < MESSAGES; message += 1) {
    for (let session = 0; session < SESSIONS; session += 1) {
      const runId = `r${session}-${message}`
      const sessionKey = `agent:main:s${session}`
      await house.tell(`session:${sessionKey}`, accepted(runId, { sessionKey }))
      const asked = message * SESSIONS + session
      await until(() => house.given.length > asked, `the call for ${runId}`)
      const facts = { ref: `b:${runId}`, inputTokens: 1, outputTokens: 1 }
      house.given[asked]!.answer({ type: 'effect.done', facts })
      await until(() => isIdle(house), `the end of ${runId}`)
    }
    if (message % 4 === 3 || message === MESSAGES - TAIL - 1) text = await signer.sign(store)
    if (message === MESSAGES - TAIL - 1) break
  }
  for (let version = 0; version < TAIL * SESSIONS; version += 1) {
    await house.tell('gateway:main', { type: 'gateway.booted', epoch: version, version: '1' })
  }
  const head = store.head().position
  await house.kernel.stop()
  await store.close()
  const { size, root } = parseCheckpoint(text)
  return { directory, head, witnessed: { size, root: Buffer.from(root).toString('base64') } }
}

function isIdle({ kernel: { work } }: TestKernel): boolean {
  return work.sends.size + work.effects.size === 0
}

async function readRows({ directory, head }: Journal): Promise<Row[]> {
  const { tables, close } = openEnvironment(directory, 'read')
  const rows = Array.from({ length: head }, (_, i) => unpack(recordAt(tables, i + 1).body) as Row)
  await close()
  return rows
}

function recordAt(tables: Tables, position: number): ReturnType<typeof unsealRecord> {
  return unsealRecord(position, Buffer.from(valueAt(tables, position)))
}

function valueAt(tables: Tables, position: number): Buffer {
  const value = tables.records.getBinaryFast(position)!
  return Buffer.from(value.subarray(0, value.length))
}

/** Edits a copy without its anchor, and takes away what would give the edit away, where it may. */
async function verifyEdited(
  { directory, witnessed }: Journal,
  edit: Edit,
  covers: boolean,
): Promise<VerifyReport> {
  const copy = mkdtempSync(join(directory, '..', 'copy-'))
  cpSync(join(directory, 'journal.mdb'), join(copy, 'journal.mdb'))
  const { tables, close } = openEnvironment(copy, 'write')
  edit.run(tables)
  for (const key of listKeys(tables, 'tree', {})) void tables.tree.remove(key)
  for (const key of covers ? listKeys(tables, 'heads', { start: edit.first }) : []) {
    void tables.heads.remove(key)
  }
  // The last put of the turn shares its commit with all before it.
  await tables.meta.put('indexedThrough', seal('indexedThrough', pack(0)))
  await close()
  const report = await verifyJournal(copy, { tree: true, witnessed })
  rmSync(copy, { recursive: true, force: true })
  return report
}

/** Writes rows from a position on, each with the version that is next in its stream, all sealed. */
function rewrite(rows: readonly Row[], from: number): Edit['run'] {
  return (tables) => {
    const versions = new Map<unknown, number>()
    let hash = ZERO_HASH
    for (const [index, row] of rows.entries()) {
      const [number, , ...fields] = row
      const version = (versions.get(number) ?? 0) + 1
      versions.set(number, version)
      const sealed = sealRecord(index + 1, hash, pack([number, version, ...fields]))
      hash = sealed.hash
      if (index + 1 >= from) void tables.records.put(index + 1, sealed.value)
    }
    for (const key of listKeys(tables, 'records', { start: rows.length + 1 })) {
      void tables.records.remove(key)
    }
  }
}

const place = (rows: readonly Row[], random: Random): number => 1 + random(rows.length)

const EDITORS: Readonly<Record<string, Editor>> = {
  flip: (rows, random) => {
    const first = place(rows, random)
    const bit = random(2 ** 20)
    const run = (tables: Tables): void => {
      const value = valueAt(tables, first)
      value[(bit >> 3) % value.length]! ^= 1 << (bit & 7)
      void tables.records.put(first, value)
    }
    return { first, run }
  },
  delete: (rows, random) => {
    const first = place(rows, random)
    return { first, run: (tables) => void tables.records.remove(first) }
  },
  'delete, closed up': (rows, random) => {
    const first = place(rows, random)
    return { first, run: rewrite(rows.toSpliced(first - 1, 1), first) }
  },
  'insert, chained': (rows, random) => {
    const first = place(rows, random)
    const copy = rows[random(rows.length)]!.with(5, 'ext:forged')
    return { first, run: rewrite(rows.toSpliced(first - 1, 0, copy), first) }
  },
  swap: (rows, random) => {
    const first = 1 + random(rows.length - 1)
    const run = (tables: Tables): void => {
      const [one, two] = [valueAt(tables, first), valueAt(tables, first + 1)]
      void tables.records.put(first, two)
      void tables.records.put(first + 1, one)
    }
    return { first, run }
  },
  'reorder, chained': (rows, random) => {
    const first = 1 + random(rows.length - 1)
    const [one, two] = [rows[first - 1]!, rows[first]!]
    return { first, run: rewrite(rows.with(first - 1, two).with(first, one), first) }
  },
  'swap names': (rows, random) => {
    const numbers = [...new Set(rows.map(([number]) => Number(number)))]
    const one = numbers[random(numbers.length)]!
    const two = numbers.find((number) => number !== one)!
    const first = rows.findIndex(([number]) => number === one || number === two) + 1
    const run = ({ streams }: Tables): void => {
      const nameOf = (number: number): Buffer => {
        const value = streams.getBinaryFast(number)!
        return Buffer.from(value.subarray(5, value.length))
      }
      const [a, b] = [nameOf(one), nameOf(two)]
      void streams.put(one, seal(one, b))
      void streams.put(two, seal(two, a))
    }
    return { first, run }
  },
  truncate: (rows, random) => {
    const first = place(rows, random)
    return { first, run: rewrite(rows.slice(0, first - 1), first) }
  },
  'rewrite, chained': (rows, random) => {
    const first = place(rows, random)
    const changed = rows[first - 1]!.with(7, 1_000 + random(1_000_000)) // its time
    return { first, run: rewrite(rows.with(first - 1, changed), first) }
  },
}

/** A fixed sequence of numbers: the same edits on every run. */
function seeded(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}
