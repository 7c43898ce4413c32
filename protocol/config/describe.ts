/** The configuration's shape as data: for clients that show it, and for `config.schema`. */
import type { Struct } from 'superstruct'
import { isHot } from './change.ts'
import { formatPath, isSecretPath, type Path } from './path.ts'
import { configStruct } from './schema.ts'
import { isStruct, isUnread } from './unread.ts'

/** One key: where it stands and what it may hold. `*` in a path stands for any name. */
export interface ConfigKey {
  readonly path: string
  readonly expects: string
  readonly secret: boolean
  readonly supported: boolean
  readonly effect: 'hot' | 'restart'
}

/** Lists every key that holds a value of its own. */
export function describeSchema(): ConfigKey[] {
  return keysOf(configStruct as unknown as Struct, [])
}

function keysOf(struct: Struct, path: Path): ConfigKey[] {
  const { schema, type } = struct
  if (isStruct(schema)) return keysOf(schema, [...path, '*'])
  if (typeof schema === 'object' && schema !== null) {
    const members = Object.entries(schema as Readonly<Record<string, unknown>>)
    return members.flatMap(([key, member]) =>
      isStruct(member) ? keysOf(member, [...path, key]) : [],
    )
  }
  const written = formatPath(path).replaceAll('["*"]', '.*')
  const supported = !isUnread(struct)
  const effect = isHot([path]) ? 'hot' : 'restart'
  return [{ path: written, expects: type, secret: isSecretPath(path), supported, effect }]
}
