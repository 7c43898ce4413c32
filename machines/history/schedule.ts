/**
 * The schedule of a branch: what is to happen, in the order of a simulated clock.
 *
 * At one time what was recorded first comes first; what a record caused in the branch alone comes
 * directly behind it.
 */
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalEvent, RecordKind } from '../../protocol/record.ts'

/** Where an outcome comes from; `flow`: no outcome of an effect. */
export type Origin = 'flow' | 'recorded' | 'lost' | 'stub' | 'answer'

/** Something that is to be taken in. */
export interface Item {
  readonly slot: number // ms, never steps back
  readonly rank: number // the position that it belongs to
  readonly kind: RecordKind
  readonly stream: StreamId
  readonly event: JournalEvent
  readonly cause: string // an address in the branch, or outside
  readonly correlationId: string
  readonly at: number // ms since epoch
  readonly epoch: number | null // null: that of the branch then
  readonly origin: Origin
}

interface Queued {
  readonly item: Item
  readonly order: number
}

/** Items by slot, rank and order of addition. */
export class Schedule {
  #queue: Queued[] = [] // the next one last
  #orders = 0

  copy(): Schedule {
    const copy = new Schedule()
    copy.#queue = [...this.#queue]
    copy.#orders = this.#orders
    return copy
  }

  add(item: Item): void {
    this.#orders += 1
    const queued = { item, order: this.#orders }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#queue[middle]
      if (other !== undefined && isBefore(queued, other)) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, queued)
  }

  next(): Item | null {
    return this.#queue.pop()?.item ?? null
  }

  /** Takes out what matches. */
  remove(matches: (item: Item) => boolean): void {
    this.#queue = this.#queue.filter(({ item }) => !matches(item))
  }
}

function isBefore(left: Queued, right: Queued): boolean {
  const [a, b] = [left.item, right.item]
  if (a.slot !== b.slot) return a.slot < b.slot
  return a.rank === b.rank ? left.order < right.order : a.rank < b.rank
}
