/** Methods about jobs: what is said to a session at set times. */
import {
  boolean,
  enums,
  type Infer,
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
import { limits } from '../limits.ts'
import { byKind, CLIENT, id, model, sessionKey, text, THINKING_LEVELS } from './params.ts'

/** A moment, in ms since epoch. */
export const moment = () => max(min(integer(), 0), 8_640_000_000_000_000)
const word = () => size(string(), 1, limits.contextTextCharsMax)

/** Again and again, so many ms apart. */
export const every = () =>
  object({
    kind: literal('every'),
    everyMs: max(min(integer(), limits.cronEveryMsMin), limits.cronEveryMsMax),
    anchorMs: optional(moment()),
  })

const schedules = {
  every: every(),
  cron: object({ kind: literal('cron'), expr: word(), tz: optional(word()) }),
  at: object({ kind: literal('at'), atMs: moment() }),
}

/** When a job is due: again and again, as a calendar says, or once. */
export const schedule = () =>
  byKind(schedules, union([schedules.every, schedules.cron, schedules.at]))

/** What a job says: as the house, into a session that is there; or as a message that asks. */
export const payload = () =>
  union([
    object({ kind: literal('systemEvent'), text: text() }),
    object({
      kind: literal('agentTurn'),
      message: text(),
      model: optional(model()),
      thinking: optional(enums(THINKING_LEVELS)),
    }),
  ])

/** Where an answer goes beside its session. */
export const deliver = () => nullable(object({ channel: word(), target: size(string(), 1, 256) }))

const name = () => size(string(), 1, limits.cronNameCharsMax)
const description = () => size(string(), 0, 4_096)

const settled = {
  description: optional(description()),
  sessionKey: optional(nullable(sessionKey())), // null, or left out: a session of its own
  fresh: optional(boolean()), // each run begins it anew
  deliver: optional(deliver()),
  wakeMode: optional(enums(['now', 'next-heartbeat'])),
  enabled: optional(boolean()),
  deleteAfterRun: optional(boolean()),
}

const patch = object({
  name: optional(name()),
  schedule: optional(schedule()),
  payload: optional(payload()),
  ...settled,
})

const draft = object({ name: name(), schedule: schedule(), payload: payload(), ...settled })

/** A job as it is asked for, and what of it is changed. */
export type JobDraft = Infer<typeof draft>
export type JobPatch = Infer<typeof patch>

const reads = { scope: 'operator.read', roles: CLIENT, writes: false } as const
const writes = { scope: 'operator.admin', roles: CLIENT, writes: true } as const

export const cronMethods = {
  'cron.list': { params: object({ disabled: optional(boolean()) }), ...reads },
  'cron.add': { params: draft, ...writes },
  'cron.update': { params: object({ jobId: id(), patch }), ...writes },
  'cron.remove': { params: object({ jobId: id() }), ...writes },
  'cron.run': { params: object({ jobId: id() }), ...writes },
  'cron.runs': {
    params: object({
      jobId: id(),
      limit: optional(max(min(integer(), 1), limits.cronRunsPageMax)),
      offset: optional(max(min(integer(), 0), 1_000_000)),
    }),
    ...reads,
  },
} as const
