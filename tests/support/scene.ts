/**
 * A scene: a small world with one channel, written by the real kernel into a memory store, for
 * tests of history. People write, the model and the platform answer when told to, processes die.
 */
import { openHistory } from '../../actors/history.ts'
import type { Outcome } from '../../actors/outbox.ts'
import type { History } from '../../machines/history/source.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from './clock.ts'
import { accepted, received } from './facts.ts'
import { openTestKernel, type TestKernel } from './kernel.ts'
import { openTestServices } from './services.ts'
import { until } from './wait.ts'

const CHANNEL = 'channel:irc'
const SESSION = 'session:agent:main:main'

const POLICY = {
  dmPolicy: 'allowlist',
  allowFrom: ['ann'],
  groupPolicy: 'allowlist',
  rooms: { '#home': { requireMention: true, allowFrom: ['*'] } },
}

export class Scene {
  readonly clock = openFakeClock()
  readonly store: Store
  kernel: TestKernel
  #epoch = 0
  #messages = 0

  private constructor(store: Store) {
    this.store = store
    this.kernel = this.#open()
  }

  /** Opens a scene whose channel is online, over a store of its own or a given empty one. */
  static async open(store: Store = openMemory()): Promise<Scene> {
    const scene = new Scene(store)
    await scene.#boot()
    return scene
  }

  get history(): History {
    return openHistory(this.store)
  }

  /** All records so far. */
  records(): JournalRecord[] {
    return this.kernel.records()
  }

  /** The newest record of a type. */
  newest(type: string): JournalRecord {
    const found = this.records().findLast(({ event }) => event.type === type)
    if (found === undefined) throw new Error(`no record ${type}`)
    return found
  }

  /** Somebody writes to the bot; returns the record of the message. */
  async write(changes: Readonly<Record<string, unknown>> = {}): Promise<JournalRecord> {
    const n = (this.#messages += 1)
    const names = { ref: `b:${String(n).padStart(20, '0')}`, runId: `run-${n}` }
    const event = received(`m${n}`, { ...names, ...changes })
    const { registry } = this.kernel.kernel
    const cause = `ext:irc:m${n}`
    const record = await registry.deliver(CHANNEL, { event, cause, correlationId: this.#id() })
    await this.#rest()
    return record
  }

  /** A client asks the agent. */
  async ask(runId: string): Promise<JournalRecord> {
    const message = { event: accepted(runId), cause: 'req:c1:agent', correlationId: this.#id() }
    const record = await this.kernel.kernel.registry.deliver(SESSION, message)
    await this.#rest()
    return record
  }

  /** Answers the oldest effect of a name that waits for its answer. */
  async answer(name: string, outcome: Outcome): Promise<void> {
    const { given } = this.kernel
    await until(() => given.some((each) => each.name === name), `${name} waits for an answer`)
    const index = given.findIndex((each) => each.name === name)
    const [found] = given.splice(index, 1)
    const before = this.store.head().position
    found?.answer(outcome)
    await until(() => this.store.head().position > before, `the outcome of ${name}`)
    await this.#rest()
  }

  /** Waits until an effect of a name is being tried. */
  async tried(name: string): Promise<void> {
    await until(() => this.kernel.given.some((given) => given.name === name), `${name} is tried`)
  }

  /** The model answers. */
  reply(): Promise<void> {
    const facts = { ref: 'b:aaaaaaaaaaaaaaaaaaaa', inputTokens: 3, outputTokens: 5 }
    return this.answer('model.call', { type: 'effect.done', facts })
  }

  /** The platform takes the message. */
  deliver(): Promise<void> {
    return this.answer('message.deliver', { type: 'effect.done', facts: { messageId: 'p1' } })
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  /** The process dies: what is on its way to the disk arrives, what it held in memory is gone. */
  async die(): Promise<void> {
    this.kernel.kernel.outbox.stop()
    await this.kernel.kernel.stop()
    await settle()
    await this.store.putCheckpoint('scene', this.store.head().position, Buffer.of(1))
  }

  /** The next process starts, and takes up what was left open. */
  async restart(): Promise<void> {
    this.kernel = this.#open()
    await this.#boot()
  }

  #open(): TestKernel {
    this.#epoch += 1
    const epoch = this.#epoch
    const store = { ...this.store, epoch: () => epoch }
    return openTestKernel({ store, services: openTestServices(this.clock) })
  }

  async #boot(): Promise<void> {
    const { registry, recover } = this.kernel.kernel
    const cause = `boot:${this.#epoch}`
    const tell = (stream: 'gateway:main' | 'channel:irc', event: { type: string }) =>
      registry.deliver(stream, { event, cause, correlationId: this.#id() })
    await tell('gateway:main', {
      type: 'gateway.booted',
      epoch: this.#epoch,
      version: '1',
    } as never)
    await recover(cause)
    await this.#rest()
    await tell(CHANNEL, { type: 'channel.enabled', channel: 'irc', policy: POLICY } as never)
    await settle()
    await this.answer('channel.open', { type: 'effect.done' })
  }

  // What is sent has been taken in; a dead kernel takes nothing in.
  async #rest(): Promise<void> {
    await settle()
    const { work } = this.kernel.kernel
    for (let turn = 0; turn < 50 && work.sends.size > 0; turn += 1) await settle()
  }

  #id(): string {
    return this.kernel.services.chance.hex(16)
  }
}
