/**
 * Frames that no library sends: RFC 6455 by rows (S12 to S20). `before` and `after` mean `connect`.
 */
import '../../actors/trap.ts'
import { limits } from '../../protocol/limits.ts'
import { type Attack, attackSuite } from '../support/attacks.ts'
import { closeFrame, fragments, OPCODES, rawFrame, request } from '../support/raw-socket.ts'

const CONNECT = request('connect', { deviceId: 'raw', subscribe: [] })
const HEALTH = request('health#probe')

/** A row before `connect` and the same after it. */
function both(name: string, bytes: Buffer[], expected: string): Attack[] {
  return [
    { name: `${name}, before`, state: 'upgraded', bytes: () => bytes, expected },
    { name: `${name}, after`, state: 'connected', bytes: () => bytes, expected },
  ]
}

function after(name: string, bytes: Buffer[], expected: string): Attack {
  return { name, state: 'connected', bytes: () => bytes, expected }
}

function before(name: string, bytes: Buffer[], expected: string): Attack {
  return { name, state: 'upgraded', bytes: () => bytes, expected }
}

const control = ['close', 'ping', 'pong'] as const
const data = ['continuation', 'text', 'binary'] as const
const { text, binary, continuation, ping, pong } = OPCODES

const headers: Attack[] = [
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
    both(`S14 opcode ${opcode}`, [rawFrame({ opcode, payload: 'x' })], 'close 1002'),
  ),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => [
    ...both(`S18 RSV ${rsv} on text`, [rawFrame({ rsv, payload: HEALTH })], 'close 1002'),
    after(`S14 RSV ${rsv} on ping`, [rawFrame({ rsv, opcode: ping })], 'close 1002'),
    after(`S14 RSV ${rsv} on close`, [rawFrame({ rsv, opcode: OPCODES.close })], 'close 1002'),
  ]),
  ...[...control, ...data].flatMap((name) =>
    both(
      `S14 unmasked ${name}`,
      [rawFrame({ opcode: OPCODES[name], masked: false, fin: true })],
      'close 1002',
    ),
  ),
]

const controls: Attack[] = [
  ...control.flatMap((name) => {
    const opcode = OPCODES[name]
    return [
      ...both(`S14 ${name} in fragments`, [rawFrame({ opcode, fin: false })], 'close 1002'),
      ...[126, 1_000, 65_536].flatMap((size) =>
        both(
          `S14 ${name} of ${size} bytes`,
          [rawFrame({ opcode, payload: Buffer.alloc(size, 120) })],
          'close 1002',
        ),
      ),
      after(`S14 ${name}, long form`, [rawFrame({ opcode, form: 64, payload: 'x' })], 'close 1002'),
    ]
  }),
  ...[0, 1, 2, 50, 124, 125].flatMap((size) =>
    both(
      `S17 ping of ${size} bytes`,
      [rawFrame({ opcode: ping, payload: 'p'.repeat(size) })],
      `pong ${'p'.repeat(size)}`,
    ),
  ),
  ...both(
    'S17 a pong flood',
    Array.from({ length: 1_000 }, () => rawFrame({ opcode: pong })),
    'close 1008',
  ),
  ...both(
    'S17 a flood of empty pings in the midst of a message',
    [
      rawFrame({ fin: false, payload: '{' }),
      ...Array.from({ length: 1_000 }, () => rawFrame({ opcode: pong, payload: 'p' })),
    ],
    'close 1008',
  ),
]

const pieces: Attack[] = [
  ...[true, false].flatMap((fin) =>
    ['', 'x'].flatMap((payload) =>
      both(
        `S14 stray continuation, fin ${fin}, ${payload.length} bytes`,
        [rawFrame({ opcode: continuation, fin, payload })],
        'close 1002',
      ),
    ),
  ),
  ...[text, binary].flatMap((opcode) =>
    both(
      `S14 a message within a message, opcode ${opcode}`,
      [rawFrame({ fin: false, payload: '{' }), rawFrame({ opcode, payload: '}' })],
      'close 1002',
    ),
  ),
  ...[1, 2, 3, 5, 8, 16, 31].flatMap((size) => [
    before(`S13 connect in pieces of ${size} bytes`, fragments(CONNECT, size), 'res ok'),
    after(`S13 health in pieces of ${size} bytes`, fragments(HEALTH, size), 'res ok'),
    after(
      `S13 pongs between pieces of ${size} bytes`,
      fragments(HEALTH, size).flatMap((piece, n) =>
        n < 20 ? [rawFrame({ opcode: pong }), piece] : [piece],
      ),
      'res ok',
    ),
  ]),
  ...[1, 2, 5].map((size) =>
    after(
      `S13 every byte on its own, frame of ${size} fragments`,
      fragments(HEALTH, Math.ceil(HEALTH.length / size)).flatMap((piece) =>
        [...piece].map((byte) => Buffer.of(byte)),
      ),
      'res ok',
    ),
  ),
  after(
    'S13 100 empty pieces before the first byte',
    [
      rawFrame({ fin: false }),
      ...Array.from({ length: 100 }, () => rawFrame({ opcode: continuation, fin: false })),
      rawFrame({ opcode: continuation, payload: HEALTH }),
    ],
    'res ok',
  ),
  ...both(
    'S13 16,385 pieces of a byte',
    fragments('x'.repeat(limits.fragmentsMax + 1), 1),
    'close 1008',
  ),
  ...both(
    'S13 endless empty pieces',
    [
      rawFrame({ fin: false, payload: '{' }),
      ...Array.from({ length: limits.fragmentsMax }, () =>
        rawFrame({ opcode: continuation, fin: false }),
      ),
    ],
    'close 1008',
  ),
]

const over = BigInt(limits.preAuthFrameBytesMax) + 1n
const far = [2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n]

const lengths: Attack[] = [
  before('S11 64 KiB and a byte, declared', [rawFrame({ declared: over })], 'close 1009'),
  before(
    'S11 64 KiB and a byte in two pieces',
    fragments('x'.repeat(Number(over)), 40_000),
    'close 1009',
  ),
  after(
    'S12 25 MiB and a byte, declared',
    [rawFrame({ declared: BigInt(limits.frameBytesMax) + 1n })],
    'close 1009',
  ),
  after(
    'S12 25 MiB and a byte, declared by the last piece',
    [
      rawFrame({ fin: false, payload: 'xx' }),
      rawFrame({ opcode: continuation, declared: BigInt(limits.frameBytesMax) }),
    ],
    'close 1009',
  ),
  ...[...far, 2n ** 63n, 2n ** 64n - 1n].flatMap((declared) =>
    both(`S12 a length of ${declared}`, [rawFrame({ declared })], 'close 1009'),
  ),
  ...far.map((declared) =>
    after(
      `S12 a length of ${declared} for a ping`,
      [rawFrame({ opcode: ping, declared })],
      'close 1002',
    ),
  ),
  // Section 5.2 asks senders for the shortest form, and receivers for nothing.
  after('S12 a short text, 16 bits', [rawFrame({ form: 16, payload: HEALTH })], 'res ok'),
  after('S12 a short text, 64 bits', [rawFrame({ form: 64, payload: HEALTH })], 'res ok'),
]

const binaries: Attack[] = [
  ...['', '{}', CONNECT].flatMap((payload) =>
    both(
      `S20 binary of ${payload.length} bytes`,
      [rawFrame({ opcode: binary, payload })],
      'close 1003',
    ),
  ),
  ...both('S20 binary in pieces', fragments(CONNECT, 9, binary as 1), 'close 1003'),
  after('S22 msgpack', [rawFrame({ opcode: binary, payload: Buffer.of(0x81) })], 'close 1003'),
]

const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999]
const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
const close = (payload: Buffer) => [rawFrame({ opcode: OPCODES.close, payload })]

const closes: Attack[] = [
  ...[...VALID, 4000, 4999].map((code) =>
    after(`S16 close ${code}`, [closeFrame(code, 'bye')], `close ${code}`),
  ),
  ...INVALID.flatMap((code) => both(`S16 close ${code}`, [closeFrame(code)], 'close 1002')),
  ...both('S16 close without a code', close(Buffer.alloc(0)), 'close 1005'),
  ...both('S16 close with one byte', close(Buffer.of(3)), 'close 1002'),
  after('S16 a reason of 123 bytes', [closeFrame(1000, 'x'.repeat(123))], 'close 1000'),
  after('S16 a reason of 124 bytes', [closeFrame(1000, 'x'.repeat(124))], 'close 1002'),
  after('S16 a reason in other letters', [closeFrame(1000, 'žluť 🦫')], 'close 1000'),
  ...['ff', 'c080', 'eda080', 'f4908080', 'e282'].map((hex) =>
    after(
      `S16 a reason with the bytes ${hex}`,
      [closeFrame(1000, Buffer.from(hex, 'hex'))],
      'close 1007',
    ),
  ),
  after('S16 a request behind a close', [closeFrame(1000), rawFrame()], 'close 1000'),
]

attackSuite('frames', [...headers, ...controls, ...pieces, ...lengths, ...binaries, ...closes], 230)
