/** Upstream's methods about sessions, over our own. Step 4 of 8. */
import { formatUpstreamFault } from '../../../protocol/dialect/upstream/faults.ts'
import type { UpstreamParams } from '../../../protocol/dialect/upstream/methods.ts'
import type { sessionMethods } from '../../../protocol/dialect/upstream/methods/sessions.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'
import type { MethodParams } from '../../../protocol/methods.ts'
import { sessionIdOf } from '../../../protocol/session-id.ts'
import { canonicalSessionKey } from '../../../protocol/session-key.ts'
import { listSessions } from '../../methods/read.ts'
import { readTranscript } from '../../transcript.ts'
import type { Call, Handlers, UpstreamHouse } from '../house.ts'
import { formatDefaults, formatSession, modelOf } from '../rows.ts'
import { abort, startRun } from './chat.ts'
import { partsOf } from './models.ts'

export const sessionHandlers: Handlers<typeof sessionMethods> = {
  'sessions.list': (house, params) => listPage(house, params),
  'sessions.subscribe': (house, params, { following }) => {
    following.follow(null)
    const isAsked = Object.keys(params).length > 0
    return { subscribed: true, ...(isAsked ? { list: listPage(house, params) } : {}) }
  },
  'sessions.unsubscribe': (_house, _params, { following }) => {
    following.unfollow(null)
    return { subscribed: false }
  },
  'sessions.messages.subscribe': (_house, { key }, { following }) => {
    const canonical = canonicalSessionKey(key)
    following.follow(canonical)
    return { subscribed: true, key: canonical }
  },
  'sessions.messages.unsubscribe': (_house, { key }, { following }) => {
    const canonical = canonicalSessionKey(key)
    following.unfollow(canonical)
    return { subscribed: false, key: canonical }
  },
  'sessions.preview': async (house, { keys, limit = 12, maxChars = 240 }) => ({
    ts: house.services.clock.now(),
    previews: await Promise.all(keys.map((key) => preview(house, key, { limit, maxChars }))),
  }),
  'sessions.describe': (house, { key }) => {
    const canonical = canonicalSessionKey(key)
    const isThere = house.work.sessions.has(canonical)
    return { session: isThere ? formatSession(house, canonical) : null }
  },
  'sessions.resolve': resolve,
  'sessions.create': create,
  'sessions.patch': async (house, asked, call) =>
    entryResult(house, await patch(house, asked, call)),
  'sessions.patchMany': patchMany,
  'sessions.send': (house, { key, message, thinking, idempotencyKey }, call) => {
    const runKey = idempotencyKey ?? house.services.chance.id()
    const said = { sessionKey: key, message, thinking, idempotencyKey: runKey }
    return startRun(house, said, call)
  },
  'sessions.abort': async (house, { key, runId }, call) => {
    const [abortedRunId = null] = await abort(house, { key, runId }, call)
    return { ok: true, abortedRunId, status: abortedRunId === null ? 'no-active-run' : 'aborted' }
  },
  'sessions.reset': async (house, { key, reason }, call) => {
    const params = { key, ...defined({ reason }) } as MethodParams<'sessions.reset'>
    const { key: canonical } = await performed(house, 'sessions.reset', params, call)
    return entryResult(house, canonical)
  },
  // The journal keeps what was said; only erasure takes it away.
  'sessions.delete': async (house, { key, expectedSessionId }, call) => {
    const params = { key, ...defined({ expectedSessionId }) }
    const done = await performed(house, 'sessions.delete', params, call)
    return { ok: true, key: done.key, deleted: done.deleted === true, archived: [] }
  },
  'sessions.compact': async (house, { key }, call) => {
    const done = await performed(house, 'sessions.compact', { key }, call)
    const { compacted, reason } = done
    return { ok: true, key: done.key, compacted, ...defined({ reason }) }
  },
}

interface Page {
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  readonly activeMinutes?: number | undefined
  readonly label?: string | undefined
  readonly search?: string | undefined
  readonly archived?: boolean | 'all' | undefined
}

function listPage(house: UpstreamHouse, asked: Page): Record<string, unknown> {
  const { offset = 0, activeMinutes, label, search, archived = false } = asked
  const limit = Math.min(asked.limit ?? 100, limits.sessionListMax)
  const wanted = {
    activeMinutes,
    label,
    search: search === '' ? undefined : search,
    archived: archived === 'all' ? undefined : archived,
  }
  const { rows, total, nextOffset } = listSessions(house, { limit, offset, ...defined(wanted) })
  return {
    ts: house.services.clock.now(),
    path: 'journal',
    count: rows.length,
    totalCount: total,
    limitApplied: limit,
    nextOffset,
    hasMore: nextOffset !== null,
    owners: [],
    defaults: formatDefaults(house),
    sessions: rows.map(({ key }) => formatSession(house, key)),
  }
}

async function preview(
  house: UpstreamHouse,
  key: string,
  bounds: { limit: number; maxChars: number },
): Promise<object> {
  const canonical = canonicalSessionKey(key)
  if (!house.work.sessions.has(canonical)) return { key, status: 'missing', items: [] }
  const { messages } = await readTranscript(house, { key: canonical, ...bounds })
  const items = messages.map(({ role, text }) => ({ role, text }))
  return { key, status: items.length === 0 ? 'empty' : 'ok', items }
}

type Patch = UpstreamParams<'sessions.patch'>

/** Patches one session; resolves with its canonical key. */
async function patch(
  house: UpstreamHouse,
  { key, thinkingLevel, ...asked }: Patch,
  call: Call,
): Promise<string> {
  const { expectedSessionId, label, model, archived, pinned, unread } = asked
  const given = { expectedSessionId, label, archived, pinned, unread }
  const changes = { ...given, model: ownName(model), thinking: thinkingLevel }
  const done = await performed(house, 'sessions.patch', { key, ...defined(changes) }, call)
  return done.key
}

// Each for itself, in order: what is refused of one says nothing of the next.
async function patchMany(
  house: UpstreamHouse,
  { targets, patch: changes }: UpstreamParams<'sessions.patchMany'>,
  call: Call,
): Promise<unknown> {
  const outcomes: object[] = []
  for (const { key, expectedSessionId } of targets) {
    try {
      await patch(house, { ...changes, key, expectedSessionId }, call)
      outcomes.push({ ok: true, key })
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown
      const frame = formatUpstreamFault('', thrown, call.protocol)
      if (!frame.ok) outcomes.push({ ok: false, key, error: frame.error })
    }
  }
  return { outcomes }
}

interface Wanted {
  readonly key?: string | undefined
  readonly sessionId?: string | undefined
  readonly label?: string | undefined
  readonly allowMissing?: boolean | undefined
}

function resolve(house: UpstreamHouse, wanted: Wanted): unknown {
  const { key, sessionId, label, allowMissing } = wanted
  const rows = [...house.work.sessions.values()]
  const named = key === undefined ? null : canonicalSessionKey(key)
  const row = rows.find(
    ({ key: own, generation, facts }) =>
      own === named ||
      (sessionId !== undefined && sessionIdOf(own, generation) === sessionId) ||
      (label !== undefined && facts.label === label),
  )
  if (row !== undefined) return { ok: true, key: row.key, agentId: 'main' }
  if (allowMissing === true) return { ok: false }
  throw new GatewayError('INVALID_REQUEST', 'no such session', { path: 'key' })
}

interface Created {
  readonly key?: string | undefined
  readonly label?: string | undefined
  readonly model?: string | undefined
  readonly thinkingLevel?: string | undefined
  readonly message?: string | undefined
  readonly task?: string | undefined
  readonly idempotencyKey?: string | undefined
}

async function create(house: UpstreamHouse, asked: Created, call: Call): Promise<unknown> {
  const { key, label, model, thinkingLevel, message, task } = asked
  const changes = { key, label, model: ownName(model), thinking: thinkingLevel }
  const params = defined(changes) as MethodParams<'sessions.create'>
  const done = await performed(house, 'sessions.create', params, call)
  const text = message ?? task
  const result = entryResult(house, done.key)
  if (text === undefined) return { ...result, runStarted: false }
  const runKey = asked.idempotencyKey ?? house.services.chance.id()
  const said = { sessionKey: done.key, message: text, idempotencyKey: runKey }
  await startRun(house, said, call)
  return { ...result, runStarted: true, runId: runKey }
}

interface Done {
  readonly compacted?: boolean
  readonly key: string
  readonly deleted?: boolean
  readonly reason?: string
}

async function performed<M extends 'create' | 'patch' | 'reset' | 'delete' | 'compact'>(
  house: UpstreamHouse,
  method: `sessions.${M}`,
  params: MethodParams<`sessions.${M}`>,
  call: Call,
): Promise<Done> {
  const command = { method, params } as Parameters<UpstreamHouse['perform']>[0]
  return (await house.perform(command, call)) as Done
}

function entryResult(house: UpstreamHouse, key: string): Record<string, unknown> {
  const session = formatSession(house, key)
  const { sessionId } = session
  const updatedAt = session['updatedAt'] ?? house.services.clock.now()
  const { provider, model } = partsOf(modelOf(house, key))
  return {
    ok: true,
    path: 'journal',
    key,
    sessionId,
    entry: { ...session, updatedAt },
    resolved: { modelProvider: provider, model },
  }
}

// The echo model is its own provider, `echo/echo` to clients; ours is named as it is configured.
function ownName(name: string | null | undefined): string | null | undefined {
  if (name === null || name === undefined) return name
  const { provider, model } = partsOf(name)
  return provider === model ? model : name
}

function defined<T extends object>(members: T): Partial<T> {
  const there = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(there) as Partial<T>
}
