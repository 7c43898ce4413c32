/** Upstream's methods about jobs. What its jobs can do and ours cannot is refused by name. */
import {
  array,
  boolean,
  define,
  enums,
  integer,
  literal,
  max,
  min,
  nullable,
  object,
  optional,
  size,
  string,
  union,
} from 'superstruct'
import { limits } from '../../../limits.ts'
import { every, moment } from '../../../methods/cron.ts'
import { byKind, THINKING_LEVELS } from '../../../methods/params.ts'
import {
  absent,
  anything,
  count,
  flag,
  OPERATOR,
  text,
  type UpstreamMethod,
  upstreamKey,
  word,
} from '../method.ts'

const reads = { scope: 'operator.read', roles: OPERATOR, writes: false } as const
const writes = { scope: 'operator.admin', roles: OPERATOR, writes: true } as const

const name = () => size(string(), 1, limits.cronNameCharsMax)
const short = () => size(string(), 1, limits.contextTextCharsMax)

const schedules = {
  every: every(),
  cron: object({
    kind: literal('cron'),
    expr: short(),
    tz: optional(short()),
    staggerMs: optional(literal(0)),
  }),
  at: object({
    kind: literal('at'),
    at: optional(size(string(), 1, 64)),
    atMs: optional(moment()),
  }),
}

const schedule = () => byKind(schedules, union([schedules.every, schedules.cron, schedules.at]))

const payload = () =>
  union([
    object({ kind: literal('systemEvent'), text: text() }),
    object({
      kind: literal('agentTurn'),
      message: text(),
      model: optional(nullable(short())),
      thinking: optional(nullable(enums(THINKING_LEVELS))),
      lightContext: optional(boolean()),
      timeoutSeconds: optional(max(min(integer(), 0), limits.runWaitMsMax)),
    }),
  ])

// Where an answer goes: nowhere else, or to somebody who is named.
const delivery = () =>
  union([
    object({ mode: literal('none'), channel: optional(string()), bestEffort: flag() }),
    // Where the last message came from is not kept here: its answer stays in its session.
    object({ mode: literal('announce'), channel: optional(literal('last')), bestEffort: flag() }),
    object({
      mode: literal('announce'),
      channel: short(),
      to: size(string(), 1, 256),
      bestEffort: flag(),
    }),
  ])

const target = () =>
  define<string>('main, isolated or session:KEY', (value) => {
    const isFine = typeof value === 'string' && /^(?:main|isolated|session:.+)$/.test(value)
    return isFine ? true : 'Expected main, isolated or session:KEY, but received another'
  })

const settled = {
  displayName: optional(nullable(name())),
  agentId: optional(nullable(word())),
  sessionKey: optional(nullable(upstreamKey())),
  description: optional(size(string(), 0, 4_096)),
  enabled: flag(),
  deleteAfterRun: flag(),
  delivery: optional(delivery()),
  declarationKey: absent(),
  owner: absent(),
  pacing: absent(),
  trigger: absent(),
  failureAlert: absent(),
}

const wakeMode = () => enums(['next-heartbeat', 'now'])

const page = {
  limit: optional(max(min(integer(), 1), limits.cronListMax)),
  offset: optional(count(1_000_000)),
  query: optional(size(string(), 0, 256)),
  sortDir: optional(enums(['asc', 'desc'])),
  agentId: optional(word()),
}

// Older clients say `jobId`.
const named = { id: optional(word()), jobId: optional(word()) }

export const cronMethods = {
  'cron.list': {
    params: object({
      includeDisabled: flag(),
      enabled: optional(enums(['all', 'enabled', 'disabled'])),
      scheduleKind: optional(enums(['all', 'at', 'every', 'cron', 'on-exit', 'stream'])),
      lastRunStatus: optional(enums(['all', 'ok', 'error', 'skipped', 'unknown'])),
      trigger: optional(enums(['all', 'conditional', 'unconditional'])),
      sortBy: optional(enums(['nextRunAtMs', 'updatedAtMs', 'name'])),
      compact: flag(),
      includeDeliveryPreviews: flag(),
      ...page,
    }),
    ...reads,
  },
  'cron.status': { params: anything(), ...reads },
  'cron.get': { params: object(named), ...reads },
  'cron.add': {
    params: object({
      name: name(),
      schedule: schedule(),
      sessionTarget: target(),
      wakeMode: wakeMode(),
      payload: payload(),
      ...settled,
    }),
    ...writes,
  },
  'cron.update': {
    params: object({
      ...named,
      patch: object({
        name: optional(name()),
        schedule: optional(schedule()),
        sessionTarget: optional(target()),
        wakeMode: optional(wakeMode()),
        payload: optional(payload()),
        ...settled,
      }),
    }),
    ...writes,
  },
  'cron.remove': { params: object(named), ...writes },
  'cron.run': {
    params: object({
      ...named,
      mode: optional(enums(['due', 'force', 'if-enabled'])),
      expectedProcessInstanceId: optional(string()),
    }),
    ...writes,
  },
  'cron.runs': {
    params: object({
      ...named,
      scope: optional(enums(['job', 'all'])),
      runId: optional(string()),
      status: optional(enums(['all', 'ok', 'error', 'skipped'])),
      statuses: optional(array(enums(['ok', 'error', 'skipped']))),
      ...page,
    }),
    ...reads,
  },
} as const satisfies Record<string, UpstreamMethod>
