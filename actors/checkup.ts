/**
 * The checkup behind `health --probe`: each part is looked at, at the same time, within a deadline
 * of its own. A part that does not answer keeps no other from answering.
 */
import { messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { HealthHouse } from './health.ts'
import { heldSays, readPulse } from './pulse.ts'
import { mib } from './space.ts'

/** How one part is. */
export interface Probe {
  readonly ok: boolean
  readonly ms: number
  readonly detail: string
}

type Look = (signal: AbortSignal) => Promise<Verdict> | Verdict
type Verdict = Pick<Probe, 'ok' | 'detail'>

/** Looks at journal, disk, configuration, models and channels. */
export async function checkUp(house: HealthHouse): Promise<Record<string, Probe>> {
  const parts = Object.entries(looksOf(house))
  const probes = await Promise.all(
    parts.map(async ([name, look]) => [name, await probe(look, house)] as const),
  )
  return Object.fromEntries(probes)
}

function looksOf(house: HealthHouse): Record<string, Look> {
  const { live } = house.configuration
  const { primary, fallbacks } = live.config.agent.model
  const models = [...new Set([primary, ...fallbacks])].map((name): [string, Look] => [
    `model.${name}`,
    (signal) => lookAtModel(house, name, signal),
  ])
  const channels = Object.keys(house.channels.states()).map((name): [string, Look] => [
    `channel.${name}`,
    () => lookAtChannel(house, name),
  ])
  return {
    journal: () => lookAtJournal(house),
    disk: () => lookAtDisk(house),
    config: () => lookAtConfiguration(house),
    ...Object.fromEntries([...models, ...channels]),
  }
}

async function probe(look: Look, { services: { clock } }: HealthHouse): Promise<Probe> {
  const start = clock.monotonic()
  const deadline = new AbortController()
  let cancel = (): void => {}
  const late = new Promise<Verdict>((resolve) => {
    cancel = clock.after(limits.probeMs, () => {
      deadline.abort()
      resolve({ ok: false, detail: `no answer in ${limits.probeMs / 1_000} s` })
    })
  })
  const looked = attempt(look, deadline.signal)
  const { ok, detail } = await Promise.race([looked, late])
  cancel()
  return { ok, detail, ms: Math.round((clock.monotonic() - start) * 10) / 10 }
}

async function attempt(look: Look, signal: AbortSignal): Promise<Verdict> {
  try {
    return await look(signal)
  } catch (error) {
    return { ok: false, detail: messageOf(error) }
  }
}

// Reading the newest record proves that the file is there and its checksum holds.
function lookAtJournal({ store, work }: HealthHouse): Verdict {
  const fault = readPulse(store)
  if (fault !== null) return { ok: false, detail: fault }
  const { position } = store.head()
  const { commitMsP99, heldBy } = store.stats()
  const p99 = commitMsP99.toFixed(1)
  const detail = `head #${position}, folded to #${work.position}, commit p99 ${p99} ms`
  if (heldBy !== null) return { ok: false, detail: `${detail}; ${heldSays(heldBy)}` }
  return { ok: work.position >= position, detail }
}

function lookAtDisk({ store, registry }: HealthHouse): Verdict {
  const { freeBytes, fileBytes } = store.stats()
  const { level, says } = registry.space()
  const detail = `journal ${mib(fileBytes)}, free ${mib(freeBytes)}`
  return { ok: level !== 'scarce', detail: level === 'ample' ? detail : `${detail}; ${says}` }
}

function lookAtConfiguration({ configuration }: HealthHouse): Verdict {
  const { fault } = configuration
  if (fault !== null) return { ok: false, detail: fault.split('\n', 1)[0] ?? '' }
  return { ok: true, detail: `as written, ${configuration.live.hash.slice(0, 8)}` }
}

async function lookAtModel(
  { configuration }: HealthHouse,
  name: string,
  signal: AbortSignal,
): Promise<Verdict> {
  const model = configuration.live.models.find(name)
  if (model === null) return { ok: false, detail: 'nobody provides it' }
  return { ok: true, detail: await model.provider.probe(signal) }
}

function lookAtChannel({ channels }: HealthHouse, name: string): Verdict {
  const state = channels.states()[name]
  const age = channels.evidence()[name]
  const heard = typeof age === 'number' ? `, heard ${age} s ago` : ''
  const reason = channels.reasons()[name]
  const why = reason === undefined ? '' : `: ${reason}`
  return { ok: state === 'connected', detail: `${String(state)}${why}${heard}` }
}
