/**
 * One row of the acceptance: what a client of upstream's does, and what must be seen of it.
 *
 *   { name, release, needs, run, expect }
 *
 * A row throws for nothing but what keeps it from being made (no browser, a client that never
 * says what it always says); all that it saw otherwise is judged by `expect`.
 */
import type { PackageSet } from '../../tests/support/upstream-packages.ts'
import type { Scene } from './scene.ts'

/** `new`: upstream 2026.9, protocol 4. `old`: upstream 2026.1.30, protocol 3. */
export type Release = 'new' | 'old'

/** What a row saw. */
export interface Seen {
  readonly code: number | null // exit code of the client; null: ended by a signal
  readonly text: string // what it said, without colours
}

/** Something that must hold of what was seen. */
export interface Expectation {
  readonly what: string // for people: `exit code 0`
  readonly holds: (seen: Seen) => boolean
}

/** One row. */
export interface Row {
  readonly name: string
  readonly release: Release
  readonly needs: readonly PackageSet[]
  readonly isQuick?: boolean // with --quick it is run too
  readonly seconds?: number // deadline; DEADLINE_SECONDS without
  readonly run: (scene: Scene) => Promise<Seen>
  readonly expect: readonly Expectation[]
}

export const DEADLINE_SECONDS = 180 // A command costs 2 to 7 s; 40 s on a machine that is busy.

/** The client ended with an exit code. */
export function exits(code: number): Expectation {
  return { what: `exit code ${code}`, holds: (seen) => seen.code === code }
}

/** The client said something. */
export function says(pattern: RegExp): Expectation {
  return { what: `output that matches ${pattern}`, holds: ({ text }) => pattern.test(text) }
}

/** The client wrote JSON of which something holds. */
export function json(what: string, holds: (value: Json) => boolean): Expectation {
  return {
    what: `JSON in which ${what}`,
    holds: ({ text }) => {
      const value = jsonIn(text)
      return value !== undefined && holds(value)
    },
  }
}

/** JSON that any key may be asked of. */
export type Json = Readonly<Record<string, unknown>>

/** Reads the JSON document that begins some line of an output; undefined where there is none. */
export function jsonIn(text: string): Json | undefined {
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (!/^[[{]/.test(line)) continue
    const rest = lines.slice(index).join('\n')
    try {
      return JSON.parse(
        rest.slice(0, Math.max(rest.lastIndexOf('}'), rest.lastIndexOf(']')) + 1),
      ) as Json
    } catch {
      continue
    }
  }
  return undefined
}

/** What a value has at a path of keys; undefined where the path ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  )
}
