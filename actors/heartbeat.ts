/**
 * The gateway's own pulse: a look every few seconds at what time has done meanwhile.
 *
 * A late look is a stalled event loop. Where the wall clock has gone further than the monotonic one,
 * which stands still in a suspended machine, the host has slept, or somebody set its clock; either
 * way waits may be due that no timer knows of. A wall clock that went back is told in the log.
 */
import { performance } from 'node:perf_hooks'
import { limits } from '../protocol/limits.ts'
import type { Cancel, Services } from './services.ts'

/** How the event loop has been. */
export interface LoopState {
  readonly lagMs: number // of the last look
  readonly lagMsMax: number // since start
  readonly utilization: number // 0 to 1, between the last two looks
}

interface House {
  readonly services: Services
  /** Told that time has gone by unseen, in ms. */
  readonly slept: (ms: number) => void
  /** Called at every look. */
  readonly beat: () => void
}

/** Looks until it is stopped. */
export class Heartbeat {
  #house: House
  #next: Cancel = () => {}
  #wall: number
  #monotonic: number
  #usage = performance.eventLoopUtilization()
  #state: LoopState = { lagMs: 0, lagMsMax: 0, utilization: 0 }

  constructor(house: House) {
    this.#house = house
    const { clock } = house.services
    this.#wall = clock.now()
    this.#monotonic = clock.monotonic()
    this.#lookLater()
  }

  get loop(): LoopState {
    return this.#state
  }

  stop(): void {
    this.#next()
  }

  #lookLater(): void {
    this.#next = this.#house.services.clock.after(limits.heartbeatMs, () => this.#look())
  }

  #look(): void {
    const { services, slept, beat } = this.#house
    const { clock, log } = services
    const [wall, monotonic] = [clock.now(), clock.monotonic()]
    const passedMs = monotonic - this.#monotonic
    const gapMs = Math.round(wall - this.#wall - passedMs)
    this.#wall = wall
    this.#monotonic = monotonic
    this.#measure(passedMs - limits.heartbeatMs)
    if (gapMs >= limits.sleptMsMin) slept(gapMs)
    if (gapMs <= -limits.sleptMsMin) log.warn('the clock was set back', { ms: -gapMs })
    beat()
    this.#lookLater()
  }

  #measure(lateMs: number): void {
    const usage = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(usage, this.#usage)
    this.#usage = usage
    const lagMs = Math.max(0, lateMs)
    this.#state = { lagMs, lagMsMax: Math.max(lagMs, this.#state.lagMsMax), utilization }
  }
}
