/**
 * The gateway over Tailscale: `tailscale serve` for one's own tailnet, `tailscale funnel` for the
 * Internet, driven through the `tailscale` command.
 *
 *   claim: record ─► command ─► our name there is an allowed Host
 *   reset: command ─► record     at the stop, and at the boot behind a claim whose process died
 *
 * The record of a claim comes before the command, so that no claim is forgotten. A claim that fails
 * leaves the gateway serving this machine, with the reason in its health.
 */
import { execFile } from 'node:child_process'
import type { GatewayContext } from '../machines/gateway.ts'
import { messageOf } from '../protocol/errors.ts'
import { memberOf } from '../protocol/members.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalEvent } from '../protocol/record.ts'
import type { Services } from './services.ts'

type Mode = 'off' | 'serve' | 'funnel'

interface House {
  readonly mode: Mode
  readonly target: () => string // a port, or the URL behind which we are
  readonly env: NodeJS.ProcessEnv
  readonly services: Services
  readonly tell: (event: JournalEvent, cause: string) => Promise<unknown>
  readonly state: () => GatewayContext
  /** Told by which name we are reached. */
  readonly named: (name: string) => void
}

/** Claims and resets; one at a time. */
export class Tailscale {
  #house: House
  #work: Promise<void> = Promise.resolve()
  #fault: string | null = null

  constructor(house: House) {
    this.#house = house
  }

  /** Why it does not carry us although it should; null where it does. */
  get fault(): string | null {
    return this.#fault
  }

  /** Undoes what an earlier life left, and claims what is configured; failures are told in `fault`. */
  claim(cause: string): Promise<void> {
    return this.#next(() => this.#claim(cause))
  }

  /** Undoes our claim. */
  reset(cause: string): Promise<void> {
    return this.#next(() => this.#reset(cause))
  }

  #next(run: () => Promise<void>): Promise<void> {
    const { log } = this.#house.services
    this.#work = this.#work.then(run).catch((thrown: unknown) => {
      const reason = messageOf(thrown)
      this.#fault = `tailscale: ${reason}`
      log.error('tailscale does not do what is configured', { reason })
    })
    return this.#work
  }

  async #claim(cause: string): Promise<void> {
    const { mode, target, services, tell, named, state } = this.#house
    const earlier = state().tailscale ?? 'off'
    if (earlier !== 'off' && earlier !== mode) await this.#reset(cause)
    if (mode === 'off') return
    await tell({ type: 'tailscale.claimed', mode }, cause)
    const name = nameIn(await this.#run('status', '--json'))
    await this.#run(mode, '--bg', '--yes', target())
    if (name !== null) named(name)
    services.log.info('reached over tailscale', { mode, url: `wss://${name ?? ''}` })
  }

  async #reset(cause: string): Promise<void> {
    const { tell, state } = this.#house
    const { tailscale: claimed = 'off' } = state()
    if (claimed === 'off') return
    await this.#run(claimed, 'reset')
    await tell({ type: 'tailscale.reset', mode: claimed }, cause)
  }

  #run(...words: readonly string[]): Promise<string> {
    const options = { timeout: limits.tailscaleMs, encoding: 'utf8', env: this.#house.env } as const
    return new Promise((resolve, reject) => {
      execFile('tailscale', [...words], options, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const said = stderr.trim().split('\n')[0] || error.message
        reject(new Error(`${words.join(' ')}: ${said}`, { cause: error }))
      })
    })
  }
}

/** Reads the name of this machine out of `tailscale status --json`. */
function nameIn(text: string): string | null {
  try {
    const name = memberOf(memberOf(JSON.parse(text), 'Self'), 'DNSName')
    return typeof name === 'string' && name !== '' ? name.replace(/\.$/, '') : null
  } catch {
    return null
  }
}
