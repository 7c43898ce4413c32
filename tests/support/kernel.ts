/** A kernel over a memory store (or a given one), with drivers that tests answer by hand. */
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import type { Driver, EffectContext, Outcome } from '../../actors/outbox.ts'
import { isVisible } from '../../machines/effects.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { parseRecord } from '../../protocol/record.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { Store, StoreReader } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { openTestServices, type TestServices } from './services.ts'

/** An effect that a driver was given, waiting for its answer. */
export interface Given {
  readonly name: string
  readonly params: Readonly<Record<string, unknown>>
  readonly context: EffectContext
  readonly answer: (outcome: Outcome) => void
}

export interface TestKernel {
  readonly kernel: Kernel
  readonly store: Store
  readonly services: TestServices
  readonly given: Given[]
  readonly tell: (stream: StreamId, event: JournalEvent) => Promise<JournalRecord>
  readonly records: () => JournalRecord[]
}

/** Every effect that a machine can wish for. */
export const EFFECTS = [
  'model.call',
  'model.cancel',
  'message.deliver',
  'channel.open',
  'channel.close',
  'code.tell',
  'config.check',
  'config.write',
  'gateway.restart',
]

/** Those of tools and summaries, which few tests come to. */
const RARE_EFFECTS = ['history.summarize', 'tool.judge', 'tool.call', 'tool.cancel']

interface Setup {
  readonly store?: Store
  readonly services?: TestServices
  readonly code?: string // the identity that its records carry
}

/** Opens a kernel whose effects wait in `given` for their answers. */
export function openTestKernel(setup: Setup = {}): TestKernel {
  const { store = openMemory(), services = openTestServices(), code = 'test' } = setup
  const given: Given[] = []
  const drivers = new Map<string, Driver>(
    [...EFFECTS, ...RARE_EFFECTS].map((name) => [
      name,
      { visible: isVisible(name), run: (effect, context) => take(given, { ...effect, context }) },
    ]),
  )
  const kernel = openKernel(store, drivers, services, code)
  return {
    kernel,
    store,
    services,
    given,
    tell: (stream, event) =>
      kernel.registry.deliver(stream, { event, cause: 'ext:test', correlationId: '00' }),
    records: () => readRecords(store),
  }
}

/** Reads a whole journal as records. */
export function readRecords(store: StoreReader): JournalRecord[] {
  return [...store.range(1)].map((stored) => parseRecord(stored, stored.fields))
}

function take(given: Given[], effect: Omit<Given, 'answer'>): Promise<Outcome> {
  return new Promise((answer) => {
    given.push({ ...effect, answer })
  })
}
