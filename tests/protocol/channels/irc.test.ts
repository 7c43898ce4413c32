/**
 * IRC's words: folding, splitting, addressing, formatting, messages, lines.
 */
import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createLineReader,
  foldIrc,
  ircTextBytesMax,
  type IrcPayload,
  isIrcRoom,
  isIrcTarget,
  parseCaseMapping,
  parseIrcMessage,
  readAddress,
  splitIrcText,
  stripFormatting,
} from '../../../protocol/channels/irc.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'

const irc = suite('irc words')

irc('I1 names fold as their server folds them', () => {
  assert.is(foldIrc('Bob[]\\~'), 'bob{}|^')
  assert.is(foldIrc('Bob[]\\~', 'rfc1459-strict'), 'bob{}|~')
  assert.is(foldIrc('Bob[]\\~', 'ascii'), 'bob[]\\~')
  assert.is(foldIrc('Äİ\u212a'), 'Äİ\u212a') // Only ASCII folds: a Kelvin sign is no k.
  assert.is(parseCaseMapping('rfc7613'), 'ascii')
  assert.is(parseCaseMapping('rfc1459'), 'rfc1459')
})

irc('I2 a target is one nick or one room', () => {
  for (const target of ['bob', '#home', '&local', '@#home', 'b[o]b', 'é'])
    assert.ok(isIrcTarget(target), target)
  const bad = [
    '',
    ' ',
    'a b',
    'a,b',
    ':a',
    '$*.org',
    'a\r\nQUIT',
    'a\0',
    'a\u00a0b',
    'x'.repeat(129),
  ]
  for (const target of bad) assert.not.ok(isIrcTarget(target), JSON.stringify(target))
  assert.ok(isIrcRoom('#home') && isIrcRoom('@#home'))
  assert.not.ok(isIrcRoom('bob'))
})

irc('I3 a text becomes lines at its line breaks, without empty ones', () => {
  assert.equal(splitIrcText('a\n\n b \r\nc\rd\u2028e\n \n'), ['a', ' b', 'c', 'd', 'e'])
  assert.equal(splitIrcText('\u0001VERSION\u0001\0'), ['VERSION'])
  assert.equal(splitIrcText(' \r\n\0'), [])
})

irc('I4 a long line is cut at a space, else between code points', () => {
  const words = splitIrcText('word '.repeat(200))
  const emoji = splitIrcText('😀'.repeat(200))

  assert.ok(words.every((line) => /^(?:word ?)+$/.test(line) && !line.endsWith(' ')))
  assert.is(words.join(' '), 'word '.repeat(200).trim())
  assert.is(emoji.join(''), '😀'.repeat(200))
  assert.ok(emoji.every((line) => Buffer.byteLength(line) <= limits.ircLineBytesMax))
  assert.equal(splitIrcText('x'.repeat(350)), ['x'.repeat(350)])
  assert.equal(splitIrcText(`${'x'.repeat(350)} y`), ['x'.repeat(350), 'y'])
  assert.equal(
    splitIrcText('x'.repeat(351)).map((line) => line.length),
    [350, 1],
  )
})

irc('I16 a line leaves room for what the server puts before it', () => {
  assert.is(ircTextBytesMax('heron', '#home'), limits.ircLineBytesMax)
  assert.is(ircTextBytesMax('n'.repeat(30), `#${'r'.repeat(49)}`), 512 - 170)
  assert.equal(splitIrcText('aaa bbb ccc', 7), ['aaa bbb', 'ccc'])
})

irc('I5 too many lines end with a line that says so', () => {
  const lines = splitIrcText('x\n'.repeat(100))

  assert.is(lines.length, limits.ircLinesMax)
  assert.is(lines.at(-1), '[71 more lines were not sent]')
})

irc('I6 (property) no line is empty, too long or holds a line end, and no letter is lost', () => {
  const unit = fc.oneof(
    fc.constantFrom(' ', '  ', '\n', '\r', '\0', '\u0001', '😀', 'é', 'word'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 200 }), (units) => {
      const text = units.join('')
      const lines = splitIrcText(text)
      for (const line of lines) {
        assert.ok(line.trim() !== '' && Buffer.byteLength(line) <= limits.ircLineBytesMax)
        assert.not.ok(['\r', '\n', '\0', '\u0001'].some((end) => line.includes(end)))
      }
      const letters = (value: string): string => value.replaceAll(/[\s\p{Cc}]/gu, '')
      if (lines.length < limits.ircLinesMax) assert.is(letters(lines.join('')), letters(text))
    }),
    { numRuns: 300 },
  )
})

irc('I7 a leading address is taken off; a mention elsewhere stays', () => {
  const cases: readonly (readonly [string, boolean, string])[] = [
    ['heron: hi', true, 'hi'],
    ['HERON, hi', true, 'hi'],
    ['@heron hi', true, 'hi'],
    ['@heron: hi', true, 'hi'],
    ['heron:hi', true, 'hi'],
    ['heron hi', true, 'heron hi'],
    ['hello heron!', true, 'hello heron!'],
    ['heron:', true, 'heron:'],
    ['@heron', true, '@heron'],
    ['herons fly', false, 'herons fly'],
    ['heron2: hi', false, 'heron2: hi'],
    ['[heron]: hi', false, '[heron]: hi'],
    ['grünheron', false, 'grünheron'],
    ['the-heron', false, 'the-heron'],
    ['hi', false, 'hi'],
  ]

  for (const [text, mentioned, rest] of cases) {
    assert.equal(readAddress(text, 'heron'), { mentioned, text: rest }, text)
  }
  assert.equal(readAddress('B[O]T: x', 'b{o}t'), { mentioned: true, text: 'x' })
  assert.equal(readAddress('B[O]T: x', 'b{o}t', 'ascii').mentioned, false)
  assert.equal(readAddress('x', '').mentioned, false)
})

irc('I8 formatting codes are taken out, tabs stay', () => {
  const text =
    '\u0002bold\u000f \u00034,12red\u0003 \u000304x \u0004ff0000hex\u0016\u001d\u001f a\tb\u0007'

  assert.is(stripFormatting(text), 'bold red x hex a\tb')
  assert.is(stripFormatting('\u00031,2,3'), ',3')
})

const facts = {
  nick: 'Heron',
  mapping: 'rfc1459' as const,
  arrivalId: 'n:1',
  identity: 'nick' as const,
}

function payload(change: Partial<IrcPayload> = {}): IrcPayload {
  return {
    nick: 'Bob[1]',
    target: '#Home',
    text: 'heron: hi',
    action: false,
    tags: new Map(),
    ...change,
  }
}

irc('I9 a message of a room names room, writer and what was said to us', () => {
  const tags = new Map([
    ['msgid', 'abc'],
    ['time', '2026-01-02T03:04:05.678Z'],
  ])

  assert.equal(parseIrcMessage(payload({ tags }), facts), {
    messageId: 'abc',
    peer: 'channel',
    senderId: 'bob{1}',
    senderName: 'Bob[1]',
    roomId: '#home',
    replyTarget: '#Home',
    mentioned: true,
    text: 'hi',
    sentAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  })
})

irc('I10 a direct message is a room of its sender, and always addressed to us', () => {
  const message = parseIrcMessage(payload({ target: 'HERON', text: '\u0002hello\u0002' }), facts)

  assert.equal(
    [message?.peer, message?.roomId, message?.replyTarget, message?.mentioned, message?.text],
    ['direct', 'bob{1}', 'Bob[1]', true, 'hello'],
  )
  assert.is(message?.messageId, 'n:1')
  assert.is(message?.sentAt, null)
})

irc('I11 a message to operators only is another room than the room itself', () => {
  const message = parseIrcMessage(payload({ target: '@#Home' }), facts)

  assert.equal(
    [message?.roomId, message?.replyTarget, message?.peer],
    ['@#home', '@#Home', 'channel'],
  )
})

irc('I12 our own echo, servers, strangers to the target and empty texts are nothing', () => {
  assert.is(parseIrcMessage(payload({ nick: 'HERON' }), facts), null)
  assert.is(parseIrcMessage(payload({ nick: 'irc.test.local' }), facts), null)
  assert.is(parseIrcMessage(payload({ nick: '' }), facts), null)
  assert.is(parseIrcMessage(payload({ target: 'someone' }), facts), null)
  assert.is(parseIrcMessage(payload({ text: ' \u0002\u0002 ' }), facts), null)
})

irc('I13 an action is told as one, and a false time is none', () => {
  const message = parseIrcMessage(
    payload({
      action: true,
      text: 'waves at heron',
      tags: new Map([
        ['time', 'soon'],
        ['msgid', ''],
      ]),
    }),
    facts,
  )

  assert.is(message?.text, '* Bob[1] waves at heron')
  assert.is(message?.mentioned, true)
  assert.is(message?.sentAt, null)
  assert.is(message?.messageId, 'n:1')
})

irc(
  'I16 an account is somebody else than the nick of that name, and only where it is asked for',
  () => {
    const tags = new Map([['account', 'Ann']])
    const byAccount = { ...facts, identity: 'account' as const }
    const sender = (change: Partial<IrcPayload>, given: typeof byAccount | typeof facts) =>
      parseIrcMessage(payload({ nick: 'Heron2', target: '#Home', ...change }), given)?.senderId

    assert.is(sender({ tags }, byAccount), 'account:ann')
    assert.is(sender({ nick: 'ann' }, byAccount), 'ann')
    assert.is(sender({ tags }, facts), 'heron2')
    assert.is(sender({ tags: new Map([['account', '']]) }, byAccount), 'heron2')
  },
)

irc('I14 lines come together over any borders of chunks', () => {
  const bytes = Buffer.from('PING :é😀\r\n\r\n:a\nb')
  for (let size = 1; size <= bytes.length; size += 1) {
    const reader = createLineReader()
    const lines: string[] = []

    for (let at = 0; at < bytes.length; at += size)
      lines.push(...reader.read(bytes.subarray(at, at + size)))

    assert.equal(lines, ['PING :é😀', ':a'], `chunks of ${size}`)
  }
  assert.equal(createLineReader().read(Buffer.from([0xff, 0x41, 0x0a])), ['\ufffdA'])
})

irc('I15 a line without an end is refused', () => {
  const reader = createLineReader()
  const flood = (): void => {
    for (let count = 0; count < 20; count += 1) reader.read(Buffer.alloc(1_024, 'x'))
  }

  assert.throws(
    flood,
    (thrown: unknown) => thrown instanceof GatewayError && thrown.code === 'PAYLOAD_TOO_LARGE',
  )
})

irc.run()
