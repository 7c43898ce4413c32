/**
 * `openclaw gateway start` and `gateway restart`: by systemd where it has the gateway, else as a
 * process behind. A running gateway of this same version starts anew in its own process and keeps
 * its environment; one of another version ends, and this program takes its place.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { askLock, type LockInfo } from '../../actors/lock.ts'
import type { Recovered } from '../../actors/kernel.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { jsonArgs } from '../arguments.ts'
import { startBehind } from '../daemon.ts'
import { endGateway, signalGateway } from '../gateway-process.ts'
import { note, show, showJson } from '../output.ts'
import { recoveredText } from '../ready.ts'
import { isInstalled, isServed, systemctl, unitOf } from '../service/systemd.ts'
import { readSettings, type Settings } from '../settings.ts'
import { readStanding } from '../standing.ts'
import { defineVerb } from '../verb.ts'
import { SAYINGS } from './health.ts'
import { readVersion } from '../version.ts'

/** Who started the gateway, and what it found. */
interface Start {
  readonly how: 'systemd' | 'behind' | 'in its own process'
  readonly pid: number
  readonly recovered: Recovered
}

const NOTHING: Recovered = { sessions: 0, effectsLost: 0, sends: 0, waits: 0 }

/** Exit code 0: it runs, and is well; 1: it runs, but something is in the way, or none started. */
export const start = defineVerb({
  name: 'gateway start',
  description: 'Start the gateway behind, by systemd where it is installed',
  args: jsonArgs,
  async run(args) {
    const settings = await readSettings({})
    const holder = await askLock(settings.stateDir)
    if (holder !== null) throw alreadyRunning(holder)
    return tell(settings, await startAnyhow(settings), args.json === true)
  },
})

/** Exit code 0: it runs again, and is well; 1: it runs, but something is in the way, or is gone. */
export const restart = defineVerb({
  name: 'gateway restart',
  description: 'Stop the gateway and start it again; tells what it took up again',
  args: jsonArgs,
  async run(args) {
    const settings = await readSettings({})
    return tell(settings, await restartAnyhow(settings), args.json === true)
  },
})

function alreadyRunning({ pid, port }: LockInfo): GatewayError {
  const message = `a gateway is already running here, as process ${pid}`
  return new GatewayError('ALREADY_RUNNING', message, { pid, port })
}

async function startAnyhow(settings: Settings): Promise<Start> {
  const unit = unitOf(settings.stateDir)
  if (isInstalled(unit)) {
    await systemctl('start', unit.name)
    return found('systemd', await awaitReady(settings, () => true))
  }
  const { pid, recovered } = (await startBehind(settings, false)).report
  return { how: 'behind', pid, recovered }
}

async function restartAnyhow(settings: Settings): Promise<Start> {
  const unit = unitOf(settings.stateDir)
  const holder = await askLock(settings.stateDir)
  if (await isServed(unit)) {
    await systemctl('restart', unit.name)
    const isOther = ({ pid }: LockInfo): boolean => pid !== holder?.pid
    return found('systemd', await awaitReady(settings, isOther))
  }
  if (holder === null) return startAnyhow(settings)
  const { pid, boots = 0, version } = holder
  if (version !== readVersion() || boots === 0) {
    await endGateway(pid)
    return startAnyhow(settings)
  }
  await signalGateway(pid, 'SIGUSR2')
  const isAgain = (info: LockInfo): boolean => (info.boots ?? 0) > boots
  return found('in its own process', await awaitReady(settings, isAgain))
}

function found(how: Start['how'], { pid, recovered = NOTHING }: LockInfo): Start {
  return { how, pid, recovered }
}

/**
 * Waits until a gateway is ready, and is the one that is waited for.
 * @throws {GatewayError} UNAVAILABLE: it ended, or was not ready in time.
 */
async function awaitReady(
  { stateDir }: Settings,
  isIt: (info: LockInfo) => boolean,
): Promise<LockInfo> {
  const deadline = performance.now() + limits.restartWaitMs
  const goneMax = performance.now() + limits.stopWaitMs
  for (;;) {
    const info = await askLock(stateDir).catch(() => null)
    if (info?.ready === true && isIt(info)) return info
    const now = performance.now()
    if (now > deadline || (info === null && now > goneMax)) {
      const what = info === null ? 'it did not come back' : `process ${info.pid} is not ready yet`
      throw new GatewayError('UNAVAILABLE', `the gateway does not serve: ${what}`, { stateDir })
    }
    await sleep(limits.stopLookMs)
  }
}

async function tell(settings: Settings, start: Start, asJson: boolean): Promise<number> {
  const { how, pid, recovered } = start
  const standing = await readStanding(settings)
  const { url, says, fault } = standing
  if (asJson) {
    showJson({ ok: fault === null, how, pid, url, recovered, says, fault })
  } else {
    show(`gateway started ${sayHow(how)}: process ${pid}, ${says} at ${url}`)
    show(`recovered: ${recoveredText(recovered) || 'nothing was open'}`)
    const { health } = standing
    for (const part of SAYINGS) {
      const why: unknown = health?.[part]
      if (typeof why === 'string') note(`${part}: ${why}`)
    }
  }
  return fault === null ? 0 : 1
}

function sayHow(how: Start['how']): string {
  return how === 'systemd' ? 'by systemd' : how
}
