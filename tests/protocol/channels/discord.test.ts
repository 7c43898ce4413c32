/** Discord's words: dispatches, targets, nonces, cursors. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  discordNonce,
  formatDiscordCursor,
  inThread,
  parentOfThread,
  parseDiscordCursor,
  parseDiscordMessage,
  parseDiscordTarget,
  splitDiscordText,
} from '../../../protocol/channels/discord.ts'
import { limits } from '../../../protocol/limits.ts'

const discord = suite('discord words')
const BOT = '7700'

const written = (changes: object = {}): object => ({
  id: '175928847299117063',
  type: 0,
  channel_id: '900',
  author: { id: '501', username: 'ann', global_name: 'Ann' },
  content: 'hello',
  mentions: [],
  ...changes,
})
const GUILD = { guild_id: '40', channel_id: '41' }

discord('DC1 a direct message is a room of its sender, by number, at its own time', () => {
  assert.equal(parseDiscordMessage(written(), BOT), {
    messageId: '175928847299117063',
    peer: 'direct',
    senderId: '501',
    senderName: 'Ann',
    roomId: '501',
    replyTarget: 'user:501',
    mentioned: true,
    text: 'hello',
    sentAt: 1_462_015_105_796,
  })
})

discord(
  'DC2 in a guild a mention and an answer to us are meant for us; a role or all are not',
  () => {
    const read = (changes: object): unknown[] => {
      const message = parseDiscordMessage(written({ ...GUILD, ...changes }), BOT)
      return [message?.mentioned, message?.text]
    }
    const named = { mentions: [{ id: BOT }] }

    assert.equal(read({}), [false, 'hello'])
    assert.equal(read({ ...named, content: '<@7700>: tea?' }), [true, 'tea?'])
    assert.equal(read({ ...named, content: '<@!7700>' }), [true, '<@!7700>'])
    assert.equal(read({ ...named, content: 'late, <@7700>?' }), [true, 'late, <@7700>?'])
    assert.equal(read({ mentions: [{ id: '7701' }], content: '<@7701> x' }), [false, '<@7701> x'])
    assert.equal(read({ mention_everyone: true, mentions: 'x' }), [false, 'hello'])
    assert.equal(read({ type: 19, referenced_message: { author: { id: BOT } } }), [true, 'hello'])
    assert.equal(read({ type: 19, referenced_message: null }), [false, 'hello'])
  },
)

discord('DC3 a guild is the space of its channels, a thread a conversation within one', () => {
  const message = parseDiscordMessage(written(GUILD), BOT)
  assert.ok(message)
  assert.equal(
    [message.peer, message.roomId, message.spaceId, message.replyTarget],
    ['channel', '41', 'guild:40', 'channel:41'],
  )

  const thread = inThread(message, '39')
  assert.equal([thread.roomId, thread.threadId, thread.replyTarget], ['39', '41', 'channel:41'])
  assert.is(parentOfThread({ type: 11, parent_id: '39' }), '39')
  assert.is(parentOfThread({ type: 0, parent_id: '39' }), null, 'a category')
  assert.is(parentOfThread(null), null)
})

discord('DC4 what is no message of a person is none, whatever it looks like', () => {
  for (const nothing of [
    null,
    {},
    written({ content: '  ' }),
    written({ content: undefined }),
    written({ type: 7 }),
    written({ author: { id: BOT } }),
    written({ author: { id: '9', bot: true } }),
    written({ webhook_id: '5' }),
    written({ id: 5 }),
    written({ channel_id: '../1' }),
    written({ author: null }),
  ]) {
    assert.is(parseDiscordMessage(nothing, BOT), null, JSON.stringify(nothing))
  }
  fc.assert(fc.property(fc.object(), (anything) => void parseDiscordMessage(anything, BOT)))
})

discord('DC5 targets say whether they are a person or a channel, and nothing else', () => {
  assert.equal(parseDiscordTarget('user:501'), { kind: 'user', id: '501' })
  assert.equal(parseDiscordTarget('channel:41'), { kind: 'channel', id: '41' })
  for (const target of ['501', '', 'user:', 'user:ann', 'channel:1/2', 'channel:1\n', 'dm:1']) {
    assert.is(parseDiscordTarget(target), null, target)
  }
})

discord('DC6 a nonce is the same for the same piece, short, and no other one’s', () => {
  assert.is(discordNonce('d1', 0), discordNonce('d1', 0))
  assert.is(new Set([discordNonce('d1', 0), discordNonce('d1', 1), discordNonce('d2', 0)]).size, 3)
  assert.ok(discordNonce('x'.repeat(500), 7).length <= 25)
})

discord('DC7 a cursor is read as it was written, and leads to no other host', () => {
  const session = { sessionId: 'a'.repeat(32), seq: 1_234_567 }
  const near = { ...session, resumeUrl: 'wss://gateway-us-east1-b.discord.gg' }
  const cursor = formatDiscordCursor(near) ?? ''

  assert.ok(cursor.length <= limits.contextTextCharsMax)
  assert.equal(parseDiscordCursor(cursor), near)
  for (const resumeUrl of [null, 'ws://127.0.0.1:9', 'wss://discord.gg.example.org']) {
    const short = formatDiscordCursor({ ...session, resumeUrl }) ?? ''
    assert.equal(parseDiscordCursor(short), { ...session, resumeUrl: null })
  }
  assert.is(formatDiscordCursor({ ...near, sessionId: 'b'.repeat(49) }), null)
  for (const text of ['', '12', 'a.b', 'a.1.x/y', 'a.1.b.c']) {
    assert.is(parseDiscordCursor(text), null, text)
  }
})

discord('DC8 pieces are at most 2,000 characters', () => {
  const pieces = splitDiscordText(`${'a'.repeat(1_500)} ${'b'.repeat(1_500)}`)
  assert.equal(
    pieces.map(({ length }) => length),
    [1_500, 1_500],
  )
})

discord.run()
