/**
 * Retention: what a history that is not kept for ever loses, and when.
 *
 *   forever    nothing is ever removed
 *   balanced   texts and records of actors that have ended, after a year; these records are archived
 *   privacy    texts after 30 days; records of actors that have ended, after a year
 *   lean       texts after 7 days; records of actors that have ended, after 30 days, archived
 *
 * A text is a body; its record stays and keeps its hash. A record that goes leaves a tombstone: the
 * chain, the tree and every signed head stay whole. Where it is archived it lies in a file from then
 * on (actors/archive.ts), without its texts; `privacy` keeps none. What a preset promises elsewhere and cannot do yet
 * is listed with it, and said wherever the policy is shown.
 */

/** Presets by the names that users know. */
export const PRESETS = ['forever', 'balanced', 'privacy', 'lean'] as const

export type Preset = (typeof PRESETS)[number]

/** What a preset removes. */
export interface RetentionPolicy {
  readonly preset: Preset
  readonly textsMs: number | null // age at which texts go; null: never
  readonly endedMs: number | null // age at which records of ended actors go
  readonly archives: boolean // records go into a file before they go; what one actor is asked for too
  readonly notYet: readonly string[] // what it is to do and does not
}

const DAY_MS = 24 * 3_600_000
const CLASSES = 'media and tool output have no age of their own: they go with the texts'
const STAYING = 'records of sessions and channels stay: these actors do not end'

/** Every preset. */
export const POLICIES: Readonly<Record<Preset, RetentionPolicy>> = {
  forever: { preset: 'forever', textsMs: null, endedMs: null, archives: true, notYet: [] },
  balanced: {
    preset: 'balanced',
    textsMs: 365 * DAY_MS,
    endedMs: 365 * DAY_MS,
    archives: true,
    notYet: [CLASSES, STAYING, 'archived records are not thinned to their spine after 5 years'],
  },
  privacy: {
    preset: 'privacy',
    textsMs: 30 * DAY_MS,
    endedMs: 365 * DAY_MS,
    archives: false,
    notYet: [CLASSES, STAYING, 'records are not thinned to their spine after 30 days'],
  },
  lean: {
    preset: 'lean',
    textsMs: 7 * DAY_MS,
    endedMs: 30 * DAY_MS,
    archives: true,
    notYet: [CLASSES, STAYING, 'records are not thinned to checkpoints after 7 days'],
  },
}

/** Tells whether a moment is so long ago that an age counts. */
export function isPast(at: number, ageMs: number | null, now: number): boolean {
  return ageMs !== null && at <= now - ageMs
}
