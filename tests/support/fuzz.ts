/**
 * The fuzzer of the door: bytes into a real gateway, and what must hold whatever they are.
 *
 *   - nothing is thrown that nobody catches, and nothing is answered INTERNAL or logged as an error
 *   - a whole frame is answered, or the socket closed with a code that may be sent
 *   - whoever ends their half is let go; a well-behaved client is served all the while
 *   - memory comes back
 *
 * Half of the inputs come from a grammar, half by mutation of the kept ones; an input in whose batch
 * code was run for the first time is kept for the run. The seed is in the report.
 */
import fc from 'fast-check'
import { Coverage } from './coverage.ts'
import {
  formatInput,
  type FuzzInput,
  grammar,
  mutate,
  openDice,
  readCorpus,
} from './fuzz-inputs.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { RawSocket } from './raw-socket.ts'

const AT_A_TIME = 16
const BATCHES_PER_COVERAGE = 4
const RSS_GROWTH_MAX = 192 * 1024 * 1024 // The coverage itself takes about 60 MB.

export interface FuzzReport {
  readonly seed: number
  readonly runs: number
  readonly blocks: number // run at least once
  readonly kept: readonly string[] // lines for the corpus: inputs that reached new code
  readonly faults: readonly string[] // what did not hold, and the input
  readonly heard: Readonly<Record<string, number>>
}

interface FuzzOptions {
  readonly seed: number
  readonly runsMax: number
  readonly msMax: number
}

/** Runs inputs until a number or a time is reached, or something does not hold. */
export async function fuzz({ seed, runsMax, msMax }: FuzzOptions): Promise<FuzzReport> {
  const house = await startTestGateway()
  const run = new Run(house, seed)
  const deadline = performance.now() + msMax
  const before = process.memoryUsage().rss
  try {
    await run.start()
    while (run.runs < runsMax && performance.now() < deadline && run.faults.length === 0) {
      await run.batch()
    }
    const growth = process.memoryUsage().rss - before
    if (growth > RSS_GROWTH_MAX) run.faults.push(`memory grew by ${growth} bytes`)
  } finally {
    run.close()
    await house.stop()
  }
  const { runs, faults, kept, coverage, heard } = run
  const counts = Object.fromEntries([...heard].sort(([, a], [, b]) => b - a))
  return { seed, runs, blocks: coverage.blocks.size, kept, faults, heard: counts }
}

class Run {
  runs = 0
  readonly faults: string[] = []
  readonly kept: string[] = []
  readonly heard = new Map<string, number>()
  readonly coverage = new Coverage()
  #house: TestGateway
  #seed: number
  #dice: (below: number) => number
  #pool: FuzzInput[] = readCorpus()
  #queue: FuzzInput[] = [...this.#pool] // What was kept is tried first.
  #batches = 0
  #recent: FuzzInput[] = []
  #steady: Awaited<ReturnType<TestGateway['client']>>

  constructor(house: TestGateway, seed: number) {
    this.#house = house
    this.#seed = seed
    this.#dice = openDice(seed)
    this.#steady = house.client()
  }

  async start(): Promise<void> {
    await this.#steady.connect({ deviceId: 'steady', subscribe: [] })
  }

  close(): void {
    this.coverage.close()
  }

  async batch(): Promise<void> {
    if (this.#queue.length < AT_A_TIME) this.#refill()
    const inputs = this.#queue.splice(0, AT_A_TIME)
    await Promise.all(inputs.map((input) => this.#attempt(input)))
    this.runs += inputs.length
    this.#recent.push(...inputs)
    await this.#look(inputs)
    this.#batches += 1
    if (this.#batches % BATCHES_PER_COVERAGE === 0) this.#keep()
  }

  #refill(): void {
    const seed = this.#seed + this.#batches
    this.#queue.push(...fc.sample(grammar, { seed, numRuns: AT_A_TIME }))
    for (let n = 0; n < AT_A_TIME; n += 1) {
      const [one, other] = [this.#draw(), this.#draw()]
      if (one !== undefined && other !== undefined) this.#queue.push(mutate(one, other, this.#dice))
    }
  }

  #draw(): FuzzInput | undefined {
    return this.#pool[this.#dice(this.#pool.length)]
  }

  async #attempt(input: FuzzInput): Promise<void> {
    const { port } = this.#house.gateway
    const { state, bytes, whole } = input
    const raw =
      state === 'tcp'
        ? new RawSocket(port)
        : await (state === 'upgraded' ? RawSocket.upgrade(port) : RawSocket.connected(port))
    try {
      const cut = this.#dice(bytes.length + 1)
      raw.write(bytes.subarray(0, cut))
      raw.write(bytes.subarray(cut))
      if (whole) await raw.until((heard) => heard !== 'http 101', 'an answer to a whole frame')
      raw.socket.end()
      await raw.until((heard) => heard === 'end', 'an end')
    } catch (thrown) {
      this.#fault(String(thrown), input)
    } finally {
      raw.destroy()
    }
    for (const what of raw.heard) this.#note(what, input)
  }

  #note(what: string, input: FuzzInput): void {
    const kind = what.startsWith('pong') ? 'pong' : what
    this.heard.set(kind, (this.heard.get(kind) ?? 0) + 1)
    const code = Number(/^close (\d+)$/.exec(what)?.[1] ?? 1000)
    const sendable =
      code === 1005 || (code >= 1000 && code < 5000 && ![1004, 1006, 1015].includes(code))
    if (what === 'res INTERNAL' || !sendable) this.#fault(what, input)
  }

  async #look(inputs: readonly FuzzInput[]): Promise<void> {
    const { lines } = this.#house.services
    const error = lines.find(({ level }) => level === 'error')
    const answer = await this.#steady.request('health')
    lines.length = 0
    this.#steady.frames.length = 0
    const what = error === undefined ? null : `${error.phrase} ${JSON.stringify(error.fields)}`
    if (what === null && answer.ok === true) return
    for (const input of inputs) this.#fault(what ?? 'a steady client was not served', input)
  }

  #fault(what: string, input: FuzzInput): void {
    this.faults.push(`${what}\n${formatInput(input)}`)
  }

  #keep(): void {
    const fresh = this.coverage.take()
    const recent = this.#recent.splice(0)
    if (fresh === 0 || this.#batches === BATCHES_PER_COVERAGE) return
    this.#pool.push(...recent)
    this.kept.push(...recent.map(formatInput))
  }
}
