/**
 * Recorded traffic: a kernel with a channel, sessions, runs, deliveries, losses and a restart, and
 * what the tests of replay, forks and exploration read off it.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kinds } from '../../machines/kinds.ts'
import { openHistory } from '../../actors/history.ts'
import type { Outcome } from '../../actors/outbox.ts'
import { type Code, codeOf } from '../../machines/history/take.ts'
import { cutSegment, type Segment } from '../../machines/history/segment.ts'
import { formatRecord, type JournalEvent, type JournalRecord } from '../../protocol/record.ts'
import { type StreamId, streamId } from '../../protocol/ids.ts'
import type { Store } from '../../store/contract.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from './clock.ts'
import { accepted, received, requested } from './facts.ts'
import { type Given, openTestKernel, type TestKernel } from './kernel.ts'
import { compiled } from './process.ts'
import { openTestServices } from './services.ts'

/** The identity that recorded traffic carries, unless a test says otherwise. */
export const TEST_CODE = 'test'

/** Our machines as the code that wrote the traffic. */
export function ourCode(id = TEST_CODE): Code {
  return codeOf(id, kinds)
}

const policy = { dmPolicy: 'open', allowFrom: [], groupPolicy: 'disabled', rooms: {} }
const CHANNEL = streamId('channel', 'irc')

/** A life of a gateway: what the tests of history tell it. */
export class Traffic {
  readonly store: Store
  kernel: TestKernel
  #code: string
  #epoch = 0

  constructor(store: Store = openMemory(), code = TEST_CODE, startAt?: number) {
    this.store = store
    this.#code = code
    const services = openTestServices(openFakeClock(startAt))
    this.kernel = openTestKernel({ store, code, services })
  }

  /** Boots, opens the channel, and leaves everything at work. */
  async boot(): Promise<void> {
    this.#epoch += 1
    const { kernel } = this.kernel
    const cause = `boot:${this.#epoch}`
    const event = { type: 'gateway.booted', epoch: this.#epoch, version: '1' }
    await this.#tell('gateway:main', event, cause)
    await kernel.recover(cause)
    await this.#tell(CHANNEL, { type: 'channel.enabled', channel: 'irc', policy }, cause)
    await this.answer('channel.open')
  }

  /** Ends the process without a word, and boots the next one. */
  async crash(): Promise<void> {
    await settle()
    await this.kernel.kernel.stop()
    const { clock } = this.kernel.services
    await clock.advance(500)
    this.kernel = openTestKernel({
      store: this.store,
      code: this.#code,
      services: openTestServices(clock),
    })
    await this.boot()
  }

  async receive(messageId: string, changes: Record<string, unknown> = {}): Promise<void> {
    await this.#tell(CHANNEL, received(messageId, changes), `ext:irc:${messageId}`)
    await this.pass(10)
  }

  async ask(runId: string, changes: Record<string, unknown> = {}): Promise<void> {
    await this.#tell('session:agent:main:main', accepted(runId, changes), `req:c1:${runId}`)
    await this.pass(10)
  }

  async send(deliveryId: string): Promise<void> {
    await this.#tell(`delivery:${deliveryId}`, requested(deliveryId), `req:c1:${deliveryId}`)
    await this.pass(10)
  }

  /** Answers the oldest effect of a name that waits. */
  async answer(name: string, outcome: Outcome = { type: 'effect.done' }): Promise<void> {
    await this.pass(10)
    const given = this.#take(name)
    const usage = { ref: `b:${given.context.address}`, inputTokens: 3, outputTokens: 2 }
    const facts = name === 'model.call' ? usage : { messageId: null }
    given.answer(outcome.type === 'effect.done' ? { facts, ...outcome } : outcome)
    await this.pass(10)
  }

  async pass(ms: number): Promise<void> {
    await this.kernel.services.clock.advance(ms)
  }

  records(): JournalRecord[] {
    return this.kernel.records()
  }

  /** Cuts everything behind a position, or all. */
  segment(at = 0, to = this.store.head().position): Segment {
    return cutSegment(openHistory(this.store), kinds, { from: at + 1, to, code: this.#code })
  }

  /** The position of the first record that matches. */
  find(matches: (record: JournalRecord) => boolean): number {
    const found = this.records().find(matches)
    if (found === undefined) throw new Error('no such record in the traffic')
    return found.position
  }

  #take(name: string): Given {
    const { given } = this.kernel
    const index = given.findIndex((each) => each.name === name)
    const [taken] = given.splice(index, index === -1 ? 0 : 1)
    if (taken === undefined) throw new Error(`no ${name} waits`)
    return taken
  }

  async #tell(stream: JournalRecord['stream'], event: JournalEvent, cause: string): Promise<void> {
    const message = { event, cause, correlationId: cause.padStart(32, '0').slice(-32) }
    await this.kernel.kernel.registry.deliver(stream, message)
    await settle()
  }
}

/** A day of it: answered, retried, refused, sent, failed, lost and uncertain. */
export async function recordTraffic(
  store?: Store,
  code?: string,
  startAt?: number,
): Promise<Traffic> {
  const traffic = new Traffic(store, code, startAt)
  const fault = { type: 'effect.failed', class: 'rate', retryable: true } as const
  await traffic.boot()
  await traffic.receive('m1')
  await traffic.answer('model.call')
  await traffic.answer('message.deliver')
  await traffic.receive('m2', { peer: 'channel', roomId: '#home', target: '#home' }) // refused
  await traffic.ask('r1')
  await traffic.answer('model.call', fault)
  await traffic.pass(5_000)
  await traffic.answer('model.call')
  await traffic.send('d1')
  await traffic.answer('message.deliver', { ...fault, sent: 'no' })
  await traffic.pass(20_000)
  await traffic.answer('message.deliver')
  await traffic.receive('m3')
  await traffic.answer('model.call')
  await traffic.crash() // The reply to m3 is on the wire: uncertain.
  await traffic.receive('m4')
  await traffic.receive('m5') // Waits in the queue.
  await traffic.crash() // The call for m4 is lost and made again.
  await traffic.answer('model.call')
  await traffic.answer('message.deliver')
  await traffic.answer('model.call')
  await traffic.answer('message.deliver')
  await traffic.send('d2')
  await traffic.answer('message.deliver', { ...fault, retryable: false, sent: 'no' })
  return traffic
}

/** Records a day of traffic into the journal of a state directory; `change` falsifies it, `startAt` dates it. */
export async function writeTraffic(
  stateDir: string,
  code: string,
  change: (record: JournalRecord) => JournalRecord = (record) => record,
  startAt?: number,
): Promise<Traffic> {
  const traffic = await recordTraffic(openMemory(), code, startAt)
  const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
  for (const record of traffic.records()) {
    const { stream, version } = record
    await store.append({
      stream,
      expectedVersion: version - 1,
      fields: formatRecord(change(record)),
    })
  }
  await store.close()
  return traffic
}

/** Compacts streams of the journal of a state directory, as a gateway would. */
export async function compactTraffic(
  stateDir: string,
  code: string,
  streams: readonly StreamId[],
): Promise<void> {
  const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
  const { kernel } = openTestKernel({ store, code })
  for (const stream of streams) await kernel.compact(stream)
  await kernel.stop()
  await store.close()
}

/** A copy of the compiled machines with one text of one file replaced. */
export function patchMachines(
  directory: string,
  file: string,
  [from, to]: readonly [string, string],
): string {
  for (const room of ['machines', 'protocol']) {
    cpSync(compiled(room), join(directory, 'dist', room), { recursive: true })
  }
  const path = join(directory, 'dist', 'machines', file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
  writeFileSync(path, text.replaceAll(from, to))
  return directory
}
