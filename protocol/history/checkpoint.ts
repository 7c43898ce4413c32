/**
 * Signed heads: what a journal was at one size, as text that anybody can keep and check later.
 *
 *   openclaw-gateway/0123456789abcdef        origin: names the key, so one journal's line of heads
 *   1842                                     size: records, decimal
 *   q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEg== root of the Merkle tree, base64
 *                                            blank
 *   — openclaw-gateway/0123456789abcdef ...  name, base64(4 bytes key id, Ed25519 signature)
 *
 * C2SP tlog-checkpoint over C2SP signed-note; key id = SHA-256(name, 0x0A, 0x01, public key), its
 * first four bytes. A key is shown as `name+<key id in hex>+base64(0x01, public key)`. Whoever has
 * remembered a head elsewhere can tell whether a journal still extends it; a key or head that lies
 * inside the copy that is looked at proves less. Pure.
 */
import { type KeyObject, sign, verify } from 'node:crypto'
import { publicKeyObject } from '../auth/signature.ts'
import { sha256, sha256Hex } from '../digest.ts'
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'
import { limits } from '../limits.ts'
import type { Tree } from './merkle.ts'

/** A tree's head as it is signed. */
export interface Checkpoint extends Tree {
  readonly origin: string
}

/** A key that heads are held to. */
export interface Verifier {
  readonly name: string
  readonly publicKey: Uint8Array // 32 bytes, Ed25519
}

const ED25519 = 1
const KEY_ID_BYTES = 4
const SIGNATURE_BYTES = 64
const DASH = '\u2014 '
const ORIGIN = /^[^\s+]{1,128}$/
const SIZE = /^(?:0|[1-9]\d{0,15})$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function invalid(reason: string, details: Readonly<Record<string, unknown>> = {}): GatewayError {
  return new GatewayError('PROOF_INVALID', reason, details)
}

/** Names the heads of the journal that a public key signs: `openclaw-gateway/` + 16 hex digits. */
function originOf(publicKey: Uint8Array): string {
  return `openclaw-gateway/${sha256Hex(publicKey).slice(0, 16)}`
}

/** Makes the verifier of a journal's public key. */
export function verifierOf(publicKey: Uint8Array): Verifier {
  return { name: originOf(publicKey), publicKey }
}

function keyIdOf({ name, publicKey }: Verifier): Buffer {
  const text = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), publicKey])
  return Buffer.from(sha256(text)).subarray(0, KEY_ID_BYTES)
}

/** Writes a verifier as one word: `name+<key id in hex>+base64(0x01, public key)`. */
export function formatVerifier(verifier: Verifier): string {
  const key = Buffer.concat([Buffer.of(ED25519), verifier.publicKey]).toString('base64')
  return `${verifier.name}+${keyIdOf(verifier).toString('hex')}+${key}`
}

/** Reads a verifier. @throws {GatewayError} PROOF_INVALID: it is none, or its key id is another's. */
export function parseVerifier(word: string): Verifier {
  const [name = '', id = '', ...rest] = word.trim().split('+')
  const text = rest.join('+') // Base64 has a plus of its own.
  const key = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  if (!ORIGIN.test(name) || key.length !== 33 || key[0] !== ED25519) {
    throw invalid(`key: expected name+id+base64 of an Ed25519 key, got ${quote(word)}`)
  }
  const verifier = { name, publicKey: key.subarray(1) }
  if (keyIdOf(verifier).toString('hex') === id) return verifier
  throw invalid(`key: ${quote(id)} is not the id of ${quote(name)}`)
}

function signedText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}

/** Signs the head of a tree: the whole text, its signature included. */
export function signCheckpoint(tree: Tree, verifier: Verifier, privateKey: KeyObject): string {
  const text = signedText({ ...tree, origin: verifier.name })
  const signature = sign(null, Buffer.from(text), privateKey)
  const bytes = Buffer.concat([keyIdOf(verifier), signature]).toString('base64')
  return `${text}\n${DASH}${verifier.name} ${bytes}\n`
}

interface Signature {
  readonly name: string
  readonly bytes: Buffer // key id, then signature
}

interface Note {
  readonly checkpoint: Checkpoint
  readonly text: string // what is signed
  readonly signatures: readonly Signature[]
}

/**
 * Reads a checkpoint without believing it: no signature is checked.
 * @throws {GatewayError} PROOF_INVALID: not the text of one.
 */
export function parseCheckpoint(note: string): Checkpoint {
  return parseNote(note).checkpoint
}

function parseNote(note: string): Note {
  if (note.length > limits.checkpointCharsMax) throw invalid('head: longer than any that is signed')
  const at = note.indexOf('\n\n')
  if (at === -1 || !note.endsWith('\n')) throw invalid('head: no blank line, or cut short')
  const text = note.slice(0, at + 1)
  const [origin = '', size = '', root = '', ...more] = text.split('\n')
  // A fourth line would be an extension; ours have none, and what we do not know we do not sign.
  if (more.length !== 1) throw invalid('head: expected three lines before the blank one')
  if (!ORIGIN.test(origin)) throw invalid(`head: ${quote(origin)} is no origin`)
  const count = Number(size)
  if (!SIZE.test(size) || !Number.isSafeInteger(count)) {
    throw invalid(`head: ${quote(size)} is no size`)
  }
  const hash = Buffer.from(root, 'base64')
  if (!BASE64.test(root) || hash.length !== 32) throw invalid(`head: ${quote(root)} is no root`)
  const lines = note.slice(at + 2, -1).split('\n')
  return {
    checkpoint: { origin, size: count, root: hash },
    text,
    signatures: lines.map(parseSignature),
  }
}

function parseSignature(line: string): Signature {
  const [name = '', text = '', ...more] = line.startsWith(DASH) ? line.slice(2).split(' ') : []
  const bytes = Buffer.from(text, 'base64')
  const isWhole = BASE64.test(text) && bytes.length > KEY_ID_BYTES
  if (more.length === 0 && ORIGIN.test(name) && isWhole) return { name, bytes }
  throw invalid(`head: ${quote(line)} is no signature`)
}

/**
 * Reads a checkpoint that one key has signed, and signed as its own.
 * @throws {GatewayError} PROOF_INVALID: no checkpoint, of another origin, not signed by this key,
 * or the signature does not hold.
 */
export function verifyCheckpoint(note: string, verifier: Verifier): Checkpoint {
  const { checkpoint, text, signatures } = parseNote(note)
  const { origin, size } = checkpoint
  if (origin !== verifier.name) {
    throw invalid(`head: expected origin ${verifier.name}, got ${origin}`, { size })
  }
  const keyId = keyIdOf(verifier)
  const own = signatures.filter(
    ({ name, bytes }) => name === verifier.name && bytes.subarray(0, KEY_ID_BYTES).equals(keyId),
  )
  const [first] = own
  if (first === undefined)
    throw invalid(`head of ${size}: not signed by ${verifier.name}`, { size })
  const key = publicKeyObject(verifier.publicKey)
  const holds = own.every(({ bytes }) => {
    const signature = bytes.subarray(KEY_ID_BYTES)
    return signature.length === SIGNATURE_BYTES && verify(null, Buffer.from(text), key, signature)
  })
  if (holds) return checkpoint
  throw invalid(`head of ${size}: the signature of ${verifier.name} does not hold`, { size })
}
