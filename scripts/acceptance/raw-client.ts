/**
 * A small client of protocol 4 with a device key: makes what a row needs beforehand (a paired
 * device, one that waits for approval, a conversation). Written from upstream's protocol, with
 * nothing of our own dialect in it.
 */
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign as signBytes,
} from 'node:crypto'
import { once } from 'node:events'
import WebSocket from 'ws'
import { at, type Json } from './row.ts'
import type { Target } from './scene.ts'

/** A device: an Ed25519 key and the id that follows from it. */
export interface Device {
  readonly id: string // SHA-256 of the raw public key, hex
  readonly publicKey: string // raw 32 bytes, base64url
  readonly key: KeyObject
}

/** An answer as it came. */
export interface Answer {
  readonly ok: boolean
  readonly payload?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly details?: unknown }
}

/** Who connects; without a device as the command line does, which the token is enough for. */
export interface Caller {
  readonly role: 'operator' | 'node'
  readonly scopes: readonly string[]
  readonly device?: Device
}

const ANSWER_MS = 180_000 // The first run of a real gateway takes a minute on a busy machine.

/** Makes a device. */
export function makeDevice(): Device {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const id = createHash('sha256').update(raw).digest('hex')
  return { id, publicKey: raw.toString('base64url'), key: privateKey }
}

/** One connection. */
export class RawClient {
  readonly #socket: WebSocket
  readonly #frames: Json[] = []
  #wake: () => void = () => {}

  constructor({ host, port }: Target) {
    this.#socket = new WebSocket(`ws://${host}:${port}`, { perMessageDeflate: false })
    this.#socket.on('message', (data: Buffer) => {
      this.#frames.push(JSON.parse(data.toString('utf8')) as Json)
      this.#wake()
    })
    this.#socket.on('close', () => this.#wake())
    this.#socket.on('error', () => this.#wake())
  }

  /** Answers the challenge; the answer to `connect`, refusals too. Protocols 3 and 4 will do. */
  async connect(token: string, caller: Caller): Promise<Answer> {
    const challenge = await this.#frame((frame) => frame['event'] === 'connect.challenge')
    const nonce = String(at(challenge, 'payload', 'nonce'))
    const signedAt = Number(at(challenge, 'payload', 'ts'))
    const { role, scopes, device } = caller
    const name = role === 'node' ? ['node-host', 'node'] : ['test', 'test']
    const [id = '', mode = ''] = device === undefined ? ['cli', 'cli'] : name
    const client = { id, mode, version: '1.0.0', platform: 'linux' }
    const proof = device && sign(device, [id, mode, role, scopes.join(','), signedAt, token, nonce])
    return this.request('connect', {
      minProtocol: role === 'node' ? 4 : 3,
      maxProtocol: 4,
      client,
      role,
      scopes,
      caps: [],
      auth: { token },
      ...(device && {
        device: { id: device.id, publicKey: device.publicKey, signature: proof, signedAt, nonce },
      }),
    })
  }

  /** Sends a request; where an answer says `accepted`, the one after it counts. */
  async request(method: string, params: object = {}): Promise<Answer> {
    const id = randomUUID()
    this.#socket.send(JSON.stringify({ type: 'req', id, method, params }))
    const answer = await this.#frame(
      (frame) => frame['id'] === id && at(frame, 'payload', 'status') !== 'accepted',
    )
    return answer as unknown as Answer
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.terminate()
    await once(this.#socket, 'close')
  }

  async #frame(matches: (frame: Json) => boolean): Promise<Json> {
    const deadline = performance.now() + ANSWER_MS
    for (;;) {
      const found = this.#frames.find(matches)
      if (found !== undefined) return found
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error('the gateway closed')
      if (performance.now() > deadline) throw new Error('no answer within three minutes')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** Signs as protocol 4 has it: `v3|device|…|platform|device family`. */
function sign({ id, key }: Device, parts: readonly (string | number)[]): string {
  const text = ['v3', id, ...parts, 'linux', ''].join('|')
  return signBytes(null, Buffer.from(text), key).toString('base64url')
}

const OPERATOR = ['operator.read', 'operator.write', 'operator.admin', 'operator.pairing']

/** Pairs a new device as an operator, which loopback and the token approve at once. */
export async function pairDevice(target: Target): Promise<Device> {
  const device = makeDevice()
  const answer = await connectOnce(target, { role: 'operator', scopes: OPERATOR, device })
  if (!answer.ok) throw new Error(`a device on loopback is not paired: ${JSON.stringify(answer)}`)
  return device
}

/**
 * Makes a pairing that waits for people: a device that is paired as an operator asks to be a node.
 * @throws {Error} the gateway did not refuse it with a request id.
 */
export async function makePending(target: Target): Promise<{ device: Device; requestId: string }> {
  const device = await pairDevice(target)
  const answer = await connectOnce(target, { role: 'node', scopes: [], device })
  const requestId = at(answer, 'error', 'details', 'requestId')
  if (typeof requestId !== 'string') {
    throw new Error(`a role upgrade does not wait for approval: ${JSON.stringify(answer)}`)
  }
  return { device, requestId }
}

/** Asks something as the command line would, on either protocol. */
export async function ask(target: Target, method: string, params: object): Promise<Answer> {
  const client = new RawClient(target)
  try {
    await client.connect(target.token, { role: 'operator', scopes: OPERATOR })
    return await client.request(method, params)
  } finally {
    await client.close()
  }
}

async function connectOnce(target: Target, caller: Caller): Promise<Answer> {
  const client = new RawClient(target)
  try {
    return await client.connect(target.token, caller)
  } finally {
    await client.close()
  }
}
