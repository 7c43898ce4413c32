/** Telegram's words: updates, texts in pieces, targets. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  parseTelegramTarget,
  parseTelegramUpdate,
  splitTelegramText,
} from '../../../protocol/channels/telegram.ts'
import { limits } from '../../../protocol/limits.ts'

const telegram = suite('telegram words')
const bot = { id: 77, username: 'Heron_bot' }

function update(changes: object = {}, chat: object = { id: 501, type: 'private' }): object {
  const from = { id: 501, first_name: 'Ann', last_name: 'Lee', username: 'ann' }
  const message = { message_id: 4, date: 1_800_000_000, chat, from, text: 'hello', ...changes }
  return { update_id: 9, message }
}

const GROUP = { id: -100_123, type: 'supergroup', title: 'Home' }
const mention = (text: string, name: string, type = 'mention') => ({
  text,
  entities: [{ type, offset: text.indexOf(name), length: name.length }],
})

telegram('TG3 a direct message is a room of its sender, by number', () => {
  assert.equal(parseTelegramUpdate(update(), bot), {
    messageId: '4',
    peer: 'direct',
    senderId: '501',
    senderName: 'Ann Lee',
    roomId: '501',
    replyTarget: '501',
    mentioned: true,
    text: 'hello',
    sentAt: 1_800_000_000_000,
  })
})

telegram('TG4 in a group a mention, a command to us and an answer to us are meant for us', () => {
  const read = (changes: object) => {
    const message = parseTelegramUpdate(update(changes, GROUP), bot)
    return [message?.mentioned, message?.text]
  }

  assert.equal(read({}), [false, 'hello'])
  assert.equal(read(mention('@heron_bot: tea?', '@heron_bot')), [true, 'tea?'])
  assert.equal(read(mention('is it late, @HERON_BOT?', '@HERON_BOT')), [
    true,
    'is it late, @HERON_BOT?',
  ])
  assert.equal(read(mention('@heron_bot2 tea?', '@heron_bot2')), [false, '@heron_bot2 tea?'])
  assert.equal(read({ text: '@heron_bot tea?' }), [false, '@heron_bot tea?'], 'no entity')
  assert.equal(read(mention('@heron_bot', '@heron_bot')), [true, '@heron_bot'])
  assert.equal(read(mention('/stop@heron_bot', '/stop@heron_bot', 'bot_command')), [
    true,
    '/stop@heron_bot',
  ])
  assert.equal(read({ reply_to_message: { from: { id: 77 } } }), [true, 'hello'])
  assert.equal(read({ reply_to_message: { from: { id: 78 } } }), [false, 'hello'])
  const named = { entities: [{ type: 'text_mention', offset: 0, length: 5, user: { id: 77 } }] }
  assert.equal(read({ text: 'Heron tea?', ...named }), [true, 'tea?'])
  assert.equal(read({ entities: [{ type: 'mention', offset: 'x', length: -1 }, null, 7] }), [
    false,
    'hello',
  ])
})

telegram('TG5 a topic is a conversation within its group; a thread of replies is not', () => {
  const topic = { is_topic_message: true, message_thread_id: 7 }
  const message = parseTelegramUpdate(update(topic, GROUP), bot)

  assert.equal(
    [message?.roomId, message?.threadId, message?.replyTarget],
    ['-100123', '7', '-100123:topic:7'],
  )
  const reply = parseTelegramUpdate(update({ message_thread_id: 7 }, GROUP), bot)
  assert.equal([reply?.threadId, reply?.replyTarget], [undefined, '-100123'])
})

telegram('TG6 who writes as a group is the group; a caption is what is said', () => {
  const as = { sender_chat: { id: -100_123, title: 'Home' }, from: { id: 1_087_968_824 } }
  assert.is(parseTelegramUpdate(update(as, GROUP), bot)?.senderId, '-100123')
  const photo = { text: undefined, photo: [{}], caption: 'look' }
  assert.is(parseTelegramUpdate(update(photo), bot)?.text, 'look')
})

telegram('TG7 what is no message of a person is none, whatever it looks like', () => {
  for (const nothing of [
    null,
    7,
    {},
    { update_id: 1 },
    { update_id: 1, message: null },
    { update_id: 1, edited_message: { text: 'x' } },
    { update_id: 1, message: { text: 'x' } },
    update({ text: undefined }),
    update({ text: '  ' }),
    update({ from: undefined }),
    update({ message_id: 'x' }),
    update({ from: { id: 77 } }),
    update({ chat: { id: 1.5 } }),
  ]) {
    assert.is(parseTelegramUpdate(nothing, bot), null, JSON.stringify(nothing))
  }
  fc.assert(
    fc.property(fc.object(), (anything) => {
      parseTelegramUpdate({ update_id: 1, message: anything }, bot)
    }),
  )
})

telegram(
  'TG23 what another bot says is nobody’s; an administrator who writes as the group is not',
  () => {
    const other = { id: 502, is_bot: true, first_name: 'Other' }
    const anonymous = { id: 1_087_968_824, is_bot: true, first_name: 'Group' }
    const said = mention('@heron_bot hi', '@heron_bot')

    assert.is(parseTelegramUpdate(update({ from: other }), bot), null)
    assert.is(parseTelegramUpdate(update({ ...said, from: other }, GROUP), bot), null)
    const as = { ...said, from: anonymous, sender_chat: GROUP }
    assert.is(parseTelegramUpdate(update(as, GROUP), bot)?.senderId, String(GROUP.id))
  },
)

telegram('TG8 targets are numbers, topics and public names, and nothing else', () => {
  assert.equal(parseTelegramTarget('501'), { chat: '501', topic: null })
  assert.equal(parseTelegramTarget('-100123:topic:7'), { chat: '-100123', topic: 7 })
  assert.equal(parseTelegramTarget('@herons'), { chat: '@herons', topic: null })
  for (const target of ['', 'ann', '1 ', '-', '@a b', '1:topic:x', '@', '1e3', '1\n2']) {
    assert.is(parseTelegramTarget(target), null, target)
  }
})

telegram('TG9 pieces are short enough, never cut a character, and lose nothing but space', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ' ', '\n', '😀', 'ü'), maxLength: 60 }),
      (text) => {
        const pieces = splitTelegramText(text, 10)
        const kept = pieces.length < limits.telegramPiecesMax
        for (const piece of kept ? pieces : pieces.slice(0, -1)) {
          assert.ok(piece.length <= 10 && piece.isWellFormed() && piece.trim() === piece)
        }
        const plain = (some: string): string => some.replaceAll(/\s/g, '')
        if (kept) assert.is(plain(pieces.join('')), plain(text))
      },
    ),
  )
  assert.equal(splitTelegramText(`${'a'.repeat(7)} bbb`, 10), ['aaaaaaa', 'bbb'])
  assert.equal(splitTelegramText(' \n '), [])
  const long = splitTelegramText('x'.repeat(10 * limits.telegramPiecesMax + 5), 10)
  assert.equal(
    [long.length, long.at(-1)],
    [limits.telegramPiecesMax, '[15 more characters were not sent]'],
  )
})

telegram.run()
