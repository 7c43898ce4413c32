/** A checked wish to change or read something: a method's name and its parameters, in shape. */
import type { Struct } from 'superstruct'
import { GatewayError } from './errors.ts'
import { quote } from './ids.ts'
import { isMethod, type MethodName, methods, type MethodParams } from './methods.ts'
import { type Shape, shapeOf } from './shape.ts'

/** A command, told apart by its method. */
export type Command = { [M in MethodName]: { method: M; params: MethodParams<M> } }[MethodName]

/**
 * Checks a method's parameters.
 * @throws {GatewayError} UNKNOWN_METHOD, INVALID_REQUEST with details.path
 */
export function parseCommand(method: string, params: unknown): Command {
  if (!isMethod(method)) {
    throw new GatewayError('UNKNOWN_METHOD', `method: ${quote(method)} is not a method`, { method })
  }
  const shape = shapeOf(methods[method].params as unknown as Struct, params)
  if (shape.ok) return { method, params: shape.value } as Command
  const { failure } = shape
  const path = pathOf(failure)
  throw new GatewayError('INVALID_REQUEST', describeFailure(failure, path), { path })
}

type Failure = Extract<Shape<unknown>, { ok: false }>['failure']

// A secret may have been put where a name belongs: an unknown name under `auth` is not repeated.
function pathOf({ path, type }: Failure): string {
  const names = path.map(String)
  return names[0] === 'auth' && type === 'never' ? 'auth' : names.join('.')
}

// What is under `auth` is a secret, right or wrong, and is not shown.
function describeFailure(failure: Failure, path: string): string {
  if (failure.type === 'never') return `params.${path}: unknown parameter`
  const expected = failure.message
    .replace(/^.*?[Ee]xpected /, '')
    .replace(/,? but received.*$/s, '')
    .replaceAll('`', '')
    .replaceAll('","', '", "')
  const got = path.startsWith('auth') ? 'something else' : quote(failure.value)
  return `params${path === '' ? '' : '.'}${path}: expected ${expected}, got ${got}`
}
