/** What becomes of a journal that several processes open, and of one whose process ends. */
import { spawn } from 'node:child_process'
import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { openLmdbReader } from '../../store/lmdb/open.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { watchFiles } from '../../store/lmdb/watch.ts'
import { cases } from './cases.ts'
import { body, draft, refusal } from './contract.ts'
import { closedJournal, fill, openJournal, temporaryDirectory } from './journals.ts'

const WRITER = fileURLToPath(new URL('./writer-child.js', import.meta.url))

interface Writer {
  readonly acknowledged: [position: number, version: number][]
  readonly reached: (count: number) => Promise<void>
  readonly ended: Promise<string> // its last word, or the signal
  readonly kill: () => void
  readonly step: () => void
}

interface WriterOptions {
  readonly step?: boolean // appends only when told to
  readonly shell?: string // runs before it
}

/** Starts a writer in another process. */
function startWriter(directory: string, stream: string, options: WriterOptions = {}): Writer {
  const script = `${options.shell ?? ''} exec "$0" "$@"`
  const args = ['-c', script, process.execPath, WRITER, directory, stream]
  if (options.step === true) args.push('step')
  const child = spawn('bash', args, { stdio: 'pipe' })
  const acknowledged: [number, number][] = []
  let lastWord = ''
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-2_000)
  })
  let wake = (): void => {}
  createInterface(child.stdout).on('line', (line) => {
    const [word, first, second] = line.split(' ')
    if (word === 'ack') acknowledged.push([Number(first), Number(second)])
    else lastWord = first ?? ''
    wake()
  })
  const ended = new Promise<string>((resolve) => {
    child.on('close', (_code, signal) => resolve(lastWord === '' ? (signal ?? 'exit') : lastWord))
  })
  const reached = (count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      wake = () => {
        if (acknowledged.length >= count) resolve()
      }
      wake()
      void ended.then((end) => reject(new Error(`the writer ended with ${end}\n${complaint}`)))
    })
  return {
    acknowledged,
    reached,
    ended,
    kill: () => child.kill('SIGKILL'),
    step: () => child.stdin.write('\n'),
  }
}

/** Asserts that everything a writer acknowledged is in the journal, bodies included. */
async function assertPresent(directory: string, stream: string, writer: Writer): Promise<void> {
  const reader = await openLmdbReader(directory)
  for (const [position, version] of writer.acknowledged) {
    const text = `${stream} ${version}`
    const record = reader.read(position)!
    assert.equal(
      [record.stream, record.version, record.fields[2]],
      [stream, version, { fact: text }],
    )
    assert.is(reader.positionOf(stream, version), position)
    assert.is(Buffer.from(reader.body(body(text).ref)!).toString(), text)
  }
  await reader.close()
}

const processes = cases('journal between processes')

processes('S8 a newer writer fences the older one and loses nothing of it', async () => {
  const directory = temporaryDirectory()
  const writer = startWriter(directory, 'run:old', { step: true })
  await writer.reached(16)
  writer.step()
  await writer.reached(32)
  const store = await openJournal(directory)
  assert.is(store.head().position, 32)
  const drafts = Array.from({ length: 20 }, (_, i) => draft('run:new', i))
  const appended = await Promise.all(drafts.map((each) => store.append(each)))
  writer.step()

  assert.is(await writer.ended, 'EPOCH_FENCED')
  assert.is(writer.acknowledged.length, 32)
  await store.append(draft('run:new', 20))
  await store.close()
  await assertPresent(directory, 'run:old', writer)
  const reader = await openLmdbReader(directory)
  for (const { position } of appended) assert.is(reader.read(position)!.stream, 'run:new')
  assert.is(reader.head().position, 53)
  await reader.close()
  assert.equal((await verifyJournal(directory, { deep: true })).faults, [])
})

processes('S8 a fenced writer refuses every question and every later append', async () => {
  const directory = temporaryDirectory()
  const older = await openJournal(directory)
  await older.append(draft('run:a', 0))
  const newer = await openJournal(directory)

  await refusal(() => older.append(draft('run:a', 1)), 'EPOCH_FENCED')
  await refusal(() => older.append(draft('run:a', 1)), 'EPOCH_FENCED')
  await refusal(() => older.read(1), 'EPOCH_FENCED')
  await refusal(async () => Promise.reject(await older.failed), 'EPOCH_FENCED')
  assert.equal(await newer.append(draft('run:a', 1)), { position: 2, version: 2 })
  await older.close()
  await newer.close()
})

processes('S2 F19 a reader beside a writer sees a dense history', async () => {
  const directory = temporaryDirectory()
  const writer = startWriter(directory, 'run:live')
  await writer.reached(1)
  const reader = await openLmdbReader(directory)
  let seen = 0
  let hash = Buffer.alloc(32)
  while (seen < limits.indexTailRecordsMax + 1_000) {
    await writer.reached(seen + 200)
    for (const record of reader.range(seen + 1)) {
      assert.is(record.position, seen + 1)
      assert.is(record.version, record.position)
      assert.equal(Buffer.from(record.previousHash), hash)
      hash = Buffer.from(record.hash)
      seen = record.position
    }
    const version = reader.version('run:live')
    assert.ok(version >= seen && version >= writer.acknowledged.at(-1)![1] - 16)
    assert.is(reader.positionOf('run:live', seen), seen)
    assert.is([...reader.stream('run:live', seen - 100)][0]!.position, seen - 100)
  }
  writer.kill()
  assert.is(await writer.ended, 'SIGKILL')
  await reader.close()
})

processes('S1 kill -9 loses nothing that was acknowledged', async () => {
  const directory = temporaryDirectory()
  for (let cycle = 0; cycle < 5; cycle += 1) {
    const stream = `run:${cycle}`
    const writer = startWriter(directory, stream)
    await writer.reached(50 + cycle * 331)
    writer.kill()
    await writer.ended

    await assertPresent(directory, stream, writer)
    assert.equal((await verifyInChild(directory, { deep: true })).faults, [])
  }
})

processes('S5 P36 F10 a disk that takes no more ends the writer and keeps its word', async () => {
  const directory = temporaryDirectory()
  const writer = startWriter(directory, 'run:full', { shell: 'ulimit -f 1000;' })
  const end = await writer.ended

  // lmdb-js may abort the process in its own error path (D-R3); both are an end.
  assert.ok(end === 'STORE_FAILED' || end === 'SIGABRT', end)
  assert.ok(writer.acknowledged.length > 100)
  await assertPresent(directory, 'run:full', writer)
  assert.equal((await verifyInChild(directory, { deep: true })).faults, [])
})

processes('D-R8 F17 a replaced file is noticed', async () => {
  const directory = await closedJournal((store) => fill(store, 3))
  const file = join(directory, 'journal.mdb')
  const lock = join(directory, 'journal.mdb-lock')
  const replaced = new Promise<string>((resolve) => {
    watchFiles([file, lock], 5, resolve)
  })
  const hold = setInterval(() => {}, 1_000)
  copyFileSync(lock, `${lock}.new`)
  renameSync(`${lock}.new`, lock)

  assert.is(await replaced, lock)
  clearInterval(hold)
})

processes.run()
