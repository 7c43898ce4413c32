/** A checked wish to change or read something: a method's name and its parameters, in shape. */
import { type Failure, type Struct, validate } from 'superstruct'
import { GatewayError } from './errors.ts'
import { quote } from './ids.ts'
import { isMethod, type MethodName, methods, type MethodParams } from './methods.ts'

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
  const [error, value] = validate(params, methods[method].params as unknown as Struct)
  if (error === undefined) return { method, params: value } as Command
  const [failure = error] = error.failures()
  const path = failure.path.map(String).join('.')
  throw new GatewayError('INVALID_REQUEST', describeFailure(failure, path), { path })
}

// What is under `auth` is a secret, right or wrong, and is not shown.
function describeFailure(failure: Failure, path: string): string {
  if (failure.type === 'never') return `params.${path}: unknown parameter`
  const expected = failure.message
    .replace(/^.*?[Ee]xpected /, '')
    .replace(/,? but received.*$/s, '')
  const got = path.startsWith('auth') ? 'something else' : quote(failure.value)
  return `params${path === '' ? '' : '.'}${path}: expected ${expected}, got ${got}`
}
