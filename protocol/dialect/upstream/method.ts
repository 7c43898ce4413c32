/** One row of upstream's method table, and the shapes that many rows share. */
import { boolean, define, integer, max, min, object, optional, size, string } from 'superstruct'
import type { Scope } from '../../auth/scopes.ts'
import { limits } from '../../limits.ts'

export type UpstreamRole = 'operator' | 'node'

/** A method: its parameters, who may call it, and whether it leaves a record. */
export interface UpstreamMethod {
  readonly params: unknown // a struct
  readonly scope: Scope | null // what an operator needs; null: nothing
  readonly roles: readonly UpstreamRole[]
  readonly writes: boolean
}

export const OPERATOR: readonly UpstreamRole[] = ['operator']
export const NODE: readonly UpstreamRole[] = ['node']
export const BOTH: readonly UpstreamRole[] = ['operator', 'node']

/** Any parameters at all: upstream ignores what these methods are sent. */
export const anything = () => define<Readonly<Record<string, unknown>>>('any', () => true)

export const nothing = () => object({})
export const word = (charsMax: number = limits.idCharsMax) => size(string(), 1, charsMax)
export const text = () => size(string(), 1, limits.messageBytesMax)

/** What upstream has and this gateway has not: to leave it out in silence would be a lie. */
export const absent = () =>
  optional(
    define<never>('absent', (value) =>
      isNothing(value) ? true : 'Expected nothing: this gateway does not have it, but received it',
    ),
  )

function isNothing(value: unknown): boolean {
  return value === false || value === '' || (Array.isArray(value) && value.length === 0)
}
export const flag = () => optional(boolean())
export const count = (most: number) => max(min(integer(), 0), most)
export const upstreamKey = () => size(string(), 1, limits.sessionKeyBytesMax)
