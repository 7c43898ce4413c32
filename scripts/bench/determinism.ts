/**
 * Determinism: a journal of random records over all machines, replayed in other processes.
 *
 *   node dist/scripts/bench/determinism.js [--records 100000] [--seed 1] [--node PATH]
 *
 * The journal is written through the kernel. Each replay runs in a process of its own with another
 * time zone, language and locale, and where `--node` is given in another Node: every state hash
 * and every output must come out as recorded.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { readCodeIdentity } from '../../actors/code.ts'
import { openHistory } from '../../actors/history.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import type { Driver } from '../../actors/outbox.ts'
import { isVisible } from '../../machines/effects.ts'
import { replayRange, type ReplayResult } from '../../machines/history/replay.ts'
import { codeOf } from '../../machines/history/take.ts'
import { kinds } from '../../machines/kinds.ts'
import { openLmdb, openLmdbReader } from '../../store/lmdb/open.ts'
import { anyMessage } from '../../tests/support/events.ts'
import { benchServices } from './journals.ts'
import { inTempDirectory, report, seconds } from './support.ts'

const WAVE = 250
const STREAMS_OF_A_KIND = 40

/** Where replays run: what formats and sorts differently there must not matter. */
const PLACES: readonly Readonly<Record<string, string>>[] = [
  { TZ: 'UTC', LANG: 'C', LC_ALL: 'C' },
  { TZ: 'Pacific/Chatham', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
]

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    node: { type: 'string' },
    replay: { type: 'string' },
  },
})

if (values.replay === undefined) await prove(Number(values.records), Number(values.seed))
else await replayHere(values.replay)

async function prove(records: number, seed: number): Promise<void> {
  await inTempDirectory(async (directory) => {
    const journal = join(directory, 'journal')
    await writeRandom(journal, records, seed)
    const nodes = [process.execPath, ...(values.node === undefined ? [] : [values.node])]
    for (const node of nodes) {
      for (const place of PLACES) replayThere(node, place, journal)
    }
  })
}

function replayThere(node: string, place: Readonly<Record<string, string>>, journal: string): void {
  const main = fileURLToPath(import.meta.url)
  const { stdout, stderr, status } = spawnSync(node, [main, '--replay', journal], {
    env: { PATH: process.env['PATH'], ...place },
    encoding: 'utf8',
  })
  if (status !== 0 && stdout === '')
    throw new Error(`${node} ended with ${String(status)}: ${stderr}`)
  const told = JSON.parse(stdout) as Told
  const { records, same, first, version, zone, language, perSecond } = told
  report({
    name: `determinism, ${records} records, seed ${values.seed}, Node ${version}, ${zone}, ${language}`,
    measured: `${same} reproduced, first other ${first === null ? 'none' : `#${first}`}, ${perSecond}/s`,
    ratio: same / records,
    target: '= 1',
    met: same === records && first === null,
  })
  if (same !== records) process.exitCode = 1
}

interface Told extends Pick<ReplayResult, 'records' | 'same' | 'first'> {
  readonly version: string
  readonly zone: string
  readonly language: string
  readonly perSecond: number
}

async function replayHere(journal: string): Promise<void> {
  const reader = await openLmdbReader(journal)
  const history = openHistory(reader)
  const code = codeOf(readCodeIdentity(), kinds)
  let result: ReplayResult | null = null
  const took = await seconds(() => {
    result = replayRange(history, code, { from: 1, to: history.head() })
    return Promise.resolve()
  })
  await reader.close()
  const { records, same, first } = result ?? { records: 0, same: 0, first: 0 }
  const { timeZone: zone } = new Intl.DateTimeFormat().resolvedOptions()
  const language = process.env['LANG'] ?? ''
  const perSecond = Math.round(records / took)
  const told = { records, same, first, version: process.version, zone, language, perSecond }
  console.log(JSON.stringify(told satisfies Told))
  if (first !== null) process.exitCode = 1
}

// Effects are answered at once, each second time with a failure: outcomes and sends follow.
async function writeRandom(journal: string, records: number, seed: number): Promise<void> {
  const store = await openLmdb({ directory: journal, verify: false })
  const drivers = new Map(
    ['model.call', 'model.cancel', 'message.deliver', 'channel.open', 'channel.close'].map(
      (name, index): [string, Driver] => [name, instantDriver(name, index % 2 === 0)],
    ),
  )
  const kernel = openKernel(store, drivers, benchServices, readCodeIdentity())
  for (let wave = 0; store.head().position < records; wave += 1) {
    const seen = { numRuns: WAVE, seed: seed * 1_000_003 + wave }
    const messages = fc.sample(anyMessage(STREAMS_OF_A_KIND), seen)
    await Promise.all(
      messages.map(({ stream, event }, index) =>
        kernel.registry.deliver(stream, {
          event,
          cause: `ext:random:${wave}-${index}`,
          correlationId: wave.toString(16).padStart(32, '0'),
        }),
      ),
    )
    await handled(kernel)
  }
  await kernel.stop()
  await store.close()
}

function instantDriver(name: string, fails: boolean): Driver {
  let count = 0
  return {
    visible: isVisible(name),
    run: () => {
      count += 1
      if (fails && count % 2 === 0) {
        const fault = { class: 'rate', retryable: true, retryAfterMs: 1, sent: 'no' } as const
        return Promise.resolve({ type: 'effect.failed', ...fault })
      }
      const facts = { ref: `b:${count}`, inputTokens: count, outputTokens: 1, messageId: null }
      return Promise.resolve({ type: 'effect.done', facts })
    },
  }
}

async function handled({ work }: Kernel): Promise<void> {
  while (work.effects.size + work.sends.size > 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}
