/**
 * A channel's link as this process knows it: whether it is up, when it was last heard of, who waits
 * for it; and the gate that keeps all of them shut. None of it is durable: a restored snapshot cannot
 * tell whether this process has a link.
 */
import { limits } from '../protocol/limits.ts'
import type { Services } from './services.ts'

/** One channel's link. */
export interface Link {
  isUp: boolean
  changedAt: number // ms, monotonic: since when it is up, or is not
  heardAt: number | null // ms, monotonic: the newest sign of life of the other side
  proves: boolean // its adapter tells of signs of life, so that silence means something
  readonly waiting: Set<() => void>
}

/** Makes the link of a channel that was not opened yet; `now` is monotonic. */
export function makeLink(now: number): Link {
  return { isUp: false, changedAt: now, heardAt: null, proves: false, waiting: new Set() }
}

/** Notes a sign of life. */
export function hear(link: Link, now: number): void {
  link.heardAt = now
}

/** How long ago the other side gave a sign of life, in ms; null where it never did. */
export function evidenceMs({ heardAt }: Link, now: number): number | null {
  return heardAt === null ? null : Math.max(0, now - heardAt)
}

/** Tells whether a link that should be heard of was not for too long. */
export function isSilent(link: Link, now: number): boolean {
  return link.proves && (evidenceMs(link, now) ?? 0) > limits.channelSilentMs
}

/** Marks a link as up or down; who waits for it goes on. */
export function setLink(link: Link, isUp: boolean, now: number): void {
  if (link.isUp !== isUp) link.changedAt = now
  link.isUp = isUp
  if (isUp) for (const go of link.waiting) go()
}

/** The gate before all channels: shut while they are held. */
export class Gate {
  #shut: Promise<void> | null = null
  #open: () => void = () => {}

  get isShut(): boolean {
    return this.#shut !== null
  }

  shut(): void {
    this.#shut ??= new Promise((resolve) => {
      this.#open = resolve
    })
  }

  open(): void {
    this.#shut = null
    this.#open()
  }

  /**
   * Null where a link can be used now, else resolves when it is up, or at a time (ms since epoch);
   * where there is none, when it has had its time to come up. Without this each delivery would spend
   * its attempts on a link that is down.
   */
  passage(link: Link, services: Services, until: number | null = null): Promise<void> | null {
    if (this.#shut === null) return untilUp(link, services, until)
    return this.#shut.then(() => untilUp(link, services, until) ?? undefined)
  }
}

function untilUp(link: Link, { clock }: Services, until: number | null): Promise<void> | null {
  const waitMs = until === null ? limits.channelOpenMs : until - clock.now()
  if (link.isUp || waitMs <= 0) return null
  return new Promise((resolve) => {
    const go = (): void => {
      cancel()
      link.waiting.delete(go)
      resolve()
    }
    const cancel = clock.after(waitMs, go)
    link.waiting.add(go)
  })
}
