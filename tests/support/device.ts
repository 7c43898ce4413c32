/** A device with an Ed25519 key: answers challenges as a good client does, or as told. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { fingerprint, signedText } from '../../protocol/auth/signature.ts'
import type { Frame, TestClient } from './client.ts'

type Json = Record<string, unknown>

/** What a test changes of what is signed, and of what is sent. */
export interface Changes {
  readonly params?: Json
  readonly auth?: Json
  readonly signed?: Partial<Parameters<typeof signedText>[0]>
  readonly signature?: (good: Buffer) => Buffer
}

export class KeyedDevice {
  readonly publicKey: string
  readonly id: string
  #key: KeyObject

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    this.publicKey = raw.toString('base64url')
    this.id = fingerprint(raw)
    this.#key = privateKey
  }

  /** Builds the parameters of a `connect` that answers a challenge. */
  answer(nonce: string, signedAt: number, changes: Changes = {}): Json {
    const params: Json = { deviceId: this.id, role: 'client', ...changes.params }
    const auth: Json = { ...changes.auth }
    const token = auth['token'] ?? auth['deviceToken'] ?? auth['bootstrapToken'] ?? ''
    const text = signedText({
      deviceId: String(params['deviceId']),
      clientId: '',
      clientMode: '',
      role: String(params['role']),
      scopes: (params['scopes'] ?? []) as string[],
      signedAt,
      token: token as string,
      nonce,
      platform: '',
      deviceFamily: '',
      ...changes.signed,
    })
    const good = sign(null, Buffer.from(text), this.#key)
    const challengeResponse = (changes.signature ?? ((bytes) => bytes))(good).toString('base64url')
    const proof = { challenge: nonce, challengeResponse, publicKey: this.publicKey, signedAt }
    return { ...params, auth: { ...proof, ...auth } }
  }

  /** Signs a text; what upstream's `connect` says of a device. */
  prove(text: string): { id: string; publicKey: string; signature: string } {
    const signature = sign(null, Buffer.from(text), this.#key).toString('base64url')
    return { id: this.id, publicKey: this.publicKey, signature }
  }

  /** Answers the challenge that comes with the opening of a socket. */
  async connect(client: TestClient, changes: Changes = {}): Promise<Frame> {
    const { payload } = await client.event('connect.challenge')
    const params = this.answer(String(payload['nonce']), Number(payload['ts']), changes)
    return client.request('connect', params)
  }
}
