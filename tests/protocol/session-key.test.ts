/**
 * Session keys: accepted spellings, refusals, and that no two peers share a key.
 */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import {
  canonicalSessionKey,
  decodePart,
  directSessionKey,
  encodePart,
  formatSessionKey,
  parseSessionKey,
  roomSessionKey,
} from '../../protocol/session-key.ts'

const key = suite('session key')

key('SK1 every accepted spelling has one canonical form', () => {
  const spellings: readonly (readonly [string | undefined, string])[] = [
    [undefined, 'agent:main:main'],
    ['main', 'agent:main:main'],
    ['agent:main', 'agent:main:main'],
    ['Agent:Main:MAIN', 'agent:main:main'],
    ['agent:work', 'agent:work:main'],
    ['agent:main:whatsapp:dm:+86138000000', 'agent:main:whatsapp:direct:+86138000000'],
    ['agent:main:irc:home:dm:bob', 'agent:main:irc:home:direct:bob'],
    ['agent:main:dm:bob', 'agent:main:direct:bob'],
    ['agent:main:irc:direct:dm', 'agent:main:irc:direct:dm'],
    ['agent:main:direct:dm:thread:5', 'agent:main:direct:dm:thread:5'],
    ['agent:main:irc:channel:#home', 'agent:main:irc:channel:#home'],
    ['agent:main:cron:backup:run:7', 'agent:main:cron:backup:run:7'],
    ['cron:backup', 'agent:main:cron:backup'],
    ['agent:main:dm', 'agent:main:dm'],
    ['agent:main:cron:a:b:dm:c', 'agent:main:cron:a:b:dm:c'],
  ]

  for (const [text, canonical] of spellings) assert.is(canonicalSessionKey(text), canonical, text)
})

key('SK2 what is outside the grammar is refused with its path', () => {
  const bad = [
    '',
    ':',
    'agent',
    'agent:',
    'agent::main',
    'agent:main:',
    'agent:main: ',
    'agent:../x:main',
    'agent:main:a/b',
    'agent:main:a\\b',
    'agent:main:a..b',
    'agent:main:__proto__',
    'agent:__proto__:main',
    'agent:main:Constructor:x',
    'agent:main:prototype',
    'agent:main:a\nb',
    'agent:main:a\u0000',
    'agent:main:a\u2028b',
    'agent:main:a\u202eb',
    'agent:-x:main',
    `agent:main:${'x'.repeat(limits.sessionKeyBytesMax)}`,
    `agent:main:${'é'.repeat(limits.sessionKeyBytesMax / 2 - 4)}`,
  ]

  for (const text of bad) {
    assert.throws(
      () => canonicalSessionKey(text),
      (thrown: unknown) =>
        thrown instanceof GatewayError &&
        thrown.code === 'INVALID_REQUEST' &&
        thrown.details['path'] === 'sessionKey',
      JSON.stringify(text),
    )
  }
})

key('SK3 a key of exactly the limit is accepted', () => {
  const text = `agent:main:${'x'.repeat(limits.sessionKeyBytesMax - 11)}`

  assert.is(canonicalSessionKey(text), text)
})

key('SK4 a key is taken apart into channel, account, peer and thread', () => {
  const direct = parseSessionKey('agent:main:irc:home:direct:bob%5cx:thread:5')
  const room = parseSessionKey('agent:main:irc:channel:#home')
  const main = parseSessionKey()

  assert.equal(
    [direct.channel, direct.account, direct.peerKind, direct.peer, direct.thread],
    ['irc', 'home', 'direct', 'bob\\x', '5'],
  )
  assert.equal(
    [room.channel, room.account, room.peerKind, room.peer],
    ['irc', null, 'channel', '#home'],
  )
  assert.equal([main.channel, main.peerKind, main.peer, main.thread], [null, null, null, null])
})

key('SK5 each scope keeps apart what it names, and no more', () => {
  const bob = { channel: 'irc', account: 'home', peer: 'bob' }

  assert.is(directSessionKey('main', 'main', bob), 'agent:main:main')
  assert.is(directSessionKey('main', 'per-peer', bob), 'agent:main:direct:bob')
  assert.is(directSessionKey('main', 'per-channel-peer', bob), 'agent:main:irc:direct:bob')
  assert.is(
    directSessionKey('main', 'per-account-channel-peer', bob),
    'agent:main:irc:home:direct:bob',
  )
})

key('SK6 names from IRC survive the way into a key and back', () => {
  for (const nick of [
    'b[o]b',
    'b\\ob',
    'b`^{|}_-',
    'a:b',
    'A',
    '%41',
    '..',
    '...',
    '__proto__',
    'ß İ',
  ]) {
    const text = directSessionKey('main', 'per-channel-peer', {
      channel: 'irc',
      account: 'x',
      peer: nick,
    })

    assert.is(parseSessionKey(text).peer, nick)
    assert.is(canonicalSessionKey(text), text)
  }
  assert.is(roomSessionKey('main', 'irc', 'channel', '#home'), 'agent:main:irc:channel:#home')
})

key('SK7 an account named like a word of the grammar makes no room', () => {
  const from = { channel: 'irc', account: 'group', peer: 'thread' }
  const text = directSessionKey('main', 'per-account-channel-peer', from)

  assert.equal(parseSessionKey(text).peerKind, 'direct')
  assert.equal(parseSessionKey(text).account, 'group')
})

key('SK8 an empty name and half a character are refused', () => {
  for (const peer of ['', '\ud800']) {
    const from = { channel: 'irc', account: 'x', peer }
    assert.throws(() => directSessionKey('main', 'per-peer', from), /sessionKey/)
    assert.throws(() => directSessionKey('main', 'main', from), /sessionKey/)
  }
})

const anyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  fc.constantFrom('__proto__', 'dm', 'direct', 'a..b', '%2e', '.%2e', 'Σ', 'ς', 'İ', 'K'),
)

key('SK9 (property) encoding is reversible and canonical', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const part = encodePart(name)
      assert.is(decodePart(part), name)
      assert.is(part.toLowerCase(), part)
    }),
    { numRuns: 500 },
  )
})

key('SK10 (property) distinct peers, rooms and accounts have distinct keys', () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, (one, two, account) => {
      fc.pre(one !== two)
      const keyOf = (from: { account: string; peer: string }): string =>
        directSessionKey('main', 'per-account-channel-peer', { channel: 'irc', ...from })
      assert.is.not(keyOf({ account, peer: one }), keyOf({ account, peer: two }))
      assert.is.not(keyOf({ account: one, peer: account }), keyOf({ account: two, peer: account }))
      const room = roomSessionKey('main', 'irc', 'group', one)
      assert.is.not(room, roomSessionKey('main', 'irc', 'group', two))
      assert.is.not(
        room,
        directSessionKey('main', 'per-channel-peer', { channel: 'irc', account, peer: one }),
      )
    }),
    { numRuns: 300 },
  )
})

key('SK11 (property) canonical is idempotent, and a refusal is always a GatewayError', () => {
  const word = fc.oneof(
    fc.constantFrom('agent', 'main', 'DM', 'direct', 'irc', 'İx', '#a'),
    fc.string({ maxLength: 6 }),
  )
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
      let canonical: string
      try {
        canonical = canonicalSessionKey(words.join(':'))
      } catch (thrown) {
        assert.instance(thrown, GatewayError)
        return
      }
      assert.is(canonicalSessionKey(canonical), canonical)
      assert.is(formatSessionKey(parseSessionKey(canonical)), canonical)
    }),
    { numRuns: 1_000 },
  )
})

key.run()
