/**
 * Who the command line is to the gateway: one device per state directory, kept in `client.json`.
 *
 * A new device has an Ed25519 key, and its id is the key's fingerprint; it signs the challenge of
 * each connection. One that an older version made has no key and goes on with its token.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  fingerprint,
  publicKeyBytes,
  type SignedConnect,
  signedText,
} from '../protocol/auth/signature.ts'
import { isId } from '../protocol/ids.ts'
import { memberOf } from '../protocol/members.ts'

export interface Device {
  readonly deviceId: string
  readonly deviceToken: string | null
  readonly privateKey: string | null // PKCS #8, base64; null: older than keys
  readonly isKept: boolean // it stands in the file as it is
}

/** Reads the device of a state directory; a new one where there is none that can be read. */
export async function readDevice(stateDir: string): Promise<Device> {
  try {
    const value: unknown = JSON.parse(await readFile(pathOf(stateDir), 'utf8'))
    const device = deviceOf(value)
    if (device !== null) return device
  } catch {
    // None yet, or a damaged one: the gateway makes us a new token.
  }
  return makeDevice()
}

/** Keeps a device, 0600, whole or not at all. */
export async function keepDevice(stateDir: string, device: Device): Promise<void> {
  const { deviceId, deviceToken, privateKey } = device
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const text = JSON.stringify({ deviceId, deviceToken, privateKey })
  const { writePrivate } = await import('../actors/private-file.ts')
  writePrivate(pathOf(stateDir), `${text}\n`)
}

/** The members of `connect.auth` by which a device answers a challenge; null where it has no key. */
export function answerChallenge(
  { deviceId, privateKey }: Device,
  { nonce, signedAt }: { readonly nonce: string; readonly signedAt: number },
  { role, token }: { readonly role: string; readonly token: string },
): { challenge: string; challengeResponse: string; publicKey: string } | null {
  if (privateKey === null) return null
  const key = keyOf(privateKey)
  const client = { clientId: '', clientMode: '', platform: '', deviceFamily: '' }
  const signed: SignedConnect = { deviceId, role, scopes: [], signedAt, token, nonce, ...client }
  const signature = sign(null, Buffer.from(signedText(signed), 'utf8'), key)
  const publicKey = publicKeyBytes(key).toString('base64url')
  return { challenge: nonce, challengeResponse: signature.toString('base64url'), publicKey }
}

function makeDevice(): Device {
  const { privateKey } = generateKeyPairSync('ed25519')
  const deviceId = fingerprint(publicKeyBytes(privateKey))
  const text = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')
  return { deviceId, deviceToken: null, privateKey: text, isKept: false }
}

function deviceOf(value: unknown): Device | null {
  const deviceId = memberOf(value, 'deviceId')
  const token = memberOf(value, 'deviceToken')
  const key = memberOf(value, 'privateKey')
  if (typeof deviceId !== 'string' || !isId(deviceId)) return null
  const privateKey = typeof key === 'string' ? key : null
  // A key that is not this device's would be refused for ever.
  if (privateKey !== null && fingerprint(publicKeyBytes(keyOf(privateKey))) !== deviceId)
    return null
  const deviceToken = typeof token === 'string' ? token : null
  return { deviceId, deviceToken, privateKey, isKept: true }
}

function keyOf(privateKey: string): KeyObject {
  const der = Buffer.from(privateKey, 'base64')
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

function pathOf(stateDir: string): string {
  return join(stateDir, 'client.json')
}
