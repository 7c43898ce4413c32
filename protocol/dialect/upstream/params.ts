/** Parameters of upstream's methods, checked; faults in the words that its clients know. */
import type { Struct } from 'superstruct'
import { GatewayError } from '../../errors.ts'
import { shapeOf } from '../../shape.ts'

/**
 * Checks the parameters of a method.
 * @throws {GatewayError} INVALID_REQUEST: `invalid X params: at /path: ...`; details.path names it.
 */
export function checkParams<T>(method: string, struct: Struct<T>, params: unknown): T {
  const shape = shapeOf(struct, params ?? {})
  if (shape.ok) return shape.value
  const { path, type, value, message } = shape.failure
  const names = path.map(String)
  const said = say(names, { type, value, message })
  throw new GatewayError('INVALID_REQUEST', `invalid ${method} params: ${said}`, {
    path: names.join('.'),
  })
}

interface Fault {
  readonly type: string
  readonly value: unknown
  readonly message: string
}

// What was sent is not repeated: it may be a secret.
function say(names: readonly string[], { type, value, message }: Fault): string {
  const above = at(names.slice(0, -1))
  const last = names.at(-1) ?? ''
  if (type === 'never') return `${above}must NOT have additional properties`
  if (value === undefined && last !== '') return `${above}must have required property '${last}'`
  const expected = /[Ee]xpected (.*?),? but received/s.exec(message)?.[1] ?? 'another value'
  if (type === 'enums') return `${at(names)}must be equal to one of the allowed values`
  return `${at(names)}must be ${expected}`
}

function at(names: readonly string[]): string {
  return names.length === 0 ? '' : `at /${names.join('/')}: `
}
