/** The Discord adapter where Discord is special: sessions, RESUME, nonces, intents, threads. */
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { DISCORD_PACKAGES } from '../../../actors/channels/discord.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { faultOf, linkFaultOf, never } from '../../support/attempts.ts'
import { DISCORD_BOT, DISCORD_TOKEN } from '../../support/discord-fake.ts'
import { type DiscordScene, onDiscord, texts } from '../../support/discord-scene.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/wait.ts'

const discord = cases('discord adapter')

const scene = (title: string, run: (scene: DiscordScene) => Promise<void>): void =>
  discord(title, () => onDiscord(run))

scene('DC13 without its packages the channel fails, and says what to install', async (own) => {
  const missing = Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' })
  const fault = await linkFaultOf(
    own.adapter({ load: () => Promise.reject(missing) }).open(never, null),
  )

  assert.is(fault.end.final, true)
  assert.ok(fault.message.endsWith(DISCORD_PACKAGES))
  assert.ok(fault.message.length <= limits.contextTextCharsMax, 'it is shown whole')
  const root = new URL('../../../../package.json', import.meta.url)
  const { peerDependencies: peers } = JSON.parse(readFileSync(root, 'utf8')) as {
    peerDependencies: Record<string, string>
  }
  const named = ['core', 'rest', 'ws'].map((name) => `${name}@${peers[`@discordjs/${name}`]}`)
  assert.is(DISCORD_PACKAGES, `@discordjs/{${named.join(',')}}`)
})

scene(
  'DC14 a socket that is cut ends the link once; RESUME brings what was missed',
  async (own) => {
    const made = own.adapter()
    await made.open(never, null)
    own.server.say('one')
    await until(() => own.messages.length === 1, 'one message')

    own.server.cut()
    await until(() => own.dropped.length > 0, 'the end')
    own.server.say('two')
    await made.open(never, own.resume())
    own.server.say('three')
    await until(() => own.messages.length === 3, 'three messages')

    assert.equal(texts(own), ['one', 'two', 'three'])
    assert.equal([own.dropped.length, own.dropped[0]?.final], [1, false])
    // Guilds, their messages, direct ones, and what they say.
    assert.equal(own.server.opened, [{ identify: 37_377 }, { resume: 2 }])
  },
)

scene('DC15 whoever is sent away with op 7 resumes; a clean stop of ours does too', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  await until(() => own.cursors.length > 0, 'a cursor')
  own.server.sendAway()
  await until(() => own.dropped.length > 0, 'the end')
  await made.open(never, own.resume())
  await until(() => own.cursors.length > 1, 'resumed')
  await made.close()
  own.server.say('while we were away')
  await own.adapter().open(never, own.resume())
  await until(() => own.messages.length === 1, 'the message')

  assert.equal(
    own.server.opened.map((each) => Object.keys(each)[0]),
    ['identify', 'resume', 'resume'],
  )
})

scene('DC16 a session that is over is begun anew, and that is said', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock })
  await made.open(never, null)
  await until(() => own.cursors.length > 0, 'a cursor')
  await made.close()
  own.server.forget()

  const opened = made.open(never, own.resume())
  await until(() => clock.due().length > 0, 'the wait that Discord demands')
  const [waitMs = 0] = clock.due()
  await clock.pass(limits.discordAnewMsMax)
  await opened
  own.server.say('after')
  await until(() => own.messages.length === 1, 'the message')

  assert.ok(waitMs >= limits.discordAnewMs && waitMs <= limits.discordAnewMsMax)
  assert.is(own.warnings.filter((each) => /session is over/.test(each)).length, 1)
})

scene('DC17 only what is on disk is told as heard, and counts for RESUME', async (own) => {
  let keep = (): void => {}
  const kept = new Promise<void>((resolve) => {
    keep = resolve
  })
  own.server.heartbeatMs = 30
  await own.adapter({ received: () => kept }).open(never, null)
  own.server.say('one')
  const before = own.server.heartbeats.length
  await until(() => own.server.heartbeats.length > before + 1, 'two heartbeats')
  assert.is(own.server.heartbeats.at(-1), 1, 'READY only')
  keep()
  await until(() => own.server.heartbeats.at(-1) === 2, 'the message as well')
})

scene('DC18 a server that does not acknowledge heartbeats is left', async (own) => {
  own.server.heartbeatMs = 30
  await own.adapter().open(never, null)
  own.server.acknowledges = false
  await until(() => own.dropped.length > 0, 'the end')
  assert.equal(own.dropped, [{ reason: 'discord: Zombie connection', final: false }])
})

scene('DC19 refusals for good say why; the token is in none', async (own) => {
  for (const [code, why] of [
    [4014, /Message Content Intent/],
    [4013, /intents/],
    [4004, /token is refused/],
  ] as const) {
    own.server.closesWith = code
    const fault = await linkFaultOf(own.adapter().open(never, null))
    assert.equal([fault.end.final, why.test(fault.message)], [true, true], fault.message)
    assert.ok(fault.message.length <= limits.contextTextCharsMax)
  }
  own.server.closesWith = 4008
  assert.is((await linkFaultOf(own.adapter().open(never, null))).end.final ?? false, false)
  own.server.token = 'another'
  const fault = await linkFaultOf(own.adapter().open(never, null))
  assert.equal([fault.end.final, fault.message.includes(DISCORD_TOKEN)], [true, false])
})

scene('DC20 a token that is taken back on an open link ends the channel for good', async (own) => {
  await own.adapter().open(never, null)
  own.server.hangUp(4004)
  await until(() => own.dropped.length > 0, 'the end')
  assert.is(own.dropped[0]?.final, true)
})

scene('DC21 no session is begun where that would cost the token; resuming is free', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  await until(() => own.cursors.length > 0, 'a cursor')
  own.server.startsLeft = limits.discordStartsKept - 1

  const fault = await linkFaultOf(own.adapter().open(never, null))
  await own.adapter().open(never, own.resume())

  assert.equal([fault.end.final ?? false, fault.end.retryAfterMs], [false, 60_000])
})

scene('DC22 a message that may be there is offered again, and is there once', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock })
  await made.open(never, null)
  const deliver = (deliveryId: string): Promise<unknown> =>
    made.deliver({ target: 'channel:41', text: 'tea', deliveryId })

  for (const [at, status] of [0, 502].entries()) {
    own.server.refuse(status, {}, { takes: true })
    const delivered = deliver(`d${at}`)
    await until(() => clock.due().includes(limits.discordAgainMs), 'the pause')
    await clock.pass(limits.discordAgainMs)
    await delivered
  }
  own.server.refuse(502)
  own.server.refuse(502)
  const fault = faultOf(deliver('d3'))
  await until(() => clock.due().includes(limits.discordAgainMs), 'the pause')
  await clock.pass(limits.discordAgainMs)

  assert.is(own.server.posted.length, 2)
  const { sent, retryable } = await fault
  assert.equal([sent, retryable], ['maybe', false])
})

scene('DC23 an answer calls nobody', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  await made.deliver({ target: 'channel:41', text: '@everyone <@501>', deliveryId: 'd' })

  const [posted] = own.server.posted
  assert.equal(posted?.body['allowed_mentions'], { parse: [] })
  assert.is(posted?.body['enforce_nonce'], true)
})

scene('DC24 a thread is a conversation of its channel, and is answered there', async (own) => {
  own.server.channels.set('42', { id: '42', type: 11, parent_id: '41' })
  own.server.channels.set('41', { id: '41', type: 0, parent_id: '39' })
  await own.adapter().open(never, null)
  const named = { guild_id: '40', mentions: [{ id: DISCORD_BOT }] }
  for (const channel of ['42', '41', '43']) {
    own.server.say(`<@${DISCORD_BOT}> hi`, { ...named, channel_id: channel })
  }
  await until(() => own.messages.length === 3, 'three messages')

  assert.equal(
    own.messages.map(({ roomId, threadId = '', replyTarget }) => [roomId, threadId, replyTarget]),
    [
      ['41', '42', 'channel:42'],
      ['41', '', 'channel:41'],
      ['43', '', 'channel:43'],
    ],
  )
})

scene('DC25 who cannot be written to is not written to again', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  own.server.refuse(403, { code: 50_007, message: 'Cannot send messages to this user' })
  const blocked = await faultOf(made.deliver({ target: 'user:501', text: 'x', deliveryId: 'd' }))
  const absent = await faultOf(made.deliver({ target: 'user:404', text: 'x', deliveryId: 'd' }))

  assert.equal([blocked.sent, blocked.retryable], ['no', false])
  assert.equal([absent.sent, absent.retryable], ['no', false])
  assert.match(blocked.message, /Cannot send messages/)
})

scene('DC26 between two pieces patience is kept; a longer one leaves maybe', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock })
  await made.open(never, null)
  const send = (seconds: number, deliveryId: string): Promise<unknown> => {
    const posted = own.server.posted.length + 1
    own.server.refuse(429, { retry_after: seconds, global: false }, { posted })
    const text = `${'a'.repeat(1_900)} ${'b'.repeat(1_900)}`
    return made.deliver({ target: 'channel:41', text, deliveryId })
  }

  const waited = send(5, 'd1')
  await until(() => clock.due().includes(5_000), 'the wait')
  await clock.pass(5_000)
  await waited
  const { sent, retryable } = await faultOf(send(limits.pieceWaitMs / 1_000 + 1, 'd2'))

  assert.equal([sent, retryable], ['maybe', false])
  assert.equal(
    own.server.posted.map(({ content }) => content[0]),
    ['a', 'b', 'a'],
  )
})

scene('DC31 M20 patience that is asked for by a date is as many seconds', async (own) => {
  const clock = manualClock()
  const made = own.adapter({ clock })
  await made.open(never, null)
  const headers = { 'retry-after': new Date(clock.now() + 7_000).toUTCString() }
  own.server.refuse(429, { retry_after: 7, global: false }, { headers })

  const fault = await faultOf(made.deliver({ target: 'channel:41', text: 'x', deliveryId: 'd' }))

  assert.equal([fault.sent, fault.retryable, fault.retryAfterMs], ['no', true, 7_000])
})

scene('DC32 a session that has called often keeps nothing of its calls', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  const warnings: string[] = []
  const hear = ({ name }: Error): void => void warnings.push(name)
  process.on('warning', hear)
  try {
    for (let n = 0; n < 15; n += 1) {
      await made.deliver({ target: 'channel:41', text: 'x', deliveryId: `d${n}` })
    }
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', hear)
  }

  assert.equal(warnings, [], 'as node warns where listeners pile up')
})

scene('DC27 a session that ends in the breath that resumed it is a rejected open', async (own) => {
  const made = own.adapter()
  await made.open(never, null)
  own.server.say('one')
  await until(() => own.messages.length === 1, 'a message')
  await made.close()

  own.server.leavesAtOnce = true
  await linkFaultOf(made.open(never, own.resume()))

  assert.equal(own.dropped, [], 'what was never open has not ended')
  own.server.leavesAtOnce = false
  await made.open(never, own.resume())
  own.server.say('two')
  await until(() => own.messages.length === 2, 'another')
  assert.equal(texts(own), ['one', 'two'])
})

discord.run()
