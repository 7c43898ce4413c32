/**
 * Control-plane writes: changes of what the gateway is, not of what is said in it. Step 4 of 8.
 *
 * Of one device and method only so many in a while, as upstream: a script that has gone wrong must
 * not rewrite the house in a loop. Memory only, and bounded: a restart forgets, which a device that
 * may write here could not cause more often than that.
 */
import { takeInWindow, type WindowPolicy } from '../machines/rules/rate.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type MethodName, methods } from '../protocol/methods.ts'
import type { Clock } from './services.ts'

const POLICY: WindowPolicy = {
  max: limits.controlWritesMax,
  windowMs: limits.controlWritesWindowMs,
}

// Talking, asking and listening are what a gateway is for; their rate is the connection's.
const EVERYDAY: ReadonlySet<string> = new Set(['operator.read', 'operator.write'])

/** Tells whether a method changes what the gateway is. */
export function isControlWrite(method: MethodName): boolean {
  const { scope, writes } = methods[method]
  const isOfTalk = method.startsWith('sessions.') || method.startsWith('approval.')
  const isTalk = scope === null || EVERYDAY.has(scope) || isOfTalk
  return writes && !isTalk
}

/** Counts control-plane writes. */
export class ControlWrites {
  #clock: Clock
  #times = new Map<string, readonly number[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one. @throws {GatewayError} RATE_LIMITED with details.retryAfterMs */
  count(method: MethodName, deviceId: string): void {
    if (!isControlWrite(method)) return
    const key = `${method} ${deviceId}`
    const before = this.#times.get(key) ?? []
    const { times, waitMs } = takeInWindow(POLICY, before, this.#clock.monotonic())
    this.#times.delete(key) // The newest stand last.
    this.#times.set(key, times)
    if (this.#times.size > limits.controlWritersMax) {
      const [oldest] = this.#times.keys()
      if (oldest !== undefined) this.#times.delete(oldest)
    }
    if (waitMs === 0) return
    const details = { retryAfterMs: waitMs, limit: limits.controlWritesMax }
    throw new GatewayError('RATE_LIMITED', `rate limit exceeded for ${method}`, details)
  }
}
