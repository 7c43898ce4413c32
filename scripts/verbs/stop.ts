/**
 * `openclaw gateway stop`: a graceful stop. Work that is not finished stays as open work in the
 * journal and goes on at the next start, so there is nothing to wait for beyond a second. systemd
 * takes an ordered end for what it is and does not restart.
 */
import { askLock } from '../../actors/lock.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { jsonArgs } from '../arguments.ts'
import { endGateway } from '../gateway-process.ts'
import { show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: it was running and is gone; 3: none was running; 1: it is still there. */
export const stop = defineVerb({
  name: 'gateway stop',
  description: 'Stop the running gateway',
  args: jsonArgs,
  async run(args) {
    const { stateDir } = await readSettings({})
    const holder = await askLock(stateDir)
    if (holder === null) {
      const message = `no gateway is running (state in ${stateDir})`
      throw new GatewayError('NOT_RUNNING', message, { stateDir })
    }
    const { pid } = holder
    const startedAt = performance.now()
    await endGateway(pid)
    const ms = Math.round(performance.now() - startedAt)
    if (args.json) showJson({ ok: true, stopped: true, pid, ms })
    else show(`gateway stopped: process ${pid}, after ${ms} ms`)
    return 0
  },
})
