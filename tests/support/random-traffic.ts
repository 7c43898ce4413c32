/**
 * Random traffic: events of all kinds through a kernel whose drivers answer after a while, with
 * crashes in between. Nothing that a gateway would record, and all the harder to tell again.
 */
import fc from 'fast-check'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import type { Driver, Outcome } from '../../actors/outbox.ts'
import { isVisible } from '../../machines/effects.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { settle } from './clock.ts'
import { anyMessage } from './events.ts'
import { openTestServices, type TestServices } from './services.ts'

const EFFECTS = ['model.call', 'model.cancel', 'message.deliver', 'channel.open', 'channel.close']
const STREAMS_OF_A_KIND = 6

/** Records about 150 records; the same for the same seed. */
export async function recordRandom(seed: number): Promise<Store> {
  const store = openMemory()
  let services = openTestServices()
  let kernel = openWith(store, services)
  for (let wave = 0; wave < 12; wave += 1) {
    for (const { stream, event } of fc.sample(anyMessage(STREAMS_OF_A_KIND), {
      numRuns: 12,
      seed: seed * 100 + wave,
    })) {
      const message = { event, cause: `ext:random:${wave}`, correlationId: '00' }
      await Promise.all([kernel.registry.deliver(stream, message), services.clock.advance(20)])
    }
    if (wave % 4 !== 3) continue
    await kernel.stop()
    services = openTestServices(services.clock)
    kernel = openWith(store, services)
    await kernel.recover(`boot:${wave}`)
    await settle()
  }
  await kernel.stop()
  return store
}

function openWith(store: Store, services: TestServices): Kernel {
  let count = 0
  const run = (): Promise<Outcome> => {
    count += 1
    const facts = { ref: `b:${count}`, inputTokens: 1, outputTokens: 1, messageId: null }
    const fault = { class: 'rate', retryable: true, retryAfterMs: 10, sent: 'no' } as const
    const outcome: Outcome =
      count % 3 === 0 ? { type: 'effect.failed', ...fault } : { type: 'effect.done', facts }
    return new Promise((resolve) => {
      services.clock.after((count * 37) % 900, () => resolve(outcome))
    })
  }
  const drivers = EFFECTS.map((name): [string, Driver] => [name, { visible: isVisible(name), run }])
  return openKernel(store, new Map(drivers), services, 'test')
}
