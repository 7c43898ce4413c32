/** The Discord adapter behind a session that is over: what was missed is asked for. */
import * as assert from 'uvu/assert'
import type { Resume } from '../../../actors/channels/adapter.ts'
import { systemClock } from '../../../actors/services.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { never } from '../../support/attempts.ts'
import { DISCORD_BOT } from '../../support/discord-fake.ts'
import { type DiscordScene, onDiscord, texts } from '../../support/discord-scene.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/wait.ts'

const missed = cases('discord missed')

const scene = (title: string, run: (scene: DiscordScene) => Promise<void>): void =>
  missed(title, () => onDiscord(run))

/** Leaves a bot without a session, and with a cursor of the time before. */
async function leave(own: DiscordScene): Promise<Resume> {
  const made = own.adapter()
  await made.open(never, null)
  await until(() => own.cursors.length > 0, 'a cursor')
  await made.close()
  own.server.forget()
  return own.resume()
}

const CALLED = { guild_id: '40', mentions: [{ id: DISCORD_BOT }] }

scene('DC28 PR1 what was said behind a session’s end is asked for, in order', async (own) => {
  own.server.channels.set('41', { id: '41', type: 0, guild_id: '40' })
  own.server.channels.set('42', { id: '42', type: 11, parent_id: '41', guild_id: '40' })
  own.known.push('user:501', 'channel:42', 'channel:41', 'channel:404', 'user:404')
  const resume = await leave(own)
  own.server.say('direct')
  own.server.say('room', { ...CALLED, channel_id: '41', from: '502' })
  own.server.say('thread', { ...CALLED, channel_id: '42' })
  own.server.say('direct again')
  own.server.say('to nobody we know', { from: '503' })
  const cursorsBefore = own.cursors.length
  let first: string[] | null = null
  const clock = manualClock()
  const made = own.adapter({
    clock,
    received: async () => {
      first ??= own.cursors.slice(cursorsBefore)
    },
  })
  const opened = made.open(never, resume)
  await until(() => clock.due().length > 0, 'the wait that Discord demands')
  await clock.pass(limits.discordAnewMsMax)
  await opened
  own.server.say('live')
  await until(() => texts(own).includes('live'), 'the live one')
  await until(() => own.cursors.at(-1) !== '', 'the cursor behind it')
  // Whoever writes while we ask comes twice, under the same id.
  const once = [...new Map(own.messages.map((message) => [message.messageId, message])).values()]

  assert.equal(
    once.map(({ text }) => text),
    ['direct', 'room', 'thread', 'direct again', 'live'],
  )
  assert.equal(
    once.map(({ peer, roomId, threadId = '', spaceId = '' }) =>
      [peer, roomId, threadId, spaceId].join(' '),
    ),
    [
      'direct 501  ',
      'channel 41  guild:40',
      'channel 41 42 guild:40',
      'direct 501  ',
      'direct 501  ',
    ],
  )
  assert.equal(first, [], 'no cursor of the new session before all of it is taken')
  assert.equal(own.cursors.slice(cursorsBefore, cursorsBefore + 4), ['', '', '', ''])
  assert.not.ok(own.server.pages.includes('9503'))
})

scene('DC29 asking keeps patience; where it fails, all is asked again', async (own) => {
  const resume = await leave(own)
  own.known.push('user:501')
  own.server.say('one')
  own.server.refusePage(429, { retry_after: 2, global: false })
  own.server.refusePage(502)
  const clock = manualClock()
  const open = async (): Promise<void> => {
    const opened = own.adapter({ clock }).open(never, resume)
    await until(() => clock.due().length > 0, 'the wait that Discord demands')
    await clock.pass(limits.discordAnewMsMax)
    await opened
  }

  await open()
  await until(() => clock.due().some((ms) => ms >= 2_000), 'patience')
  await clock.pass(5_000)
  await until(() => own.dropped.length > 0, 'the end')
  assert.equal([texts(own), own.cursors.length], [[], 1])
  await open()
  await until(() => own.messages.length === 1, 'the message')

  assert.equal([texts(own), own.server.pages.length], [['one'], 3])
})

scene(
  'DC30 what is asked for is bounded, and where that was too little it is said',
  async (own) => {
    const resume = await leave(own)
    own.known.push('user:501')
    const most = limits.discordMissedMax
    for (let n = 0; n < most + 3; n += 1) own.server.say(String(n))
    const clock = manualClock()
    const opened = own.adapter({ clock }).open(never, resume)
    await until(() => clock.due().length > 0, 'the wait that Discord demands')
    await clock.pass(limits.discordAnewMsMax)
    await opened
    // Its library lets 50 questions through in a second of the real time, which patience has to pass.
    let seenAt = systemClock.monotonic()
    await until(async () => {
      const now = systemClock.monotonic()
      await clock.pass(now - seenAt)
      seenAt = now
      return own.warnings.some((each) => /more was missed/.test(each))
    }, 'the warning')

    assert.equal(
      texts(own),
      Array.from({ length: most }, (_, n) => String(n)),
    )
    assert.is(own.server.pages.length, most / limits.discordPageMax)
  },
)

missed.run()
