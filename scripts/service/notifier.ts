/**
 * Tells systemd how the gateway is: ready, stopping, and, as long as its event loop and its journal
 * answer, alive.
 *
 * systemd hears over a datagram socket, which Node does not have. `systemd-notify` is part of every
 * systemd and is called for each message, a few milliseconds every ten seconds; libraries for it
 * are addons that must be compiled.
 */
import { execFile } from 'node:child_process'
import type { Cancel, Services } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'

/** What is told to systemd; nothing where it did not start this process. */
export interface Notifier {
  /** Clients can connect; from now on the watchdog is fed. */
  readonly ready: (status: string) => void
  readonly stopping: () => void
}

interface House {
  readonly env: NodeJS.ProcessEnv
  readonly services: Pick<Services, 'clock' | 'log'>
  /** Why the gateway does not answer; null where it does. */
  readonly pulse: () => string | null
}

/** Opens the notifier of this process. */
export function openNotifier({ env, services, pulse }: House): Notifier {
  const { clock, log } = services
  if (!env['NOTIFY_SOCKET']) return { ready: () => {}, stopping: () => {} }
  const feedMs = watchdogMs(env) / limits.watchdogFeeds
  let cancel: Cancel = () => {}
  let isMute = false

  function tell(...words: readonly string[]): void {
    const options = { env, timeout: limits.systemctlMs }
    execFile('systemd-notify', [...words], options, (error) => {
      if (error === null || isMute) return
      isMute = true // Said once: it would come every ten seconds.
      log.error('systemd cannot be told', { reason: error.message })
    })
  }

  function feed(): void {
    const fault = pulse()
    if (fault === null) tell('WATCHDOG=1')
    else log.error('the watchdog is not fed', { reason: fault })
    feedLater()
  }

  function feedLater(): void {
    cancel = clock.after(feedMs, feed)
  }

  return {
    ready: (status) => {
      tell('--ready', `--pid=${process.pid}`, `--status=${status}`)
      if (Number.isFinite(feedMs)) feedLater()
    },
    stopping: () => {
      cancel()
      tell('STOPPING=1')
    },
  }
}

/** How long systemd waits for a sign of life; Infinity where it does not. */
function watchdogMs(env: NodeJS.ProcessEnv): number {
  const microseconds = Number(env['WATCHDOG_USEC'] ?? '')
  const pid = env['WATCHDOG_PID']
  const isOurs = pid === undefined || pid === String(process.pid)
  return isOurs && microseconds > 0 ? microseconds / 1_000 : Number.POSITIVE_INFINITY
}
