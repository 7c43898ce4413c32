/**
 * Texts that are not what they should be: UTF-8, JSON, and the fields of a request (S15, S21, S24,
 * S45).
 */
import '../../actors/trap.ts'
import { limits } from '../../protocol/limits.ts'
import { type Attack, attackSuite } from '../support/attacks.ts'
import { fragments, OPCODES, rawFrame, request } from '../support/raw-socket.ts'

const INVALID: Readonly<Record<string, string>> = {
  'a stray continuation': '80',
  'the last stray continuation': 'bf',
  'an overlong slash': 'c0af',
  'an overlong NUL': 'c080',
  'an overlong DEL': 'c1bf',
  'an overlong of three': 'e09f bf',
  'an overlong NUL of three': 'e08080',
  'an overlong of four': 'f08fbfbf',
  'an overlong NUL of four': 'f0808080',
  'a high surrogate': 'eda080',
  'a low surrogate': 'edbfbf',
  'a pair of surrogates': 'eda080edb080',
  'beyond the last character': 'f4908080',
  'five bytes': 'f888808080',
  'six bytes': 'fc8480808080',
  'the byte fe': 'fe',
  'the byte ff': 'ff',
  'two bytes cut': 'c222',
  'three bytes cut': 'e28222',
  'four bytes cut': 'f09f9822',
}

const VALID: Readonly<Record<string, string>> = {
  'two bytes': '\u00e9',
  'three bytes': '\u20ac',
  'four bytes': '\u{1f9ab}',
  'the first of two': '\u0080',
  'the first of three': '\u0800',
  'before the surrogates': '\ud7ff',
  'behind the surrogates': '\ue000',
  'no character': '\uffff',
  'the first of four': '\u{10000}',
  'the last of all': '\u{10ffff}',
}

const utf8: Attack[] = [
  ...Object.entries(INVALID).flatMap(([name, hex]): Attack[] => {
    const bad = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    const bytes = Buffer.concat([
      Buffer.from('{"type":"req","id":"health#'),
      bad,
      Buffer.from('"}'),
    ])
    const whole = [rawFrame({ payload: bytes })]
    const pieces = fragments(bytes, 28)
    return [
      {
        name: `S15 ${name}, before`,
        state: 'upgraded',
        bytes: () => whole,
        expected: 'close 1007',
      },
      {
        name: `S15 ${name}, after`,
        state: 'connected',
        bytes: () => whole,
        expected: 'close 1007',
      },
      {
        name: `S15 ${name}, split`,
        state: 'connected',
        bytes: () => pieces,
        expected: 'close 1007',
      },
    ]
  }),
  ...Object.entries(VALID).flatMap(([name, char]): Attack[] => {
    const payload = request(`health#${char}`)
    return [1, 28, 29, 30].map((size) => ({
      name: `S15 ${name}, in pieces of ${size} bytes`,
      state: 'connected',
      bytes: () => fragments(payload, size),
      expected: 'res ok',
    }))
  }),
]

const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const params = (json: string): string => `{"type":"req","id":"health#x","params":${json}}`
const manyKeys = (count: number): string =>
  `{${Array.from({ length: count }, (_, n) => `"k${n}":0`).join(',')}}`

const JSONS: readonly [string, string, string][] = [
  ['S21 an empty text', '', 'FRAME_INVALID'],
  ['S21 a space', ' ', 'FRAME_INVALID'],
  ['S21 a NUL', '\0', 'FRAME_INVALID'],
  ['S21 a byte order mark', `\ufeff${request('health')}`, 'FRAME_INVALID'],
  ['S21 null', 'null', 'FRAME_INVALID'],
  ['S21 a number', '1', 'FRAME_INVALID'],
  ['S21 a string', '"health"', 'FRAME_INVALID'],
  ['S21 an array', '[]', 'FRAME_INVALID'],
  ['S21 half an object', '{"type":"req"', 'FRAME_INVALID'],
  ['S21 two objects', `${request('health')}${request('health')}`, 'FRAME_INVALID'],
  ['S21 a comment', `/**/${request('health')}`, 'FRAME_INVALID'],
  ['S21 a trailing comma', '{"type":"req","id":"health",}', 'FRAME_INVALID'],
  ['S21 NaN', params('{"probe":NaN}'), 'FRAME_INVALID'],
  ['S21 1e400 as a flag', params('{"probe":1e400}'), 'INVALID_REQUEST'],
  ['S21 depth over the bound', params(deep(limits.frameDepthMax + 1)), 'FRAME_INVALID'],
  ['S21 depth 10,000', params(deep(10_000)), 'FRAME_INVALID'],
  ['S21 arrays 10,000 deep', params(`${'['.repeat(10_000)}${']'.repeat(10_000)}`), 'FRAME_INVALID'],
  ['S21 a million keys', params(manyKeys(1_000_000)), 'FRAME_INVALID'],
  ['S21 a high surrogate alone', params('{"probe":"\\ud800"}'), 'FRAME_INVALID'],
  ['S21 a low surrogate as a key', params('{"\\udc00":1}'), 'FRAME_INVALID'],
  ['S21 __proto__ as a parameter', params('{"__proto__":{"probe":true}}'), 'INVALID_REQUEST'],
  ['S21 constructor as a parameter', params('{"constructor":1}'), 'INVALID_REQUEST'],
  ['S25 toString as a parameter', params('{"toString":1}'), 'INVALID_REQUEST'],
  ['S25 toString within a parameter', params('{"probe":{"toString":1}}'), 'INVALID_REQUEST'],
  ['S21 a key twice, the last wrong', params('{"probe":true,"probe":1}'), 'INVALID_REQUEST'],
  ['S45 an id that is a number', '{"type":"req","id":1}', 'FRAME_INVALID'],
  ['S45 an id that is an array', '{"type":"req","id":["health"]}', 'FRAME_INVALID'],
  ['S45 an id that is null', '{"type":"req","id":null}', 'FRAME_INVALID'],
  ['S45 no id', '{"type":"req"}', 'FRAME_INVALID'],
  ['S45 an empty id', '{"type":"req","id":""}', 'FRAME_INVALID'],
  ['S45 a huge id', `{"type":"req","id":"health#${'x'.repeat(65_536)}"}`, 'FRAME_INVALID'],
  ['S45 an id with half a character', '{"type":"req","id":"health#\\ud800"}', 'FRAME_INVALID'],
  ['S24 an unknown method', request('nonsense'), 'UNKNOWN_METHOD'],
  ['S24 toString as a method', request('toString'), 'UNKNOWN_METHOD'],
  ['S24 __proto__ as a method', request('__proto__'), 'UNKNOWN_METHOD'],
  ['S24 a method with NUL', request('health\0'), 'UNKNOWN_METHOD'],
  ['S24 a method in capitals', request('HEALTH'), 'UNKNOWN_METHOD'],
  ['S24 no method but a correlation', request('#health'), 'UNKNOWN_METHOD'],
  ['S21 type res', '{"type":"res","id":"health"}', 'FRAME_INVALID'],
  ['S21 type event', '{"type":"event","event":"tick"}', 'FRAME_INVALID'],
  ['S21 params that are an array', params('[]'), 'FRAME_INVALID'],
  ['S21 params that are null', params('null'), 'FRAME_INVALID'],
  ['S08 connect once more', request('connect', { deviceId: 'raw' }), 'INVALID_REQUEST'],
]

const json: Attack[] = [
  ...JSONS.map(([name, text, code]): Attack => ({
    name,
    state: 'connected',
    bytes: () => [rawFrame({ payload: text })],
    expected: `res ${code}`,
  })),
  ...JSONS.filter(([name]) => !name.startsWith('S08') && !name.startsWith('S21 a million')).map(
    ([name, text]): Attack => ({
      name: `${name}, before connect`,
      state: 'upgraded',
      bytes: () => [rawFrame({ payload: text })],
      // Over 64 KiB nothing is read; all else is answered, and the close follows.
      expected: Buffer.byteLength(text) > limits.preAuthFrameBytesMax ? 'close 1009' : answer(text),
    }),
  ),
  {
    name: 'S21 S42 more keys than any connect has, before connect',
    state: 'upgraded',
    bytes: () => {
      const keys = manyKeys(limits.preAuthFrameKeysMax)
      const text = `{"type":"req","id":"connect","params":${keys}}`
      return [rawFrame({ payload: text })]
    },
    expected: 'res FRAME_INVALID',
  },
  {
    name: 'S08 two frames before connect is judged',
    state: 'upgraded',
    bytes: () => {
      const frame = rawFrame({ payload: request('connect', { deviceId: 'raw' }) })
      return [frame, frame]
    },
    expected: 'res INVALID_REQUEST',
  },
  {
    name: 'S08 a ping is no connect, and no fault either',
    state: 'upgraded',
    bytes: () => [
      rawFrame({ opcode: OPCODES.pong }),
      rawFrame({ payload: request('connect', { deviceId: 'raw', subscribe: [] }) }),
    ],
    expected: 'res ok',
  },
]

// Before connect a frame that is well formed is refused for not being connect.
function answer(text: string): string {
  const wellFormed = JSONS.find(([, row]) => row === text)?.[2] !== 'FRAME_INVALID'
  return wellFormed ? 'res INVALID_REQUEST' : 'res FRAME_INVALID'
}

attackSuite('frames of text', [...utf8, ...json], 181)
