/** Keys of ours that only digest: 32 bytes as hex in a file that its owner alone may read. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { GatewayError } from '../protocol/errors.ts'
import { writePrivate } from './private-file.ts'
import { systemChance } from './services.ts'

const KEY_BYTES = 32

/**
 * Reads a key, and makes it where there is none.
 * @throws {GatewayError} PERMISSION: it cannot be read or made, or is no key.
 */
export function openSecretKey(path: string): Uint8Array {
  try {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writePrivate(path, systemChance.hex(KEY_BYTES))
    }
    const text = readFileSync(path, 'utf8').trim()
    if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex')
  } catch (cause) {
    throw new GatewayError('PERMISSION', `${path}: this key cannot be used`, { path }, cause)
  }
  throw new GatewayError('PERMISSION', `${path}: no key of ${KEY_BYTES} bytes as hex`, { path })
}
