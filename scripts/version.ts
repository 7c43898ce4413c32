/**
 * The version of this package, as its package.json says.
 */
import { readFileSync } from 'node:fs'
import { memberOf } from '../protocol/members.ts'

/** Reads the version of the package that this file was compiled into. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const version = memberOf(JSON.parse(text), 'version')
  return typeof version === 'string' ? version : '0.0.0'
}
