/**
 * A WebSocket client without manners: raw bytes over TCP, frames made and read by hand (RFC 6455).
 *
 * It sends whatever a test wants, also what no library would, and tells what came back.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { within } from './wait.ts'

const PATIENCE_MS = 10_000

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameParts {
  readonly opcode?: number // default text
  readonly payload?: Buffer | string
  readonly fin?: boolean
  readonly rsv?: number // three bits
  readonly masked?: boolean
  readonly declared?: bigint // a length that is said, whatever the payload has
  readonly form?: 7 | 16 | 64 // bits of the length, where not the shortest
}

/** Makes one frame. */
export function rawFrame(parts: FrameParts = {}): Buffer {
  const { opcode = OPCODES.text, payload = '', fin = true, rsv = 0, masked = true } = parts
  const bytes = Buffer.from(payload)
  const length = parts.declared ?? BigInt(bytes.length)
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  const mask = masked ? Buffer.of(0x37, 0xfa, 0x21, 0x3d) : Buffer.alloc(0)
  const body = masked ? bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : bytes
  return Buffer.concat([Buffer.of(first), lengthOf(length, masked, parts.form), mask, body])
}

function lengthOf(length: bigint, masked: boolean, form?: 7 | 16 | 64): Buffer {
  const bit = masked ? 0x80 : 0
  const bits = form ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64)
  if (bits === 7) return Buffer.of(bit | Number(length))
  const bytes = Buffer.alloc(bits === 16 ? 3 : 9)
  bytes[0] = bit | (bits === 16 ? 126 : 127)
  if (bits === 16) bytes.writeUInt16BE(Number(length), 1)
  else bytes.writeBigUInt64BE(length, 1)
  return bytes
}

/** Makes the frames of one message, cut into pieces of so many bytes. */
export function fragments(payload: Buffer | string, size: number, opcode = OPCODES.text): Buffer[] {
  const bytes = Buffer.from(payload)
  const count = Math.max(1, Math.ceil(bytes.length / size))
  return Array.from({ length: count }, (_, n) =>
    rawFrame({
      opcode: n === 0 ? opcode : OPCODES.continuation,
      payload: bytes.subarray(n * size, (n + 1) * size),
      fin: n === count - 1,
    }),
  )
}

/** Makes a close frame. */
export function closeFrame(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return rawFrame({ opcode: OPCODES.close, payload: Buffer.concat([head, Buffer.from(reason)]) })
}

/** What came back: `http 101`, `res ok`, `res CODE`, `pong TEXT`, `close CODE`, `end`. */
export type Heard = string

/** One connection. */
export class RawSocket {
  readonly socket: Socket
  readonly heard: Heard[] = []
  readonly reasons: string[] = [] // of close frames
  readonly answers: unknown[] = [] // of responses, parsed
  #buffer = Buffer.alloc(0)
  #isHttp = true
  #waiting = new Set<() => void>()

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.socket.on('error', () => {}) // A reset is an end.
    this.socket.on('close', () => this.#hear('end'))
  }

  /** Opens a WebSocket that has not said `connect`. */
  static async upgrade(port: number): Promise<RawSocket> {
    const raw = new RawSocket(port)
    raw.write(upgradeHead(port))
    const status = await raw.until((heard) => heard !== 'http')
    if (status !== 'http 101') throw new Error(`upgrade: ${status}`)
    return raw
  }

  /** Opens a WebSocket that is admitted. */
  static async connected(port: number, deviceId = 'raw'): Promise<RawSocket> {
    const raw = await RawSocket.upgrade(port)
    raw.write(rawFrame({ payload: request('connect', { deviceId, subscribe: [] }) }))
    const answer = await raw.until((heard) => heard.startsWith('res') || heard === 'end')
    if (answer !== 'res ok') throw new Error(`connect: ${answer}`)
    raw.heard.length = 0
    raw.answers.length = 0
    return raw
  }

  write(...bytes: (Buffer | string)[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes.map((b) => Buffer.from(b))))
  }

  /** Waits for something to be heard; returns the first that matches. */
  async until(matches: (heard: Heard) => boolean, what = 'an answer'): Promise<Heard> {
    const look = async (): Promise<Heard> => {
      for (;;) {
        const found = this.heard.find(matches)
        if (found !== undefined) return found
        if (this.heard.includes('end')) return 'end'
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
      }
    }
    return within(look(), what, PATIENCE_MS)
  }

  destroy(): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk])
    if (this.#isHttp) this.#takeHttp()
    if (!this.#isHttp) while (this.#takeFrame());
  }

  #takeHttp(): void {
    const end = this.#buffer.indexOf('\r\n\r\n')
    if (end === -1) return
    const head = this.#buffer.subarray(0, end).toString('latin1')
    const status = head.split(' ')[1] ?? ''
    this.#buffer = this.#buffer.subarray(end + 4)
    this.#isHttp = status !== '101'
    this.#hear(`http ${status}`)
  }

  // Servers do not mask; lengths of 64 bits are read as far as numbers go.
  #takeFrame(): boolean {
    const buffer = this.#buffer
    if (buffer.length < 2) return false
    const short = (buffer[1] ?? 0) & 0x7f
    const head = short === 126 ? 4 : short === 127 ? 10 : 2
    if (buffer.length < head) return false
    const length =
      short === 126
        ? buffer.readUInt16BE(2)
        : short === 127
          ? Number(buffer.readBigUInt64BE(2))
          : short
    if (buffer.length < head + length) return false
    const payload = buffer.subarray(head, head + length)
    this.#buffer = buffer.subarray(head + length)
    this.#read((buffer[0] ?? 0) & 0x0f, payload)
    return true
  }

  #read(opcode: number, payload: Buffer): void {
    if (opcode === OPCODES.pong) return this.#hear(`pong ${payload.toString('latin1')}`)
    if (opcode === OPCODES.close) {
      this.reasons.push(payload.subarray(2).toString('utf8'))
      this.#hear(`close ${payload.length < 2 ? 1005 : payload.readUInt16BE(0)}`)
      return
    }
    const frame = JSON.parse(payload.toString('utf8')) as {
      type: string
      ok?: boolean
      error?: { code: string }
    }
    if (frame.type !== 'res') return
    this.answers.push(frame)
    this.#hear(frame.ok === true ? 'res ok' : `res ${frame.error?.code}`)
  }

  #hear(what: Heard): void {
    this.heard.push(what)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}

/** The text of a request. */
export function request(id: string, params: unknown = {}): string {
  return JSON.stringify({ type: 'req', id, params })
}

/** The head of a proper upgrade; `changes` replace or add header lines, null leaves one out. */
export function upgradeHead(
  port: number,
  changes: Readonly<Record<string, string | null>> = {},
  line = 'GET / HTTP/1.1',
): string {
  const headers: Record<string, string | null> = {
    host: `127.0.0.1:${port}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  )
  return `${[line, ...lines].join('\r\n')}\r\n\r\n`
}
