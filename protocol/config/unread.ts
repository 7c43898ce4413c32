/**
 * Keys that the configuration's shape accepts and that this version does not act on, read off the
 * shape itself: a leaf made by `unread()` is one, wherever it stands.
 */
import type { Struct } from 'superstruct'
import { UNREAD } from './leaves.ts'
import { formatPath, type Path } from './path.ts'
import { configStruct, type GatewayConfig } from './schema.ts'

/** Tells whether a member of a struct's schema is a struct itself. */
export function isStruct(value: unknown): value is Struct {
  return typeof value === 'object' && value !== null && 'validator' in value && 'type' in value
}

/** Tells whether a struct stands for a key that is not acted on. */
export function isUnread({ type }: Pick<Struct, 'type'>): boolean {
  return type === UNREAD
}

/** Lists the paths in use that this version accepts and does not act on, for `doctor`. */
export function unsupportedPaths(config: GatewayConfig): string[] {
  return unreadOf(configStruct as unknown as Struct, config, []).map(formatPath)
}

function unreadOf(struct: Struct, value: unknown, path: Path): Path[] {
  if (value === undefined) return []
  if (isUnread(struct)) return [path]
  if (typeof value !== 'object' || value === null) return []
  const { schema } = struct
  return Object.entries(value).flatMap(([key, member]) => {
    const below = isStruct(schema) ? schema : memberOf(schema, key)
    const segment = Array.isArray(value) ? Number(key) : key
    return below === null ? [] : unreadOf(below, member, [...path, segment])
  })
}

function memberOf(schema: unknown, key: string): Struct | null {
  if (typeof schema !== 'object' || schema === null || !Object.hasOwn(schema, key)) return null
  const member: unknown = Reflect.get(schema, key)
  return isStruct(member) ? member : null
}
