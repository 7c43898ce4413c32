/** The webhook channel's words: signatures, posts, targets. */
import * as assert from 'uvu/assert'
import {
  formatDelivery,
  judgePost,
  parseWebhookPost,
  parseWebhookTarget,
  signPost,
} from '../../../protocol/channels/webhook.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'

const webhook = cases('webhook words')
const SECRET = 'sesame-sesame-sesame'
const NOW = 1_800_000_000_000
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

webhook('WH2 S51 a post holds by its signature over time and body, and for five minutes', () => {
  const body = bytes({ id: 'm1', from: 'ann', text: 'hi' })
  const timestamp = String(NOW / 1_000)
  const signature = signPost(SECRET, timestamp, body)
  const judge = (change: object, now = NOW) =>
    judgePost(SECRET, { timestamp, signature, body, ...change }, now)

  assert.is(judge({}), null)
  assert.is(judge({}, NOW + limits.webhookReplayMs), null)
  assert.match(judge({}, NOW + limits.webhookReplayMs + 1) ?? '', /too old/)
  assert.match(judge({}, NOW - limits.webhookReplayMs - 1) ?? '', /too old/)
  assert.match(judge({ body: bytes({ id: 'm1', from: 'eve', text: 'hi' }) }) ?? '', /signature/)
  assert.match(judge({ timestamp: String(NOW / 1_000 + 1) }) ?? '', /signature/)
  for (const change of [
    { signature: undefined },
    { signature: '' },
    { signature: signature.slice(7) },
    { signature: signPost('another secret!!', timestamp, body) },
    { timestamp: undefined },
    { timestamp: '1e9' },
    { timestamp: ['1'] },
  ]) {
    assert.ok(judge(change) !== null, JSON.stringify(change))
  }
})

webhook('WH3 a post is a message of a person or of a room, and its answer finds back', () => {
  const direct = parseWebhookPost(bytes({ id: 'm1', from: 'ann', text: 'hi' }))
  assert.equal(
    [direct.peer, direct.senderId, direct.roomId, direct.replyTarget, direct.mentioned],
    ['direct', 'ann', 'ann', 'ann', true],
  )
  const room = { id: 'm2', from: 'ann', room: 'tea: room', thread: 'ü', text: 'hi' }
  const message = parseWebhookPost(bytes(room))
  assert.equal(
    [message.peer, message.roomId, message.threadId, message.mentioned],
    ['group', 'tea: room', 'ü', false],
  )
  assert.equal(parseWebhookTarget(message.replyTarget), {
    to: 'tea: room',
    room: 'tea: room',
    thread: 'ü',
  })
  assert.is(parseWebhookPost(bytes({ ...room, mentioned: true })).mentioned, true)
  assert.equal(parseWebhookTarget('ann'), { to: 'ann' })
})

webhook('WH4 what a post may not say is refused by its path', () => {
  const good = { id: 'm1', from: 'ann', text: 'hi' }
  for (const [change, path] of [
    [{ id: undefined }, 'id'],
    [{ id: '' }, 'id'],
    [{ id: 'x'.repeat(limits.webhookIdCharsMax + 1) }, 'id'],
    [{ from: 'a\nb' }, 'from'],
    [{ from: 'room:home' }, 'from'],
    [{ text: '  ' }, 'text'],
    [{ text: 7 }, 'text'],
    [{ room: '\ud800' }, 'room'],
    [{ mentioned: 'yes' }, 'mentioned'],
    [{ text: { toString: 1 } }, ''],
  ] as [object, string][]) {
    try {
      parseWebhookPost(bytes({ ...good, ...change }))
      assert.unreachable(JSON.stringify(change))
    } catch (thrown) {
      assert.instance(thrown, GatewayError)
      const { code, details } = thrown as GatewayError
      assert.is(code, 'INVALID_REQUEST')
      if (path !== '') assert.is(details['path'], path)
    }
  }
  assert.throws(() => parseWebhookPost(Buffer.from('{')), /no JSON/)
})

webhook('WH5 a delivery names its id, whom it is for, and the text', () => {
  const delivery = { deliveryId: 'd1', text: 'hi' }
  assert.equal(JSON.parse(formatDelivery({ to: 'ann' }, delivery)), {
    id: 'd1',
    to: 'ann',
    text: 'hi',
  })
})

webhook.run()
