/**
 * The IRC adapter against a real ngIRCd, with people on raw sockets.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChannelAdapter } from '../../../actors/channels/adapter.ts'
import { limits } from '../../../protocol/limits.ts'
import { faultOf, never } from '../../support/attempts.ts'
import { adapterOf, configOf, refusalOf } from '../../support/irc-adapter.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { connectIrcUser, type IrcUser, type Ngircd, startNgircd } from '../../support/ngircd.ts'

interface Scene {
  server: Ngircd
  users: IrcUser[]
  adapters: ChannelAdapter[]
}

const irc = suite<Scene>('irc adapter')

irc.before.each(async (scene) => {
  scene.users = []
  scene.adapters = []
  scene.server = await startNgircd()
})

irc.after.each(async ({ server, users, adapters }) => {
  for (const user of users) user.close()
  await server?.stop() // uvu comes here too when the server could not be started.
  for (const adapter of adapters) await adapter.close()
})

async function join(scene: Scene, nick: string, ...rooms: string[]): Promise<IrcUser> {
  const user = await connectIrcUser(scene.server.port, nick, ...rooms)
  scene.users.push(user)
  return user
}

irc('A1 it opens when its rooms are joined, and hears a room and a person', async (scene) => {
  const bob = await join(scene, 'bob', '#home')
  const alice = await join(scene, 'Alice[]', '#home')
  const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))

  await adapter.open(never, null)
  await bob.next(/^:heron!.* JOIN :#/)
  bob.send('PRIVMSG #home :heron: grüß dich 😀')
  bob.send('PRIVMSG #home :not for you')
  await heard.until(() => heard.messages.length === 2)
  alice.send('PRIVMSG heron :hello')
  await heard.until(() => heard.messages.length === 3)

  const [first, second, third] = heard.messages
  assert.equal(
    [first?.peer, first?.senderId, first?.roomId, first?.mentioned, first?.text],
    ['channel', 'bob', '#home', true, 'grüß dich 😀'],
  )
  assert.equal([second?.mentioned, second?.text], [false, 'not for you'])
  assert.equal(
    [third?.peer, third?.senderId, third?.senderName, third?.replyTarget, third?.text],
    ['direct', 'alice[]', 'Alice[]', 'Alice[]', 'hello'],
  )
  assert.is(new Set(heard.messages.map(({ messageId }) => messageId)).size, 3)
})

irc('A2 it answers in a room and to a person, and knows that the server took it', async (scene) => {
  const bob = await join(scene, 'bob', '#home')
  const { adapter } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)

  const receipt = await adapter.deliver({ target: '#home', text: 'one\n\ntwo ü', deliveryId: 'd1' })
  await adapter.deliver({ target: 'bob', text: ':three', deliveryId: 'd2' })

  assert.equal(receipt, { messageId: null })
  assert.match(await bob.next(/PRIVMSG/), /^:heron!\S+ PRIVMSG #home :one$/)
  assert.match(await bob.next(/PRIVMSG/), /^:heron!\S+ PRIVMSG #home :two ü$/)
  assert.match(await bob.next(/PRIVMSG/), /^:heron!\S+ PRIVMSG bob ::three$/)
})

irc('A3 a long message arrives whole, in lines that the server relays uncut', async (scene) => {
  const { adapter } = adapterOf(scene, configOf(scene.server.port))
  const reader = adapterOf(scene, configOf(scene.server.port, { nick: 'reader' }))
  await adapter.open(never, null)
  await reader.adapter.open(never, null)
  const text = 'Der Reiher fängt Fische 🐟 '.repeat(50).trim()

  await adapter.deliver({ target: '#home', text, deliveryId: 'd' })

  const heard = (): string => reader.heard.messages.map((message) => message.text).join(' ')
  await reader.heard.until(() => heard().length >= text.length)
  assert.is(heard(), text)
  assert.ok(reader.heard.messages.length > 3)
})

irc('A4 notices, questions by CTCP and our own words are not heard; actions are', async (scene) => {
  const bob = await join(scene, 'bob', '#home')
  const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)

  bob.send('NOTICE #home :heron: a notice')
  bob.send('PRIVMSG heron :\u0001VERSION\u0001')
  bob.send('PRIVMSG heron :\u0001PING 123\u0001')
  await adapter.deliver({ target: '#home', text: 'heron: my own words', deliveryId: 'd' })
  await adapter.deliver({ target: 'heron', text: 'to myself', deliveryId: 'd' })
  bob.send('PRIVMSG #home :\u0001ACTION waves\u0001')
  await heard.until(() => heard.messages.length > 0)

  assert.equal(
    heard.messages.map(({ text }) => text),
    ['* bob waves'],
  )
})

irc('A5 a nick that is not there is a refusal: not sent, not to be retried', async (scene) => {
  const { adapter } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)

  const fault = await faultOf(adapter.deliver({ target: 'nobody', text: 'a\nb', deliveryId: 'd' }))
  const next = await adapter.deliver({ target: '#home', text: 'still here', deliveryId: 'd2' })

  assert.equal([fault.sent, fault.retryable], ['no', false])
  assert.match(fault.message, /nobody: No such nick/)
  assert.equal(next, { messageId: null })
})

irc(
  'A6 a room that lets only members speak is a refusal; each message gets its own',
  async (scene) => {
    const bob = await join(scene, 'bob', '#closed')
    bob.send('MODE #closed +n')
    await bob.next(/MODE #closed \+n/)
    const { adapter } = adapterOf(scene, configOf(scene.server.port))
    await adapter.open(never, null)

    const [refused, sent, unknown] = await Promise.allSettled([
      adapter.deliver({ target: '#CLOSED', text: 'x', deliveryId: '1' }),
      adapter.deliver({ target: 'bob', text: 'y', deliveryId: '2' }),
      adapter.deliver({ target: 'nobody', text: 'z', deliveryId: '3' }),
    ])

    assert.is(refused?.status, 'rejected')
    assert.match(String(refused?.status === 'rejected' && refused.reason), /#CLOSED: /)
    assert.is(sent?.status, 'fulfilled')
    assert.match(String(unknown?.status === 'rejected' && unknown.reason), /nobody: /)
  },
)

irc(
  'A7 targets and texts that IRC cannot carry are refused before anything is written',
  async (scene) => {
    const { adapter } = adapterOf(scene, configOf(scene.server.port))
    await adapter.open(never, null)

    for (const target of ['#home,bob', 'a b', '', '$*', 'bob\r\nQUIT :x']) {
      const fault = await faultOf(adapter.deliver({ target, text: 'x', deliveryId: 'd' }))
      assert.equal([fault.sent, fault.retryable], ['no', false], target)
    }
    const empty = await faultOf(adapter.deliver({ target: '#home', text: ' \n ', deliveryId: 'd' }))
    assert.equal([empty.sent, empty.retryable], ['no', false])
  },
)

irc('A8 the lines of two messages do not mix', async (scene) => {
  const bob = await join(scene, 'bob', '#home')
  const { adapter } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)

  await Promise.all([
    adapter.deliver({ target: '#home', text: 'a1\na2', deliveryId: '1' }),
    adapter.deliver({ target: '#home', text: 'b1\nb2', deliveryId: '2' }),
  ])

  for (const line of ['a1', 'a2', 'b1', 'b2'])
    assert.match(await bob.next(/PRIVMSG/), new RegExp(`:${line}$`))
})

irc('A9 lines behind a burst wait for their turn', async (scene) => {
  const clock = manualClock()
  const bob = await join(scene, 'bob', '#home')
  const { adapter } = adapterOf(scene, configOf(scene.server.port), { clock })
  await adapter.open(never, null)
  const waits = clock.due().length

  const text = Array.from({ length: 7 }, (_, index) => `line ${index}`).join('\n')
  const delivered = adapter.deliver({ target: '#home', text, deliveryId: 'd' })
  await bob.next(/line 4/)

  assert.is(clock.due().length, waits + 1)
  assert.ok(clock.due().includes(limits.ircLineIntervalMs))
  await clock.pass(limits.ircLineIntervalMs)
  await bob.next(/line 5/)
  await clock.pass(limits.ircLineIntervalMs)
  await bob.next(/line 6/)
  await delivered
})

irc(
  'A10 a killed server is told once; then nothing is sent and retrying is safe',
  async (scene) => {
    const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))
    await adapter.open(never, null)

    await scene.server.stop()
    await heard.until(() => heard.dropped.length > 0)
    const fault = await faultOf(adapter.deliver({ target: '#home', text: 'x', deliveryId: 'd' }))

    assert.equal([fault.sent, fault.retryable], ['no', true])
    await adapter.close()
    assert.is(heard.dropped.length, 1)
  },
)

irc('A11 a link that dies behind the last line leaves "maybe"', async (scene) => {
  const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)

  scene.server.freeze()
  const delivered = faultOf(adapter.deliver({ target: '#home', text: 'x', deliveryId: 'd' }))
  await new Promise((resolve) => setImmediate(resolve))
  await scene.server.stop()
  const fault = await delivered

  assert.equal([fault.sent, fault.retryable], ['maybe', false])
  assert.is(heard.dropped.length, 1)
})

irc(
  'A12 F40 a silent server is asked every minute and given up without an answer',
  async (scene) => {
    const clock = manualClock()
    const { adapter, heard } = adapterOf(scene, configOf(scene.server.port), { clock })
    await adapter.open(never, null)
    assert.equal(clock.due(), [limits.ircPingMs])

    await clock.pass(limits.ircPingMs) // Answered: the next question is armed again.
    while (!clock.due().includes(limits.ircPingMs))
      await new Promise((resolve) => setImmediate(resolve))
    assert.equal(clock.due(), [limits.ircPingMs])
    scene.server.freeze()
    await clock.pass(limits.ircPingMs)
    assert.equal(clock.due(), [limits.ircPongMs])
    await clock.pass(limits.ircPongMs)

    assert.equal(heard.dropped, [`no answer to a ping in ${limits.ircPongMs} ms`])
    assert.equal(clock.due(), [])
  },
)

irc('A13 a taken nick gets an underscore; three taken ones are a refusal', async (scene) => {
  const heron = await join(scene, 'heron')
  const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))
  await adapter.open(never, null)
  heron.send('PRIVMSG heron_ :hi')
  await heard.until(() => heard.messages.length === 1)
  await join(scene, 'heron__')
  const second = adapterOf(scene, configOf(scene.server.port))

  const refusal = await refusalOf(second.adapter.open(never, null))

  assert.is(refusal.code, 'UNAVAILABLE')
  assert.match(refusal.message, /nick "heron__" was refused/)
  assert.equal(second.heard.dropped, [])
})

irc('A14 a room that cannot be joined is a refusal that names it', async (scene) => {
  const bob = await join(scene, 'bob', '#locked')
  bob.send('MODE #locked +i')
  await bob.next(/MODE #locked \+i/)
  const { adapter } = adapterOf(scene, configOf(scene.server.port, { rooms: ['#home', '#Locked'] }))

  const refusal = await refusalOf(adapter.open(never, null))

  assert.match(refusal.message, /room #\w+ cannot be joined: .*invite/i)
})

irc('A15 a wrong password is refused as one, a right one opens', async (scene) => {
  const guarded = await startNgircd({ password: 'sesame' })
  try {
    const wrong = adapterOf(scene, configOf(guarded.port, { password: 'hunter2' }))
    const none = adapterOf(scene, configOf(guarded.port))
    const right = adapterOf(scene, configOf(guarded.port, { password: 'sesame' }))

    const refusal = await refusalOf(wrong.adapter.open(never, null))
    assert.is((await refusalOf(none.adapter.open(never, null))).code, 'UNAUTHORIZED')
    await right.adapter.open(never, null)

    assert.is(refusal.code, 'UNAUTHORIZED')
    assert.not.match(refusal.message, /hunter2/)
    assert.equal(wrong.heard.dropped, [])
  } finally {
    await guarded.stop()
  }
})

irc('A16 after a goodbye the same adapter opens again', async (scene) => {
  const bob = await join(scene, 'bob', '#home')
  const { adapter, heard } = adapterOf(scene, configOf(scene.server.port))

  await adapter.open(never, null)
  await adapter.close()
  await bob.next(/^:heron!.* QUIT/)
  const closed = await faultOf(adapter.deliver({ target: '#home', text: 'x', deliveryId: 'd' }))
  await adapter.open(never, null)
  await adapter.deliver({ target: '#home', text: 'again', deliveryId: 'd' })

  assert.match(await bob.next(/PRIVMSG/), /:again$/)
  assert.equal([closed.sent, closed.retryable], ['no', true])
  assert.equal(heard.dropped, [])
})

irc(
  'A17 messages are handed over one by one; a refused one does not stop the next',
  async (scene) => {
    const bob = await join(scene, 'bob', '#home')
    let running = 0
    const { adapter, heard } = adapterOf(scene, configOf(scene.server.port), {
      received: async ({ text }) => {
        running += 1
        assert.is(running, 1)
        for (let turn = Number(text) % 3; turn > 0; turn -= 1)
          await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        if (text === '4') throw new Error('the disk is full')
      },
    })
    await adapter.open(never, null)

    for (let index = 0; index < 10; index += 1) bob.send(`PRIVMSG #home :${index}`)
    await heard.until(() => heard.messages.length === 9)

    assert.is(heard.messages.map(({ text }) => text).join(''), '012356789')
  },
)

irc('A18 a port where nobody listens is told', async (scene) => {
  const { port } = scene.server
  await scene.server.stop()
  const { adapter, heard } = adapterOf(scene, configOf(port))

  const refusal = await refusalOf(adapter.open(never, null))

  assert.is(refusal.code, 'UNAVAILABLE')
  assert.match(refusal.message, /ECONNREFUSED/)
  assert.equal(heard.dropped, [])
})

irc.run()
