/**
 * Retention: what a history that is not kept for ever loses, and when.
 *
 *   forever    nothing is ever removed
 *   balanced   texts after a year
 *   privacy    texts after 30 days; records of actors that have ended, after a year
 *   lean       texts after 7 days; records of actors that have ended, after 30 days
 *
 * A text is a body; its record stays and keeps its hash. A record that goes leaves a tombstone: the
 * chain, the tree and every signed head stay whole. What a preset promises elsewhere and cannot do yet
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
  readonly notYet: readonly string[] // what it is to do and does not
}

const DAY_MS = 24 * 3_600_000
const CLASSES = 'media and tool output have no age of their own: they go with the texts'

/** Every preset. */
export const POLICIES: Readonly<Record<Preset, RetentionPolicy>> = {
  forever: { preset: 'forever', textsMs: null, endedMs: null, notYet: [] },
  balanced: {
    preset: 'balanced',
    textsMs: 365 * DAY_MS,
    endedMs: null,
    notYet: [CLASSES, 'old records are not sealed into files, nor thinned to their spine'],
  },
  privacy: {
    preset: 'privacy',
    textsMs: 30 * DAY_MS,
    endedMs: 365 * DAY_MS,
    notYet: [
      CLASSES,
      'records are not thinned to their spine after 30 days',
      'records of sessions and channels stay: these actors do not end',
    ],
  },
  lean: {
    preset: 'lean',
    textsMs: 7 * DAY_MS,
    endedMs: 30 * DAY_MS,
    notYet: [
      CLASSES,
      'records are not thinned to checkpoints after 7 days',
      'records of sessions and channels stay: these actors do not end',
    ],
  },
}

/** Tells whether a moment is so long ago that an age counts. */
export function isPast(at: number, ageMs: number | null, now: number): boolean {
  return ageMs !== null && at <= now - ageMs
}
