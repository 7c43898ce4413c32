/**
 * What one check of `doctor` says.
 */

export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly says: string // what was seen
  readonly todo?: string // what to do about it
}

/** A check that found nothing to complain of. */
export function ok(name: string, says: string): Finding {
  return { name, state: 'ok', says }
}

/** Something that works, and that its owner should know of. */
export function warn(name: string, says: string, todo: string): Finding {
  return { name, state: 'warn', says, todo }
}

/** Something that does not work. */
export function fail(name: string, says: string, todo: string): Finding {
  return { name, state: 'fail', says, todo }
}
