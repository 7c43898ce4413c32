/** WhatsApp's words: messages, people, targets. */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  parseWhatsAppMessage,
  whatsappAddress,
  whatsappMessageId,
  whatsappPerson,
} from '../../../protocol/channels/whatsapp.ts'

const whatsapp = suite('whatsapp words')
const US = ['+491700000001', '77@lid']
const ANN = '8613800138000@s.whatsapp.net'
const GROUP = '120363000000000000@g.us'

const written = (message: unknown, key: object = { remoteJid: ANN }): object => ({
  key: { id: '3EB0AA', fromMe: false, ...key },
  message,
  messageTimestamp: { low: 1_800_000_000, high: 0 },
  pushName: 'Ann',
})

whatsapp('WA1 a person is their phone number, whatever device or hidden name they write by', () => {
  const message = parseWhatsAppMessage(written({ conversation: 'hello' }), US)
  assert.equal(message, {
    messageId: '3EB0AA',
    peer: 'direct',
    senderId: '+8613800138000',
    senderName: 'Ann',
    roomId: '+8613800138000',
    replyTarget: '+8613800138000',
    mentioned: true,
    text: 'hello',
    sentAt: 1_800_000_000_000,
  })
  assert.is(whatsappPerson('8613800138000:12@s.whatsapp.net'), '+8613800138000')
  assert.is(whatsappPerson('99:3@lid', ANN), '+8613800138000')
  assert.is(whatsappPerson('99:3@lid', undefined), '99@lid')
  assert.is(whatsappPerson(GROUP), null)
})

whatsapp('WA2 in a group a mention and an answer to us are meant for us', () => {
  const read = (text: string, contextInfo: object = {}): unknown[] => {
    const said = written(
      { extendedTextMessage: { text, contextInfo } },
      { remoteJid: GROUP, participant: ANN },
    )
    const message = parseWhatsAppMessage(said, US)
    return [message?.mentioned, message?.text, message?.replyTarget]
  }

  assert.equal(read('hi'), [false, 'hi', GROUP])
  const us = { mentionedJid: ['77@lid'] }
  assert.equal(read('@77 tea?', us), [true, 'tea?', GROUP])
  assert.equal(read('late, @77?', us), [true, 'late, @77?', GROUP])
  assert.equal(read('@88 tea?', { mentionedJid: ['88@lid'] }), [false, '@88 tea?', GROUP])
  assert.equal(read('yes', { participant: '491700000001@s.whatsapp.net' }), [true, 'yes', GROUP])
})

whatsapp(
  'WA3 captions and messages that vanish are read; what has no text of a person is not',
  () => {
    const text = (message: unknown, key?: object): string | null =>
      parseWhatsAppMessage(written(message, key), US)?.text ?? null

    assert.is(text({ imageMessage: { caption: 'look' } }), 'look')
    assert.is(text({ ephemeralMessage: { message: { conversation: 'soon gone' } } }), 'soon gone')
    for (const key of [
      { remoteJid: 'status@broadcast' },
      { remoteJid: '1@newsletter' },
      { remoteJid: ANN, fromMe: true },
      { remoteJid: ANN, id: '../x' },
      { remoteJid: GROUP },
      { remoteJid: '491700000001@s.whatsapp.net' },
    ]) {
      assert.is(text({ conversation: 'x' }, key), null, JSON.stringify(key))
    }
    for (const message of [null, {}, { conversation: ' ' }, { audioMessage: {} }]) {
      assert.is(text(message), null)
    }
    fc.assert(fc.property(fc.object(), (anything) => void parseWhatsAppMessage(anything, US)))
  },
)

whatsapp('WA4 targets are numbers, groups and hidden names, and nothing else', () => {
  assert.is(whatsappAddress('+8613800138000'), ANN)
  assert.is(whatsappAddress(GROUP), GROUP)
  assert.is(whatsappAddress('99@lid'), '99@lid')
  for (const target of ['', 'ann', '86138', ANN, '+1', 'x@g.us', '+8613800138000\n']) {
    assert.is(whatsappAddress(target), null, target)
  }
})

whatsapp('WA5 a piece has the same id each time, and no other one’s', () => {
  assert.is(whatsappMessageId('d', 0), whatsappMessageId('d', 0))
  assert.is.not(whatsappMessageId('d', 0), whatsappMessageId('d', 1))
  assert.match(whatsappMessageId('d', 0), /^3EB0[0-9A-F]{18}$/)
})

whatsapp.run()
