/**
 * A device's key and its signature: Ed25519 (RFC 8032) over upstream's v3 string.
 *
 *   v3|deviceId|clientId|clientMode|role|scopes|signedAt|token|nonce|platform|deviceFamily
 *   v2|deviceId|clientId|clientMode|role|scopes|signedAt|token|nonce        (older clients)
 *
 * Texts are base64url without padding, in their one canonical form: 43 characters of a key, 86 of
 * a signature. The device id is the SHA-256 of the key's 32 bytes, so the key is signed with it.
 * Encodings that are not canonical, and the points of low order,
 * for which anybody can make signatures, are no keys here.
 */
import { Buffer } from 'node:buffer'
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sha256Hex } from '../digest.ts'

/** What a device signs. The token is the one it shows, '' where it shows none. */
export interface SignedConnect {
  readonly deviceId: string
  readonly clientId: string
  readonly clientMode: string
  readonly role: string
  readonly scopes: readonly string[] // in the order in which they are asked for
  readonly signedAt: number // ms since epoch
  readonly token: string
  readonly nonce: string
  readonly platform: string
  readonly deviceFamily: string
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex') // RFC 8410
const FIELD_PRIME = 2n ** 255n - 19n
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

// y of the eight points whose order divides 8; the sign bit of x does not matter.
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  littleEndian(
    Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex'),
  ),
  littleEndian(
    Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex'),
  ),
])

/** The forms of the text that is signed; the newer one holds two facts more. */
export const SIGNED_FORMS = ['v3', 'v2'] as const

export type SignedForm = (typeof SIGNED_FORMS)[number]

/** Writes the text that a device signs. */
export function signedText(signed: SignedConnect, form: SignedForm = 'v3'): string {
  const { deviceId, clientId, clientMode, role, scopes, signedAt, token, nonce } = signed
  const device = [signed.platform, signed.deviceFamily].map((text) => lower(text.trim()))
  const facts = [deviceId, clientId, clientMode, role, scopes.join(','), String(signedAt), token]
  return [form, ...facts, nonce, ...(form === 'v3' ? device : [])].join('|')
}

/** Reads a public key: its 32 bytes, or null where the text is none. */
export function parsePublicKey(text: string): Buffer | null {
  const bytes = decode(text, KEY_BYTES)
  if (bytes === null) return null
  const y = littleEndian(bytes) & (2n ** 255n - 1n)
  return y >= FIELD_PRIME || LOW_ORDER_Y.has(y) ? null : bytes
}

/** Names a device by its key: 64 hex digits. */
export function fingerprint(publicKey: Uint8Array): string {
  return sha256Hex(publicKey)
}

/** Tells whether a device id claims to be the fingerprint of a key. */
export function isFingerprint(deviceId: string): boolean {
  return /^[\da-f]{64}$/i.test(deviceId)
}

/** Tells whether a signature is one of a key over a text, in canonical form. */
export function verifySignature(publicKey: Uint8Array, text: string, signature: string): boolean {
  const bytes = decode(signature, SIGNATURE_BYTES)
  if (bytes === null || littleEndian(bytes.subarray(32)) >= GROUP_ORDER) return false
  try {
    return verify(null, Buffer.from(text, 'utf8'), publicKeyObject(publicKey), bytes)
  } catch {
    return false // No point of the curve.
  }
}

/** Makes a key object of the 32 bytes of an Ed25519 key. @throws where they are no point. */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const key = Buffer.concat([SPKI_PREFIX, publicKey])
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

/** Reads the 32 bytes of the public half of a private Ed25519 key. */
export function publicKeyBytes(privateKey: KeyObject): Buffer {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return spki.subarray(SPKI_PREFIX.length)
}

// One text for one value: padding, other alphabets and stray bits are refused.
function decode(text: string, length: number): Buffer | null {
  if (text.length !== Math.ceil((length * 4) / 3)) return null
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === length && bytes.toString('base64url') === text ? bytes : null
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
}

// ASCII only, as upstream does: other letters have no one lower case.
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
