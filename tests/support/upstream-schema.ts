/**
 * Upstream's published protocol schema as an oracle: what a frame, parameters, a result or an
 * event's payload must look like for the clients that people already have.
 *
 * The schemas are those of npm `@openclaw/gateway-protocol`, compiled by typebox, the validator
 * that the package itself depends on. Names follow a rule (`chat.send` -> `ChatSendParams`); where
 * the package departs from it, `upstream-names.ts` says so. What the package has no schema for is
 * `unpublished`, never "correct".
 *
 * The real gateway of a later release sends fields that this schema does not have yet. They are
 * named in `NEWER`, so that its recordings pass and a misspelt field of ours does not.
 */
import { ProtocolSchemas } from '@openclaw/gateway-protocol/schema'
import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { EVENT_SCHEMAS, NEWER, PARAMS_SCHEMAS, RESULT_SCHEMAS } from './upstream-names.ts'

/** `checked`: a published schema accepts it. `unpublished`: the package has no schema for it. */
export type Verdict = 'checked' | 'unpublished'

/** A schema refuses a value; the message has the path of each fault. */
export class SchemaFault extends Error {
  readonly faults: readonly string[]

  constructor(subject: string, faults: readonly string[]) {
    super(`${subject}: ${faults.join('; ')}`)
    this.name = 'SchemaFault'
    this.faults = faults
  }
}

/**
 * Checks a frame's envelope: request, response or event.
 * @throws {SchemaFault} with the path of each fault.
 */
export function checkFrame(frame: unknown): Verdict {
  const type = typeof frame === 'object' && frame !== null && 'type' in frame ? frame.type : null
  const name = FRAMES[String(type)]
  if (name === undefined) {
    throw new SchemaFault('frame', [`/type: expected req, res or event, got ${String(type)}`])
  }
  return check(`frame ${String(type)}`, PUBLISHED[name], frame)
}

/**
 * Checks the parameters of a method.
 * @throws {SchemaFault} with the path of each fault.
 */
export function checkParams(method: string, params: unknown): Verdict {
  const schema = PARAMS_SCHEMAS[method] ?? PUBLISHED[`${schemaName(method)}Params`]
  return check(`params ${method}`, schema, params)
}

/**
 * Checks what a method answers with; `compact: true` among the parameters asks for other rows.
 * @throws {SchemaFault} with the path of each fault.
 */
export function checkResult(method: string, payload: unknown, params?: unknown): Verdict {
  const isCompact =
    typeof params === 'object' && params !== null && 'compact' in params && params.compact === true
  const schema =
    RESULT_SCHEMAS[isCompact ? `${method} compact` : method] ??
    PUBLISHED[`${schemaName(method)}Result`]
  return check(`result ${method}`, schema, payload)
}

/**
 * Checks the payload of an event.
 * @throws {SchemaFault} with the path of each fault.
 */
export function checkEvent(event: string, payload: unknown): Verdict {
  const schema = EVENT_SCHEMAS[event] ?? PUBLISHED[`${schemaName(event)}Event`]
  return check(`event ${event}`, schema, payload)
}

const PUBLISHED: Readonly<Record<string, TSchema>> = ProtocolSchemas

const FRAMES: Readonly<Record<string, string>> = {
  req: 'RequestFrame',
  res: 'ResponseFrame',
  event: 'EventFrame',
}

/** `sessions.messages.subscribe` -> `SessionsMessagesSubscribe`. */
function schemaName(name: string): string {
  return name
    .split(/[.\-_]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
}

const compiled = new Map<TSchema, Validator>()

function check(subject: string, schema: TSchema | undefined, value: unknown): Verdict {
  if (schema === undefined) return 'unpublished'
  let validator = compiled.get(schema)
  if (validator === undefined) {
    validator = Compile(schema)
    compiled.set(schema, validator)
  }
  if (validator.Check(value)) return 'checked'
  const faults = validator
    .Errors(value)
    .flatMap(describe)
    .filter((fault) => !isNewer(subject, fault))
  if (faults.length > 0) throw new SchemaFault(subject, [...new Set(faults)])
  return 'checked'
}

type Fault = ReturnType<Validator['Errors']>[number]

/** One line for a fault; one for each key where keys are too many or missing. */
function describe({ instancePath, keyword, message, params }: Fault): string[] {
  const keys = namesIn(params)
  if (keyword === 'additionalProperties') {
    return keys.map((key) => `${instancePath}/${key}: not in the schema`)
  }
  if (keyword === 'required') return keys.map((key) => `${instancePath}/${key}: missing`)
  return [`${instancePath === '' ? '/' : instancePath}: ${message} ${JSON.stringify(params)}`]
}

function namesIn(params: object): string[] {
  return Object.values(params).flatMap((value: unknown) =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [],
  )
}

/** Is it a field in which the real gateway departs from the published schema? */
function isNewer(subject: string, fault: string): boolean {
  const path = /^(\S+): /.exec(fault)?.[1]?.replaceAll(/\/\d+(?=\/)/g, '/*')
  return path !== undefined && (NEWER[subject] ?? []).includes(path)
}
