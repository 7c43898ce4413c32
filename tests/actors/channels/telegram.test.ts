/** The Telegram adapter where Telegram is special: offsets, tokens, patience, posts. */
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type ChannelAdapter, LinkFault, type Resume } from '../../../actors/channels/adapter.ts'
import { GRAMMY, openTelegram } from '../../../actors/channels/telegram.ts'
import { type Clock, silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import type { ResolvedTelegram } from '../../../protocol/config/channel-defaults.ts'
import { limits } from '../../../protocol/limits.ts'
import type { InboundMessage } from '../../../protocol/message.ts'
import { telegramConfig } from '../../channels/telegram-world.ts'
import { cases } from '../../store/cases.ts'
import { faultOf, linkFaultOf, never } from '../../support/attempts.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { FakeTelegram, TELEGRAM_TOKEN } from '../../support/telegram-fake.ts'
import { until } from '../../support/wait.ts'
import { hostOf } from '../../support/channel-host.ts'

const telegram = cases('telegram adapter')

interface Scene {
  readonly server: FakeTelegram
  readonly messages: InboundMessage[]
  readonly passed: string[]
  readonly moved: [string, string][]
  readonly dropped: { reason: string; final: boolean; retryAfterMs: number | null }[]
  /** Makes an adapter, which is closed at the end. */
  readonly adapter: (options?: Options) => ChannelAdapter
  /** The offsets that were asked for, in order; null: none. */
  readonly offsets: () => (number | null)[]
}

interface Options {
  readonly config?: Partial<ResolvedTelegram>
  readonly clock?: Clock
  readonly received?: () => Promise<void>
  readonly load?: Parameters<typeof openTelegram>[3]
}

async function onScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const server = await FakeTelegram.start()
  const adapters: ChannelAdapter[] = []
  const messages: InboundMessage[] = []
  const passed: string[] = []
  const moved: Scene['moved'] = []
  const dropped: Scene['dropped'] = []
  const adapter: Scene['adapter'] = ({ config, clock = systemClock, received, load } = {}) => {
    const host = hostOf({
      received: async (message) => {
        await received?.()
        messages.push(message)
      },
      passed: (cursor) => passed.push(cursor),
      moved: async (from, room) => void moved.push([from, room]),
      dropped: (reason, { final = false, retryAfterMs = null } = {}) =>
        dropped.push({ reason, final, retryAfterMs }),
    })
    const services = { clock, chance: systemChance, log: silentLog }
    const made = openTelegram(telegramConfig(server.url, config), host, services, load)
    adapters.push(made)
    return made
  }
  const offsets = (): (number | null)[] =>
    server.asked
      .filter(({ method }) => method === 'getUpdates')
      .map(({ params }) => (params['offset'] as number | undefined) ?? null)
  try {
    await run({ server, messages, passed, moved, dropped, adapter, offsets })
  } finally {
    for (const made of adapters) await made.close()
    await server.stop()
  }
}

const scene = (title: string, run: (scene: Scene) => Promise<void>): void =>
  telegram(title, () => onScene(run))

const at = (cursor: number, agoMs = 0): Resume => ({
  cursor: String(cursor),
  at: systemClock.now() - agoMs,
})

scene('TG10 without grammY the channel fails, and says what to install', async (own) => {
  const missing = Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' })
  const fault = await linkFaultOf(
    own.adapter({ load: () => Promise.reject(missing) }).open(never, null),
  )

  assert.equal([fault instanceof LinkFault, fault.end.final], [true, true])
  assert.match(fault.message, new RegExp(`npm install ${GRAMMY}$`))
  assert.ok(fault.message.length <= limits.contextTextCharsMax, 'it is shown whole')
  const root = new URL('../../../../package.json', import.meta.url)
  const { peerDependencies } = JSON.parse(readFileSync(root, 'utf8')) as {
    peerDependencies: Record<string, string>
  }
  assert.is(GRAMMY, `grammy@${peerDependencies['grammy']}`)
})

scene('TG11 a poll confirms only what is on disk', async ({ server, adapter, offsets }) => {
  let keep = (): void => {}
  const kept = new Promise<void>((resolve) => {
    keep = resolve
  })
  let tries = 0
  await adapter({
    received: () => {
      tries += 1
      return kept
    },
  }).open(never, null)

  server.say('one')
  await until(() => tries === 1, 'the message')
  server.say('two')
  assert.equal([server.unconfirmed, offsets()], [2, [null]])
  keep()
  await until(() => server.unconfirmed === 0, 'both are confirmed')

  assert.equal(offsets().slice(0, 2), [null, 1_001])
})

scene('TG12 it goes on behind the cursor, unless Telegram may count anew', async (own) => {
  for (const text of ['one', 'two', 'three']) own.server.say(text)
  const fresh = own.adapter()
  await fresh.open(never, at(1_000))
  await until(() => own.messages.length === 2, 'two messages')
  await fresh.close()
  await own.adapter().open(never, at(5_000_000, limits.telegramOffsetMs + 1_000))
  own.server.say('after a week')
  await until(() => own.messages.some(({ text }) => text === 'after a week'), 'the message')

  assert.equal(
    own.messages.slice(0, 2).map(({ text }) => text),
    ['two', 'three'],
  )
  assert.is(own.offsets()[0], 1_001)
  assert.ok(!own.offsets().includes(5_000_001))
})

scene('TG13 what is no message is passed over, in order', async (own) => {
  own.server.update({ edited_message: { text: 'x' } })
  own.server.update({ message: { message_id: 1, chat: { id: 501 }, sticker: {} } })
  await own.adapter().open(never, null)
  own.server.say('hello')
  await until(() => own.messages.length === 1, 'the message')

  assert.equal(own.passed, ['1000', '1001'])
})

scene('TG14 a token that is taken back while we poll ends the channel for good', async (own) => {
  await own.adapter().open(never, null)
  own.server.token = 'another'
  own.server.drop()
  await until(() => own.dropped.length > 0, 'the end')
  await own
    .adapter()
    .open(never, null)
    .catch(() => {})
  const fault = await linkFaultOf(own.adapter().open(never, null))

  assert.is(own.dropped.length, 1)
  assert.match(fault.message, /401 Unauthorized/)
  assert.is(fault.end.final, true)
  for (const { reason } of own.dropped) assert.not.match(reason, TELEGRAM_TOKEN)
})

scene('TG15 another poll, patience that is asked for, and a fault end the link', async (own) => {
  const made = own.adapter()
  for (const [status, retryAfterMs] of [
    [409, null],
    [429, 3_000],
    [502, null],
  ] as const) {
    const ended = own.dropped.length
    const parameters = retryAfterMs === null ? {} : { retry_after: retryAfterMs / 1_000 }
    own.server.refuse('getUpdates', status, 'not now', parameters)
    await made.open(never, null)
    await until(() => own.dropped.length > ended, 'the end')
    const reason = `telegram: ${status} not now`
    assert.equal(own.dropped.at(-1), { reason, final: false, retryAfterMs })
  }
})

scene(
  'TG16 who has blocked us is not written to again; a fault of theirs is maybe',
  async (own) => {
    const made = own.adapter()
    await made.open(never, null)
    const outcomes: unknown[] = []
    for (const status of [403, 400, 500, 502]) {
      own.server.refuse('sendMessage', status, 'no')
      const { sent, retryable } = await faultOf(
        made.deliver({ target: '501', text: 'x', deliveryId: 'd' }),
      )
      outcomes.push([status, sent, retryable])
    }

    assert.equal(outcomes, [
      [403, 'no', false],
      [400, 'no', false],
      [500, 'maybe', false],
      [502, 'maybe', false],
    ])
  },
)

scene('TG17 between two pieces patience is kept; a longer one leaves maybe', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock })
  await made.open(never, null)
  const text = `${'a'.repeat(4_000)} ${'b'.repeat(4_000)}`
  const sendNext = (seconds: number): Promise<unknown> => {
    const before = own.server.sent.length
    own.server.refuseNext('sendMessage', before + 1, { retry_after: seconds })
    return made.deliver({ target: '501', text, deliveryId: 'd' })
  }

  const waited = sendNext(5)
  await until(() => clock.due().includes(5_000), 'the wait')
  await clock.pass(5_000)
  await waited
  const fault = await faultOf(sendNext(limits.pieceWaitMs / 1_000 + 1))

  assert.equal(
    own.server.sent.map((each) => each.text[0]),
    ['a', 'b', 'a'],
  )
  assert.equal([fault.sent, fault.retryable], ['maybe', false])
})

scene('TG18 topics are answered where they are', async ({ server, adapter }) => {
  const made = adapter()
  await made.open(never, null)
  await made.deliver({ target: '-100:topic:7', text: 'here', deliveryId: 'd' })

  assert.equal(server.sent, [{ chat: '-100', text: 'here', topic: 7 }])
})

const POSTED = { url: 'http://127.0.0.1:9/tg', secret: 'sesame-sesame-sesame', path: '/tg' }

scene('TG19 S51 a post without the secret token is not read', async (own) => {
  const made = own.adapter({ config: { webhook: POSTED } })
  await made.open(never, null)
  const body = Buffer.from('{"update_id":1,"message":{}}')
  const post = async (secret: string | undefined): Promise<number> => {
    const headers = secret === undefined ? {} : { 'x-telegram-bot-api-secret-token': secret }
    const answer = await made.hook?.answer({ headers, body })
    return answer?.status ?? 0
  }

  assert.equal(
    [await post(undefined), await post(''), await post('sesame'), await post(POSTED.secret)],
    [401, 401, 401, 200],
  )
  assert.equal(own.passed, ['1'])
  const bad = await made.hook?.answer({
    headers: { 'x-telegram-bot-api-secret-token': POSTED.secret },
    body: Buffer.from('{'),
  })
  assert.is(bad?.status, 400)
})

scene('TG20 a server that posts to us is asked each minute whether it still does', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock, config: { webhook: POSTED } })
  await made.open(never, null)
  const asked = (): number =>
    own.server.asked.filter(({ method }) => method === 'getWebhookInfo').length

  await clock.pass(limits.telegramPingMs)
  await until(() => asked() === 1 && clock.due().includes(limits.telegramPingMs), 'an answer')
  assert.equal(own.dropped, [])
  own.server.takeWebhook()
  await clock.pass(limits.telegramPingMs)
  await until(() => own.dropped.length > 0, 'the end')

  assert.match(own.dropped[0]?.reason ?? '', /taken away/)
})

scene('TG21 a group that has moved is answered where it is now, each piece once', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  own.server.migrate(-55, -10_055)
  await until(() => own.moved.length === 1, 'the move is told')
  const text = `${'a'.repeat(4_000)} ${'b'.repeat(4_000)}`

  await made.deliver({ target: '-55', text, deliveryId: 'd' })

  assert.equal(
    own.server.sent.map((each) => [each.chat, each.text[0]]),
    [
      ['-10055', 'a'],
      ['-10055', 'b'],
    ],
  )
  assert.equal(own.moved, [
    ['-55', '-10055'],
    ['-55', '-10055'],
  ])
  await until(() => own.passed.length === 1, 'the cursor behind the move')
  assert.equal(own.messages, [])
})

telegram.run()
