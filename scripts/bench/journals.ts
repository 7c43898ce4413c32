/**
 * Journals for benchmarks, written by the kernel itself: accepted messages, runs, answers; only
 * the model is left out, and answers at once.
 */
import { draftText } from '../../actors/bodies.ts'
import { readCodeIdentity } from '../../actors/code.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import type { Driver } from '../../actors/outbox.ts'
import { type Services, silentLog, systemChance, systemClock } from '../../actors/services.ts'
import { type StreamId, streamId } from '../../protocol/ids.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import type { MessageAccepted } from '../../machines/session-events.ts'

export interface JournalSize {
  readonly sessions: number
  readonly turns: number // of each session; a turn makes four records
}

/** The real services, without a log. */
export const benchServices: Services = { clock: systemClock, chance: systemChance, log: silentLog }

const WAVE = 250 // Turns in flight at a time.

const instantModel: Driver = {
  visible: false,
  run: () => {
    const body = draftText(systemChance, 'an answer')
    const usage = { inputTokens: 10, outputTokens: 2, finish: 'stop' }
    const facts = { ref: body.ref, bytes: body.bytes.length, chunks: 1, ...usage }
    return Promise.resolve({ type: 'effect.done', facts, bodies: [body] })
  },
}

/** Names the session of a number. */
export function sessionKey(n: number): string {
  return `agent:main:irc:direct:person-${n}`
}

/** Names the stream of the session of a number. */
export function sessionStream(n: number): StreamId {
  return streamId('session', sessionKey(n))
}

/** Writes a journal; everything in it is finished and its checkpoint stands at its end. */
export async function fillJournal(
  directory: string,
  { sessions, turns }: JournalSize,
): Promise<void> {
  const store = await openLmdb({ directory, verify: false })
  const drivers = new Map([['model.call', instantModel]])
  const kernel = openKernel(store, drivers, benchServices, readCodeIdentity())
  for (let turn = 0; turn < turns; turn += 1) {
    for (let first = 0; first < sessions; first += WAVE) {
      const wave = Array.from({ length: Math.min(WAVE, sessions - first) }, (_, n) => first + n)
      await Promise.all(wave.map((n) => accept(kernel, n)))
      await finished(kernel)
    }
  }
  await kernel.stop()
  await store.close()
}

function accept({ registry }: Kernel, n: number): Promise<unknown> {
  const body = draftText(systemChance, 'a question')
  const runId = systemChance.id()
  const event = {
    type: 'message.accepted',
    sessionKey: sessionKey(n),
    messageId: runId,
    runId,
    ref: body.ref,
    channel: 'irc',
    peer: `person-${n}`,
    sender: `person-${n}`,
    route: null,
    model: 'echo',
    thinking: 'off',
    messagesMax: 400,
  } satisfies Omit<MessageAccepted, 'at'>
  const correlationId = systemChance.hex(16)
  return registry.deliver(sessionStream(n), {
    event,
    cause: `ext:irc:${runId}`,
    correlationId,
    bodies: [body],
  })
}

async function finished({ work }: Kernel): Promise<void> {
  while (work.effects.size + work.sends.size > 0) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}
