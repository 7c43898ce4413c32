/**
 * Inputs for the fuzzer of the door: bytes for a socket in a state, made by a grammar, by mutation,
 * or kept in `tests/fixtures/fuzz/*.txt`, one a line: the state, then the bytes as a JSON string.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { methods } from '../../protocol/methods.ts'
import { OPCODES, rawFrame, upgradeHead } from './raw-socket.ts'

const CORPUS = fileURLToPath(new URL('../../../tests/fixtures/fuzz/', import.meta.url))
const STATES = ['tcp', 'upgraded', 'connected'] as const
const BYTES_MAX = 128 * 1024

export interface FuzzInput {
  readonly state: (typeof STATES)[number]
  readonly bytes: Buffer
  /** It ends with a whole text frame: something must come back. */
  readonly whole: boolean
}

/** Writes an input as a line of the corpus. */
export function formatInput({ state, bytes }: FuzzInput): string {
  return `${state} ${JSON.stringify(bytes.toString('latin1'))}`
}

/** Reads the kept inputs. */
export function readCorpus(): FuzzInput[] {
  const files = readdirSync(CORPUS).filter((name) => name.endsWith('.txt'))
  return files.flatMap((name) =>
    readFileSync(`${CORPUS}${name}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(parseInput),
  )
}

function parseInput(line: string): FuzzInput {
  const at = line.indexOf(' ')
  const state = STATES.find((known) => known === line.slice(0, at))
  if (state === undefined) throw new Error(`no state: ${line.slice(0, 40)}`)
  const bytes = Buffer.from(JSON.parse(line.slice(at + 1)) as string, 'latin1')
  return { state, bytes, whole: false }
}

const names = fc.constantFrom(...Object.keys(methods))
const keys = fc.constantFrom('deviceId', 'message', 'auth', 'events', 'toString', '__proto__', 'x')
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.jsonValue(),
    fc.constantFrom('', '\u0000', '\ud800', 'agent:main:main', '1..', -1, 2 ** 53, '../x'),
    fc.dictionary(keys, tie('any'), { maxKeys: 3 }),
    fc.array(tie('any'), { maxLength: 3 }),
  ),
})).any
const gentle = fc.constantFrom(
  { type: 'req', id: 'health#1', params: { probe: true } },
  { type: 'req', id: 'sessions.list' },
  { type: 'req', id: 'subscribe', params: { events: ['tick'] } },
  { type: 'req', id: 'connect', params: { deviceId: 'fuzz', subscribe: [] } },
  { type: 'req', id: 'history.read', params: { limit: 5, range: '1..' } },
)
// What a handshake is made of; answers that are signed well have a test of their own.
const credential = fc.oneof(
  fc.constantFrom('', 'a'.repeat(43), 'a'.repeat(64), 'A'.repeat(86), '\ud800', '__proto__'),
  fc.string({ maxLength: 90 }),
)
const handshake = fc.record(
  {
    deviceId: fc.oneof(fc.constantFrom('steady', 'raw', 'fuzz', 'f'.repeat(64)), fc.string()),
    role: fc.constantFrom('client', 'node', 'operator'),
    scopes: fc.array(fc.constantFrom('operator.admin', 'operator.read', '*', 'toString')),
    capabilities: fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
    resumeFrom: fc.oneof(fc.nat(), fc.constantFrom(-1, 2 ** 53, 1.5)),
    auth: fc.record(
      {
        token: credential,
        password: credential,
        deviceToken: credential,
        bootstrapToken: credential,
        challenge: credential,
        challengeResponse: credential,
        publicKey: credential,
        signedAt: fc.oneof(fc.nat(), fc.double()),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['deviceId'] },
)
const codes = fc.record(
  { code: credential, requestId: fc.string(), channel: fc.constantFrom('irc', '', 'toString') },
  { requiredKeys: [] },
)
const text = fc.oneof(
  gentle,
  fc.record({ type: fc.constant('req'), id: fc.constant('connect'), params: handshake }),
  fc.record({
    type: fc.constant('req'),
    id: fc.constantFrom('pairing.approve', 'pairing.reject', 'channel.pairing.approve'),
    params: codes,
  }),
  fc.record({ type: fc.constant('req'), id: names, params: fc.dictionary(keys, value) }),
  fc.record({ type: fc.constant('req'), id: fc.string(), params: value }),
  value,
)
const request = text.map((json) => JSON.stringify(json) ?? 'undefined')

interface Piece {
  readonly bytes: Buffer
  readonly honest: boolean // says the length that it has
}

const honest = (bytes: Buffer): Piece => ({ bytes, honest: true })
const frame = fc
  .record({
    opcode: fc.oneof(fc.constantFrom(...Object.values(OPCODES)), fc.nat(15)),
    payload: fc.oneof(request, fc.string({ maxLength: 130 })),
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 0, 1, 4, 7),
    masked: fc.constantFrom(true, true, true, true, false),
  })
  .map((parts) => honest(rawFrame(parts)))
const liar = fc
  .record({ declared: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), payload: fc.string() })
  .map((parts): Piece => ({ bytes: rawFrame({ ...parts, form: 64 }), honest: false }))
const last = request.map((payload) => honest(rawFrame({ payload })))

const frames = fc
  .tuple(
    fc.constantFrom('upgraded' as const, 'connected' as const),
    fc.oneof(
      fc.constant([]),
      fc.array(fc.oneof({ weight: 8, arbitrary: frame }, { weight: 1, arbitrary: liar }), {
        maxLength: 6,
      }),
    ),
    last,
  )
  .map(([state, before, end]): FuzzInput => {
    const pieces = [...before, end]
    const bytes = Buffer.concat(pieces.map((piece) => piece.bytes))
    return { state, bytes, whole: pieces.every((piece) => piece.honest) }
  })

const header = fc.oneof(fc.string(), fc.constantFrom('13', 'websocket', 'Upgrade', 'evil.example'))
const head = fc
  .tuple(
    fc.dictionary(
      fc.constantFrom('host', 'origin', 'upgrade', 'connection', 'sec-websocket-key', 'x', 'via'),
      fc.option(header),
      { maxKeys: 3 },
    ),
    fc.constantFrom('GET / HTTP/1.1', 'GET /healthz HTTP/1.1', 'POST / HTTP/1.0', 'PRI * HTTP/2.0'),
  )
  .map(([changes, line]): FuzzInput => {
    return { state: 'tcp', bytes: Buffer.from(upgradeHead(0, changes, line)), whole: false }
  })

/** Inputs by grammar. */
export const grammar: fc.Arbitrary<FuzzInput> = fc.oneof(
  { weight: 4, arbitrary: frames },
  { weight: 1, arbitrary: head },
)

/** Draws whole numbers below a bound; the same for the same seed (mulberry32). */
export function openDice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Changes an input a little, or joins it with another. */
export function mutate(
  { state, bytes }: FuzzInput,
  other: FuzzInput,
  dice: (below: number) => number,
): FuzzInput {
  let changed = Buffer.from(bytes)
  for (let left = 1 + dice(6); left > 0; left -= 1) {
    const at = dice(changed.length + 1)
    const to = Math.min(changed.length, at + 1 + dice(16))
    const rest = changed.subarray(to)
    const edits = [
      () => [changed.subarray(0, at), rest],
      () => [changed.subarray(0, at), Buffer.of(dice(256)), changed.subarray(at)],
      () => [
        changed.subarray(0, at),
        Buffer.of((changed[at] ?? 0) ^ (1 << dice(8))),
        changed.subarray(at + 1),
      ],
      () => [changed.subarray(0, to), changed.subarray(at)],
      () => [changed.subarray(0, at), other.bytes.subarray(dice(other.bytes.length + 1))],
      () => [changed.subarray(0, at), Buffer.alloc(1 + dice(8), [0, 127, 128, 255][dice(4)]), rest],
    ]
    changed = Buffer.concat(edits[dice(edits.length)]?.() ?? [])
  }
  return { state, bytes: changed.subarray(0, BYTES_MAX), whole: false }
}
