/** Masks: what is a secret or tells of a person is overwritten, what only looks so is not. */
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { DETECTOR_NAMES, maskBytes, maskText } from '../../../protocol/history/mask.ts'
import { cases } from '../../store/cases.ts'

const mask = cases('mask')
const encode = (text: string) => new TextEncoder().encode(text)
const bytesOf = (text: string) => encode(text).length

// Put together at run time, so that no scanner takes a test for a leak.
const joined = (...parts: string[]) => parts.join('')
const STAR = 0x2a
const A36 = 'A1b2'.repeat(9)

/** detector, text, the part that must be gone */
const SEEN: readonly (readonly [string, string, string])[] = [
  ['pem', '-----BEGIN PRIVATE KEY-----\nMIIBVQ==\n-----END PRIVATE KEY-----', 'MIIBVQ'],
  ['pem', 'cut: -----BEGIN EC PRIVATE KEY-----\nMIIBVQ', 'MIIBVQ'],
  ['jwt', 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3 back', 'eyJhbGciOiJIUzI1NiJ9'],
  ['url credentials', 'clone https://ann:s3cr3t@example.org/x', 's3cr3t'],
  ['url secret', 'GET https://x.test/a?b=1&access_token=abc.def', 'abc.def'],
  ['bearer', 'Authorization: Bearer abcdefgh.ijkl', 'abcdefgh.ijkl'],
  ['aws key', joined('id AK', 'IAIOSFODNN7EXAMPLE.'), 'IOSFODNN7EXAMPLE'],
  ['github token', joined('gh', 'p_', A36), A36],
  ['anthropic key', joined('sk-', 'ant-api03-', A36), A36],
  ['openai key', joined('sk-', 'proj-', A36), A36],
  ['slack token', joined('xox', 'b-123456789012-abcdef'), '123456789012'],
  ['telegram token', joined('12345678', '9:AAE', 'x'.repeat(32)), 'AAExxx'],
  ['google key', joined('AI', 'za', 'b'.repeat(35)), 'bbbb'],
  ['named secret', 'password: hunter2xyz', 'hunter2xyz'],
  ['named secret', "{'api_key' = 'q9z8y7'}", 'q9z8y7'],
  ['named secret', 'the password is swordfish', 'swordfish'],
  ['e-mail', 'write to ann.b+c@mail.example.org today', 'ann.b+c@mail.example.org'],
  ['iban', 'pay DE89 3704 0044 0532 0130 00 soon', '3704 0044'],
  ['iban', 'pay gb82west12345698765432.', 'west1234'],
  ['card', 'card 4111 1111 1111 1111 ok', '4111 1111'],
  ['phone', 'call +49 171 2345678 now', '171 2345678'],
  ['phone', 'call (555) 123-4567 now', '123-4567'],
  ['ipv4', 'from 192.168.1.17 today', '192.168.1.17'],
  ['ipv6', 'from fe80::1ff:fe23:4567:890a today', 'fe23'],
  ['long hex', `digest ${'0a1b'.repeat(10)}`, '0a1b0a1b'],
  ['long base64', `blob ${'Qx7/'.repeat(12)}==`, 'Qx7/Qx7/'],
]

for (const [detector, text, part] of SEEN) {
  mask(`IM1 ${detector} is covered: ${text.slice(0, 24).replaceAll('\n', ' ')}`, () => {
    const { text: masked, found } = maskText(text)

    assert.ok(found[detector], JSON.stringify(found))
    assert.not.ok(masked.includes(part), masked)
    assert.is(bytesOf(masked), bytesOf(text))
  })
}

mask('IM1 every detector is shown here', () => {
  assert.ok(DETECTOR_NAMES.length >= 14)
  assert.equal(
    DETECTOR_NAMES.filter((name) => !SEEN.some(([seen]) => seen === name)),
    [],
  )
})

const INNOCENT = [
  'see you at 10:30:31 on 2026-11-22',
  'version 1.2.3 of 2026',
  'the keyboard and the monkey',
  'IBAN GB82 WEST 1234 5698 7654 33 is mistyped',
  'number 4111 1111 1111 1112 is no card',
  'the token is on the table'.slice(0, 9),
  'internationalizationalities-and-longer-words-of-that-kind',
  'agent:main:irc:direct:bob',
]

for (const text of INNOCENT) {
  mask(`IM2 left alone: ${text}`, () => {
    assert.equal(maskText(text), { text, found: {} })
  })
}

mask('IM3 any text keeps its length in bytes, and masking again changes no letter back', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom(...SEEN.map(([, text]) => text)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join(' ').toWellFormed()
      const masked = maskText(text).text
      const again = maskText(masked).text
      assert.is(bytesOf(masked), bytesOf(text))
      assert.is(bytesOf(again), bytesOf(masked))
      const twice = encode(again)
      for (const [at, byte] of encode(masked).entries()) {
        if (byte === STAR) assert.is(twice[at], STAR, masked)
      }
    }),
    { numRuns: 200, seed: 7 },
  )
})

mask('IM3 what is no text is covered whole', () => {
  const { bytes, found } = maskBytes(Uint8Array.of(0xff, 0xfe, 0x00, 0x80))

  assert.equal([...bytes], [0x2a, 0x2a, 0x2a, 0x2a])
  assert.equal(found, { binary: 1 })
})

const NASTY: readonly (readonly [string, string])[] = [
  ['letters', 'a'],
  ['digits', '1'],
  ['digits and spaces', '1 '],
  ['digits and dashes', '12-'],
  ['colons', 'a:'],
  ['dots', '1.'],
  ['at signs', 'a@'],
  ['mail without end', 'a.a@a.'],
  ['begins of keys', '-----BEGIN A KEY-----'],
  ['begins of tokens', '.eyJ'],
  ['begins of urls', '://a:'],
  ['passwords', 'password is '],
  ['key names', 'key=key:'],
  ['ibans', 'DE89 3'],
  ['slashes', 'aA1/'],
  ['spaces behind a name', 'token     '],
]

for (const [name, piece] of NASTY) {
  mask(`IM4 time grows with the text: ${name}`, () => {
    const time = (bytes: number) => {
      const text = piece.repeat(Math.ceil(bytes / piece.length))
      const start = process.cpuUsage()
      maskText(text)
      return process.cpuUsage(start).user / 1_000
    }
    time(20_000)

    const long = time(400_000)

    assert.ok(long < 2_500, `${long} ms for 400 kB`)
  })
}

mask.run()
