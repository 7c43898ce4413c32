/**
 * What the door answers to programs that watch: /healthz, /readyz, /metrics. Nothing is recorded.
 *
 *   /startupz  it has started, for upstream's command line
 *   /healthz   the process lives
 *   /readyz    it can serve, or why not; the reasons are for trusted askers
 *   /metrics   numbers for Prometheus, for trusted askers
 *
 * Trusted is who asks from loopback itself, without a proxy or a web page, or shows the token.
 */
import { equalSecrets } from '../protocol/auth/token.ts'
import type { AuthSettings } from './admission.ts'
import { type HealthHouse, troublesOf, uptimeOf } from './health.ts'
import type { LoopState } from './heartbeat.ts'
import type { Limiter } from './limiter.ts'
import { isDirect, type Peer } from './peer.ts'
import { readPulse } from './pulse.ts'

/** Who asks over HTTP. */
export interface Asker {
  readonly peer: Peer
  readonly authorization: string | undefined // the header
}

/** An answer to be sent as it is. */
export interface ProbeAnswer {
  readonly status: number
  readonly type: string // of its content
  readonly body: string
}

export interface Probes {
  /** Answers a path; null where it is no probe. */
  readonly answer: (path: string, asker: Asker) => Promise<ProbeAnswer> | null
}

/** What the probes look at. */
export interface ProbeHouse extends HealthHouse {
  readonly version: string
  readonly auth: AuthSettings
  readonly limiter: Limiter
  readonly isReady: () => boolean
  readonly loop: () => LoopState
  readonly connections: () => number
}

/** Opens the probes; the library of metrics is imported when somebody asks for them. */
export function openProbes(house: ProbeHouse): Probes {
  return {
    answer: (path, asker) => {
      if (path === '/health' || path === '/healthz') return live()
      if (path === '/startupz') return started(house)
      if (path === '/readyz') return ready(house, asker)
      if (path === '/metrics') return metrics(house, asker)
      return null
    },
  }
}

function live(): Promise<ProbeAnswer> {
  return Promise.resolve(jsonAnswer(200, { ok: true, status: 'live' }))
}

// Upstream's command line asks this before it asks anything else.
function started(house: ProbeHouse): Promise<ProbeAnswer> {
  const ok = house.isReady()
  const body = { ok, status: ok ? 'started' : 'starting', version: house.version }
  const uptimeMs = uptimeOf(house) * 1_000
  const more = ok ? {} : { pendingReason: 'starting or stopping' }
  return Promise.resolve(jsonAnswer(ok ? 200 : 503, { ...body, uptimeMs, ...more }))
}

// Troubles that leave the gateway serving are told, but do not take it out of service.
function ready(house: ProbeHouse, asker: Asker): Promise<ProbeAnswer> {
  const fault = house.isReady() ? readPulse(house.store) : 'it is starting or stopping'
  const isReady = fault === null
  const status = isReady ? 200 : 503
  if (!isTrusted(house, asker)) return Promise.resolve(jsonAnswer(status, { ready: isReady }))
  const { lagMs, lagMsMax, utilization } = house.loop()
  const failing = fault === null ? [] : [fault]
  const degraded = troublesOf(house).map(({ kind, says }) => ({ kind, says }))
  const eventLoop = { lagMs, lagMsMax, utilization }
  const body = {
    ready: isReady,
    failing,
    degraded,
    uptime: uptimeOf(house),
    head: house.work.position,
    eventLoop,
  }
  return Promise.resolve(jsonAnswer(status, body))
}

async function metrics(house: ProbeHouse, asker: Asker): Promise<ProbeAnswer> {
  if (!isTrusted(house, asker)) {
    return jsonAnswer(401, { error: 'from this machine, or with the token, only' })
  }
  const { formatMetrics } = await import('./metrics.ts')
  return { status: 200, ...(await formatMetrics(house)) }
}

/** A token that is shown is counted before it is looked at, as everywhere. */
function isTrusted({ auth, limiter }: ProbeHouse, { peer, authorization }: Asker): boolean {
  if (isDirect(peer)) return true
  const [, token] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined || auth.mode !== 'token') return false
  try {
    const attempt = limiter.attempt('secret', peer)
    const isRight = equalSecrets(token, auth.secret)
    if (isRight) attempt.right()
    else attempt.wrong()
    return isRight
  } catch {
    return false // Locked: not even looked at.
  }
}

/** Makes an answer that is one JSON document. */
export function jsonAnswer(status: number, body: object): ProbeAnswer {
  return {
    status,
    type: 'application/json; charset=utf-8',
    body: `${JSON.stringify(body)}\n`,
  }
}
