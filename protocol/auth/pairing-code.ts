/**
 * Codes that people carry from one screen to another.
 *
 *   pairing code   8 characters of 32, 40 bits: XXXX-XXXX, read aloud, typed without the dash
 *   setup code     base64url of {"url", "bootstrapToken"}, as upstream's: scanned, never typed
 *
 * The alphabet has no I, O, 0 or 1. A code is kept as a digest only.
 */
import { Buffer } from 'node:buffer'
import { digestSecret } from './token.ts'

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const CODE = /^[A-HJ-NP-Z2-9]{8}$/

/** Random bytes that a pairing code is made of: 5 bits of each are used. */
export const PAIRING_CODE_BYTES = 8

/** Makes a pairing code of random bytes, without its dash. */
export function makePairingCode(random: Uint8Array): string {
  return Array.from(random.subarray(0, PAIRING_CODE_BYTES), (byte) => ALPHABET[byte & 31]).join('')
}

/** Writes a pairing code for people. */
export function showPairingCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/** Reads a pairing code as a person typed it; null where it cannot be one. */
export function readPairingCode(typed: string): string | null {
  const code = typed.replaceAll(/[\s-]/g, '').toUpperCase()
  return CODE.test(code) ? code : null
}

/** Digests a pairing code as it is kept: 64 hex digits. */
export function digestPairingCode(code: string): string {
  return digestSecret(`pairing-code:${code}`)
}

/** Writes what a phone scans. */
export function formatSetupCode(url: string, bootstrapToken: string): string {
  return Buffer.from(JSON.stringify({ url, bootstrapToken })).toString('base64url')
}
