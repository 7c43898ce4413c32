/**
 * The version of this package, as its package.json says.
 */
import { readFileSync } from 'node:fs'

/** Reads the version of the package that this file was compiled into. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed: unknown = JSON.parse(text)
  const version: unknown =
    typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'version') : undefined
  return typeof version === 'string' ? version : '0.0.0'
}
