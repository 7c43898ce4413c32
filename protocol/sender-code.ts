/**
 * Codes that senders are told: eight characters that cannot be taken for one another, 40 bits.
 *
 *   5 random bytes ─► `K7MQ-2XTB` ─► SHA-256, 64 hex digits: all that is kept
 */
import { timingSafeEqual } from 'node:crypto'
import { sha256Hex } from './codec.ts'

// Without I, O, 0 and 1: 32 characters, five bits each.
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const CODE = new RegExp(`^[${ALPHABET}]{8}$`)

/** Bytes of chance in one code. */
export const CODE_BYTES = 5

/** Writes 5 bytes as a code, in two halves for people. */
export function formatCode(bytes: Uint8Array): string {
  let bits = 0n
  for (const byte of bytes.subarray(0, CODE_BYTES)) bits = (bits << 8n) | BigInt(byte)
  const chars = Array.from(
    { length: 8 },
    (_, n) => ALPHABET[Number((bits >> BigInt(35 - n * 5)) & 31n)],
  )
  return `${chars.slice(0, 4).join('')}-${chars.slice(4).join('')}`
}

/** Reads a code as people type it: any case, with or without the dash; null where it is none. */
export function parseCode(text: string): string | null {
  const code = text.toUpperCase().replaceAll(/[\s-]/g, '')
  return CODE.test(code) ? code : null
}

/** Digests a code that was read. */
export function digestCode(code: string): string {
  return sha256Hex(`openclaw sender code\n${code}`)
}

/** Compares two digests of 64 hex digits in constant time. */
export function isSameDigest(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')]
  return left.length === right.length && timingSafeEqual(left, right)
}
