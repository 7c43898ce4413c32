/**
 * The key that signs a journal's heads: `<stateDir>/keys/journal.pem`, Ed25519, made at first start.
 *
 *   keys/               0700
 *   keys/journal.pem    0600, PKCS 8
 *
 * Outside the journal's directory, so that a copy of the journal does not carry it; its public half
 * is kept inside, so that a copy can be verified. That half proves that the copy's heads are one
 * signer's, not who the signer is: remember the key that `history head` shows somewhere else.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicKeyBytes } from '../protocol/auth/signature.ts'
import { GatewayError } from '../protocol/errors.ts'
import { signCheckpoint, type Verifier, verifierOf } from '../protocol/history/checkpoint.ts'
import type { Tree } from '../protocol/history/merkle.ts'
import { writePrivate } from './private-file.ts'

/** Signs heads in a journal's name. */
export interface JournalKey {
  readonly verifier: Verifier
  readonly sign: (tree: Tree) => string // a checkpoint's text
}

/**
 * Opens the key of a state directory, and makes it where there is none.
 * @throws {GatewayError} PERMISSION: it cannot be read, is none, or cannot be made.
 */
export function openJournalKey(stateDir: string): JournalKey {
  const path = join(stateDir, 'keys', 'journal.pem')
  try {
    const privateKey = existsSync(path) ? readKey(path) : makeKey(stateDir, path)
    const verifier = verifierOf(publicKeyBytes(privateKey))
    return { verifier, sign: (tree) => signCheckpoint(tree, verifier, privateKey) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError('PERMISSION', `journal key: ${path}: ${reason}`, { path }, cause)
  }
}

function readKey(path: string): KeyObject {
  const key = createPrivateKey(readFileSync(path, 'utf8'))
  if (key.asymmetricKeyType === 'ed25519') return key
  throw new Error(`expected an Ed25519 key, got ${String(key.asymmetricKeyType)}`)
}

// Whole or not at all: half a key would leave every later head unsigned.
function makeKey(stateDir: string, path: string): KeyObject {
  const directory = join(stateDir, 'keys')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  chmodSync(directory, 0o700)
  const { privateKey } = generateKeyPairSync('ed25519')
  writePrivate(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  return privateKey
}
