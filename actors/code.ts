/** Code identity: which machines wrote a record (K8), as `prepare` computed it. */
import { readFileSync } from 'node:fs'
import { GatewayError } from '../protocol/errors.ts'

/**
 * Reads the identity of the compiled machines: 16 hex digits over their import closure.
 * @throws {GatewayError} INTERNAL: the package was not prepared.
 */
export function readCodeIdentity(): string {
  const file = new URL('../code.json', import.meta.url)
  try {
    const { id } = JSON.parse(readFileSync(file, 'utf8')) as { id?: unknown }
    if (typeof id === 'string') return id
  } catch (cause) {
    throw new GatewayError('INTERNAL', 'code.json is missing: run `npm run prepare`', {}, cause)
  }
  throw new GatewayError('INTERNAL', 'code.json has no id: run `npm run prepare`')
}
