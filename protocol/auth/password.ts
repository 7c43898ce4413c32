/**
 * A password at rest: scrypt (RFC 7914), as `gateway.auth.password` may hold it.
 *
 *   scrypt:15:8:1:SALT:HASH    log2 N, r, p, 16 and 32 bytes as base64url
 *
 * The work is done by Node's thread pool; the event loop goes on. Parameters are bounded, so that
 * a configuration cannot ask for a gigabyte.
 */
import { Buffer } from 'node:buffer'
import { scrypt, timingSafeEqual } from 'node:crypto'
import { limits } from '../limits.ts'

interface Scrypt {
  readonly cost: number // log2 N
  readonly blockSize: number
  readonly parallel: number
  readonly salt: Buffer
  readonly hash: Buffer
}

const PREFIX = 'scrypt:'
const SHAPE = /^scrypt:(\d{2}):(\d{1,2}):(\d):([\w-]{22}):([\w-]{43})$/
const HASH_BYTES = 32

/** Tells whether a configured password is a hash, or means to be one. */
export function isPasswordHash(configured: string): boolean {
  return configured.startsWith(PREFIX)
}

/** Says what is wrong with a password's hash; null where nothing is. */
export function passwordHashFault(configured: string): string | null {
  if (parse(configured) !== null) return null
  return 'expected scrypt:N:r:p:SALT:HASH, as `openclaw pairing hash-password` prints it'
}

/** Hashes a password with 16 random bytes of salt; resolves with the text for the configuration. */
export async function hashPassword(password: string, salt: Uint8Array): Promise<string> {
  const { scryptCostLog2: cost, scryptBlockSize: blockSize, scryptParallel: parallel } = limits
  const kept = { cost, blockSize, parallel, salt: Buffer.from(salt), hash: Buffer.alloc(0) }
  const hash = await derive(password, kept)
  const texts = [kept.salt, hash].map((bytes) => bytes.toString('base64url'))
  return `${PREFIX}${[cost, blockSize, parallel, ...texts].join(':')}`
}

/** Tells whether a password is the one that was hashed; takes about 80 ms of another thread. */
export async function verifyPassword(password: string, configured: string): Promise<boolean> {
  const kept = parse(configured)
  if (kept === null) return false
  return timingSafeEqual(await derive(password, kept), kept.hash)
}

function parse(configured: string): Scrypt | null {
  const [, cost, blockSize, parallel, salt = '', hash = ''] = SHAPE.exec(configured) ?? []
  const kept = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallel: Number(parallel),
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  }
  const isBounded =
    kept.cost >= limits.scryptCostLog2Min &&
    kept.cost <= limits.scryptCostLog2Max &&
    kept.blockSize === limits.scryptBlockSize &&
    kept.parallel >= 1 &&
    kept.parallel <= limits.scryptParallelMax
  return isBounded && kept.hash.length === HASH_BYTES ? kept : null
}

function derive(password: string, kept: Scrypt): Promise<Buffer> {
  const { cost, blockSize, parallel, salt } = kept
  const options = { N: 2 ** cost, r: blockSize, p: parallel, maxmem: 2 ** (cost + 11) * parallel }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, hash) => {
      if (error === null) resolve(hash)
      else reject(error)
    })
  })
}
