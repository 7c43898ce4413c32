/**
 * What is settled in a restored journal before anybody may serve it: whatever was on its way out
 * when the backup was made may have been sent since, so nothing of it is sent again in silence.
 *
 *   a delivery that was tried, or waited      told as lost, with its start: `uncertain` (K6)
 *   a delivery, answer or message on its way  carried to where it becomes one, and then the same
 *   a run that would answer on a channel      aborted; its question stays in the history
 *   a run that a client waits for             told as lost: made again by the next gateway
 *   anything else that was open               told as lost, with its start
 *
 * Keys that were used after the backup are carried over, so that a client that asks again is not
 * obeyed twice; and grants that were revoked after it are revoked again.
 */
import type { OpenWork } from '../machines/projections/open-work.ts'
import { GATEWAY, type StreamId, streamId, streamKind, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { type JournalEvent, parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import type { Kernel } from './kernel.ts'
import { formatLost } from './outbox.ts'
import type { Message } from './durable.ts'
import type { Services } from './services.ts'

const CAUSE = 'sys:restore'
const ABORT: JournalEvent = { type: 'run.aborted', by: 'restore' }

/** What became of the open work of a backup. */
export interface Settled {
  readonly uncertain: number // deliveries that may have been sent; a person decides
  readonly aborted: number // runs whose answer would have gone out
  readonly lost: number // effects told as lost, deliveries among them
  readonly stuck: number // messages that their actor did not take
}

/** A message for an actor, and what it counts as. */
interface Errand {
  readonly to: StreamId
  readonly message: Message
  readonly counts: 'uncertain' | 'aborted' | 'lost' | null
}

/**
 * Settles the open work of a kernel whose outbox was drained before anything else.
 * Resolves when nothing is on its way any more, at the latest after limits.restoreSettleMs.
 */
export async function settleRestored(kernel: Kernel, { clock }: Services): Promise<Settled> {
  const settling = new Settling(kernel)
  const patience = { over: false }
  const cancel = clock.after(limits.restoreSettleMs, () => {
    patience.over = true
    settling.wake()
  })
  await settling.deliver(openAtFirst(kernel.work))
  for (
    let errands = settling.next();
    errands !== null && !patience.over;
    errands = settling.next()
  ) {
    if (errands.length > 0) await settling.deliver(errands)
    else await settling.more()
  }
  cancel()
  return settling.settled
}

// The sends of earlier processes: those of this one are carried by the router.
function openAtFirst({ sends }: OpenWork): Errand[] {
  return [...sends].map(([cause, { to, event, correlationId }]) => ({
    to,
    message: { event, cause, correlationId },
    counts: null,
  }))
}

class Settling {
  readonly #kernel: Kernel
  readonly #done = new Set<string>() // addresses
  readonly #old: ReadonlySet<string> // effects of the backup itself
  #counts = { uncertain: 0, aborted: 0, lost: 0, stuck: 0 }
  #wake: () => void = () => {}

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#old = new Set(kernel.work.effects.keys())
    kernel.listen(() => this.wake())
  }

  get settled(): Settled {
    return this.#counts
  }

  wake(): void {
    this.#wake()
  }

  /** Resolves with the next record, or when told to wake. */
  more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** What is to be done now; null: nothing, and nothing is on its way. */
  next(): Errand[] | null {
    const errands = [...this.#effects(), ...this.#waits()]
    return errands.length === 0 && this.#kernel.work.sends.size === 0 ? null : errands
  }

  async deliver(errands: readonly Errand[]): Promise<void> {
    for (const { to, message, counts } of errands) {
      try {
        await this.#kernel.registry.deliver(to, message)
        if (counts !== null) this.#counts[counts] += 1
        if (counts === 'uncertain') this.#counts.lost += 1
      } catch {
        this.#counts.stuck += 1 // Set aside, or of a code that is not here: it stays open work.
      }
    }
  }

  #effects(): Errand[] {
    return [...this.#kernel.work.effects].flatMap(([address, effect]): Errand[] => {
      const { name, stream: to, correlationId, params } = effect
      const isAnswer = name === 'model.call' && memberOf(params['asked'], 'channel') !== null
      const isDelivery = name === 'message.deliver'
      // A call that is made again belongs to the next gateway.
      const isOurs = this.#old.has(address) || isAnswer || isDelivery || name === 'model.cancel'
      if (!isOurs || this.#done.has(address)) return []
      this.#done.add(address)
      const event = formatLost(address, { ...effect, started: true })
      const lost: Errand = {
        to,
        message: { event, cause: address, correlationId },
        counts: isDelivery ? 'uncertain' : 'lost',
      }
      const abort: Errand = {
        to,
        message: { event: ABORT, cause: CAUSE, correlationId },
        counts: 'aborted',
      }
      return isAnswer ? [abort, lost] : [lost]
    })
  }

  // Between attempts: what waits to be tried again may have been tried since.
  #waits(): Errand[] {
    return [...this.#kernel.work.waits].flatMap(([address, wait]): Errand[] => {
      const { stream: to, event, id, correlationId } = wait
      const kind = streamKind(to)
      if ((kind !== 'delivery' && kind !== 'run') || this.#done.has(address)) return []
      this.#done.add(address)
      if (kind === 'delivery') {
        return [
          { to, message: { event, cause: address, correlationId, firedWait: id }, counts: null },
        ]
      }
      const context: unknown = this.#kernel.registry.snapshot(to).context
      if (memberOf(memberOf(context, 'asked'), 'channel') === null) return []
      return [{ to, message: { event: ABORT, cause: CAUSE, correlationId }, counts: 'aborted' }]
    })
  }
}

/** What one journal knows of keys and messages that another one does not. */
export interface Carried {
  readonly keys: readonly (readonly [key: string, digest: string, at: number])[]
  readonly inbound: readonly (readonly [channel: string, key: string])[]
}

/** Lists what must not be forgotten of the journal that a restore puts aside. */
export function listCarried(before: OpenWork, restored: OpenWork): Carried {
  const keys = [...before.keys].filter(([key]) => !restored.keys.has(key))
  const inbound = [...before.inbound].flatMap(([channel, ids]) =>
    [...ids]
      .filter((id) => restored.inbound.get(channel)?.has(id) !== true)
      .map((id) => [channel, id] as const),
  )
  return { keys: keys.map(([key, { digest, at }]) => [key, digest, at]), inbound }
}

/** Lists the grants that a journal says were taken back. */
export function listRevoked(store: StoreReader): StreamId[] {
  return [...store.streams('grant')].flatMap((stream) => {
    const position = store.positionOf(stream, store.version(stream))
    const stored = position === null ? null : store.read(position)
    const isRevoked = stored !== null && parseRecord(stored, stored.fields).value === 'revoked'
    return isRevoked ? [streamId('grant', streamName(stream))] : []
  })
}

/** Takes grants back that stand in a restored journal and were taken back since. */
export async function recordRevoked(
  { registry }: Kernel,
  revoked: readonly StreamId[],
  correlationId: string,
): Promise<void> {
  for (const stream of revoked) {
    if (registry.snapshot(stream).value !== 'given') continue
    const event = { type: 'grant.revoked', by: 'restore' }
    await registry.deliver(stream, { event, cause: CAUSE, correlationId })
  }
}

/** Records what was carried over, limits.restoreKeysPerRecord at a time. */
export async function recordCarried(
  { registry }: Kernel,
  { keys, inbound }: Carried,
  correlationId: string,
): Promise<void> {
  const step = limits.restoreKeysPerRecord
  for (let from = 0; from < Math.max(keys.length, inbound.length); from += step) {
    const event = {
      type: 'keys.carried',
      keys: keys.slice(from, from + step),
      inbound: inbound.slice(from, from + step),
    }
    await registry.deliver(GATEWAY, { event, cause: CAUSE, correlationId })
  }
}
