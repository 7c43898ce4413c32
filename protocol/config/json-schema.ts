/**
 * The configuration's shape as JSON Schema, for clients that draw forms of it, and one place of it
 * with what is below, for clients that ask step by step. What this version does not act on is left
 * out: a form for it would promise something.
 */
import type { Struct } from 'superstruct'
import { isHot } from './change.ts'
import { formatPath, isSecretPath, type Path } from './path.ts'
import { configStruct } from './schema.ts'
import { isStruct, isUnread } from './unread.ts'

/** A part of JSON Schema (draft 7). */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
}

/** What a form should know of a key beside its type. */
export interface Hint {
  readonly sensitive: true
}

/** One place of the schema. */
export interface SchemaPlace {
  readonly path: string
  readonly schema: JsonSchema
  readonly reloadKind: 'hot' | 'restart'
  readonly hint?: Hint
  readonly hintPath?: string
  readonly children: readonly (Omit<SchemaPlace, 'schema' | 'children'> & {
    readonly key: string
    readonly type?: string
    readonly required: boolean
    readonly hasChildren: boolean
  })[]
}

/** Writes the whole schema. */
export function formatJsonSchema(): JsonSchema {
  return schemaOf(configStruct as unknown as Struct)
}

/** Lists the keys that hold secrets, as forms are told: `models.providers.*.apiKey`. */
export function formatHints(): Readonly<Record<string, Hint>> {
  const hints: Record<string, Hint> = {}
  const walk = (schema: JsonSchema, path: Path): void => {
    if (isSecretPath(path)) hints[written(path)] = { sensitive: true }
    for (const [key, child] of childrenOf(schema)) walk(child, [...path, key])
  }
  walk(formatJsonSchema(), [])
  return hints
}

/** Finds one place by its path, `.` for the whole; null where nothing is. */
export function findSchemaPlace(text: string): SchemaPlace | null {
  const path = text === '.' ? [] : text.split(/[.[\]]+/).filter((segment) => segment !== '')
  if (path.length === 0 && text !== '.') return null
  let schema: JsonSchema | undefined = formatJsonSchema()
  for (const segment of path) {
    schema = schema && below(schema, segment)
    if (schema === undefined) return null
  }
  const { properties: _, additionalProperties: _any, items: _items, ...own } = schema
  const { required = [] } = wholeOf(schema)
  const children = childrenOf(schema).map(([key, child]) => ({
    key,
    ...factsOf([...path, key]),
    ...(child.type === undefined ? {} : { type: child.type }),
    required: required.includes(key),
    hasChildren: childrenOf(child).length > 0,
  }))
  return { ...factsOf(path), schema: own, children }
}

function factsOf(path: Path) {
  const reloadKind = isHot([path]) ? ('hot' as const) : ('restart' as const)
  const place = { path: path.length === 0 ? '.' : written(path), reloadKind }
  if (!isSecretPath(path)) return place
  return { ...place, hint: { sensitive: true as const }, hintPath: place.path }
}

// Of a value that may be a text or an object the object has places.
function wholeOf(schema: JsonSchema): JsonSchema {
  return schema.anyOf?.find(({ properties }) => properties !== undefined) ?? schema
}

// `*` stands for any name, and for any place in a list.
function childrenOf(schema: JsonSchema): [string, JsonSchema][] {
  const { properties, additionalProperties, items } = wholeOf(schema)
  const any = additionalProperties ?? items
  const named = Object.entries(properties ?? {})
  return any === undefined ? named : [...named, ['*', any]]
}

function below(schema: JsonSchema, segment: string): JsonSchema | undefined {
  const { properties = {}, additionalProperties, items } = wholeOf(schema)
  if (Object.hasOwn(properties, segment)) return properties[segment]
  if (items !== undefined) return /^(?:\d+|\*)$/.test(segment) ? items : undefined
  return additionalProperties
}

const written = (path: Path): string => formatPath(path).replaceAll('["*"]', '.*')

function schemaOf(struct: Struct): JsonSchema {
  const { schema, type } = struct as { schema: unknown; type: string }
  if (isStruct(schema)) {
    const inner = schemaOf(schema)
    return type === 'array'
      ? { type: 'array', items: inner }
      : { type: 'object', additionalProperties: inner }
  }
  if (typeof schema !== 'object' || schema === null) return leafOf(type)
  const whole = objectOf(schema as Readonly<Record<string, unknown>>)
  return type === 'object' ? whole : { anyOf: [{ type: 'string' }, whole] }
}

function objectOf(schema: Readonly<Record<string, unknown>>): JsonSchema {
  const members = Object.entries(schema).filter(
    (member): member is [string, Struct] => isStruct(member[1]) && !isUnread(member[1]),
  )
  const required = members.filter(([, member]) => !member.is(undefined)).map(([key]) => key)
  const properties = members.map(([key, member]) => [key, schemaOf(member)])
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as Record<string, JsonSchema>,
    ...(required.length === 0 ? {} : { required }),
  }
}

// A leaf is named by what it expects (schema.ts), in these words.
function leafOf(expects: string): JsonSchema {
  const [least = 0, most = 0] = (expects.match(/\d+(?:\.\d+)?/g) ?? []).map(Number)
  if (expects === 'true or false') return { type: 'boolean' }
  if (expects.startsWith('an integer between')) {
    return { type: 'integer', minimum: least, maximum: most }
  }
  if (expects.startsWith('a number between')) {
    return { type: 'number', minimum: least, maximum: most }
  }
  if (expects.startsWith('a text of')) return { type: 'string', minLength: least, maxLength: most }
  const words = expects.match(/"[^"]*"/g)
  if (words === null) return {}
  return { type: 'string', enum: words.map((word) => word.slice(1, -1)) }
}
