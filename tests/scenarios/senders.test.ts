/** Unknown senders on a real IRC server: one code, an owner's word, a restart, and why. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cli } from '../support/cli.ts'
import {
  closeIrcScene,
  connectClient,
  enter,
  ircChannel,
  type IrcScene,
  openIrcScene,
  startGatewayOf,
} from '../support/irc-scene.ts'
import { streamOf } from '../support/journal.ts'
import { KEYLESS, UpstreamClient } from '../support/upstream-client.ts'
import { within } from '../support/wait.ts'

type Row = Readonly<Record<string, unknown>>

const scenario = suite<IrcScene>('senders scenario')
scenario.before.each(async (scene) => {
  await openIrcScene(scene, ({ irc }) => ({
    channels: { irc: { ...ircChannel(irc.port), dmPolicy: 'pairing' } },
  }))
})
scenario.after.each(closeIrcScene)

const verb = (scene: IrcScene, ...args: string[]) =>
  cli(scene.state.path, ['pairing', ...args, '--port', String(scene.gateway.port)])

const codeIn = (line: string): string => /Your code is (\S+)\./.exec(line)?.[1] ?? ''

const rulesOf = async (scene: IrcScene): Promise<unknown[]> => {
  const records = await streamOf(scene.state.journal, 'channel:irc')
  return records
    .filter(({ event }) => event.type === 'message.received')
    .map(({ effects, sends }) => [effects.map(({ name }) => name), sends.length])
}

scenario(
  'D-22 one code, nothing else; approved by the verb; known after a restart',
  async (scene) => {
    const ann = await enter(scene, 'ann')
    const client = await connectClient(scene)

    ann.send('PRIVMSG heron :hello?')
    const code = codeIn(await within(ann.next(/PRIVMSG ann :I do not know you yet/), 'a code'))
    ann.send('PRIVMSG heron :hello again')
    const list = await client.request('channel.pairing.list', { channel: 'irc' })
    assert.equal(
      (list.payload['pending'] as { senderId: string }[]).map(({ senderId }) => senderId),
      ['ann'],
    )

    const wrong = await verb(scene, 'approve', 'irc', 'AAAA-AAAA')
    assert.match(wrong.stderr, 'no sender waits with this code')
    const right = await verb(scene, 'approve', 'irc', code.toLowerCase())
    assert.equal([right.code, right.stdout], [0, 'ann at irc: let in\n'])
    ann.send('PRIVMSG heron :may I now?')
    await within(ann.next(/PRIVMSG ann :I heard: may I now\?/), 'an answer')
    await scene.gateway.kill()
    await startGatewayOf(scene)
    ann.send('PRIVMSG heron :and now?')
    await within(ann.next(/PRIVMSG ann :I heard: and now\?/), 'an answer')

    assert.is(ann.heard().length, 3)
    assert.equal(await rulesOf(scene), [
      [['code.tell'], 0],
      [[], 0],
      [[], 1],
      [[], 1],
    ])
    // The code itself is nowhere on disk: not in a record, not in a body, not in the log.
    const files = readdirSync(scene.state.path, { recursive: true, withFileTypes: true })
    for (const file of files.filter((entry) => entry.isFile())) {
      const bytes = readFileSync(join(file.parentPath, file.name))
      assert.not.ok(bytes.includes(code) || bytes.includes(code.replace('-', '')), file.name)
    }
  },
)

scenario(
  'D-22 upstream’s clients let a sender in, or send them away, without the code',
  async (scene) => {
    const client = new UpstreamClient(`ws://127.0.0.1:${scene.gateway.port}`)
    scene.clients.push(client)
    await client.knock({ ...KEYLESS, auth: {} })
    const waiting = async () => (await client.get('channels.pairing.list'))['requests'] as Row[]
    for (const nick of ['ann', 'ben']) {
      const user = await enter(scene, nick)
      user.send('PRIVMSG heron :hello?')
      await within(user.next(/I do not know you yet/), 'a code')
    }

    const rows = await waiting()
    const requestOf = (nick: string) => {
      const found = rows.find(({ senderId }) => senderId === nick)
      return { channel: 'irc', accountId: 'default', requestId: found?.['requestId'] }
    }
    const wish = { ...requestOf('ann'), notify: true }
    const done = await client.get('channels.pairing.approve', wish)
    assert.equal([done['senderId'], done['notification']], ['ann', 'unsupported'])
    assert.is((await client.get('channels.pairing.dismiss', requestOf('ben')))['senderId'], 'ben')

    assert.equal(await waiting(), [])
    const again = await client.ask('channels.pairing.approve', requestOf('ben'))
    assert.is(again.error?.message, 'pending DM access request no longer exists')
    const other = await client.ask('channels.pairing.dismiss', {
      ...wish,
      notify: undefined,
      channel: 'x',
    })
    assert.is(other.error?.details?.['path'], 'channel')
    const { payload } = await (
      await connectClient(scene)
    ).request('channel.pairing.list', {
      channel: 'irc',
    })
    assert.equal(payload['approved'], ['ann'])
    assert.equal(client.faults, [])
  },
)

scenario('D-22 a code alone finds its sender; who was let in can be turned away', async (scene) => {
  const ben = await enter(scene, 'ben')
  ben.send('PRIVMSG heron :hello?')
  const code = codeIn(await within(ben.next(/PRIVMSG ben :I do not know you yet/), 'a code'))

  const wrong = await verb(scene, 'approve', 'AAAA-AAAA')
  const scoped = await verb(scene, 'approve', code, '--scopes', 'operator.read')
  const right = await verb(scene, 'approve', code)
  const twice = await verb(scene, 'approve', code)
  const list = await verb(scene, 'list', 'irc')
  const stranger = await verb(scene, 'reject', 'irc', '--sender', 'ann')
  const away = await verb(scene, 'reject', 'irc', '--sender', 'ben')
  ben.send('PRIVMSG heron :and now?')
  const next = codeIn(await within(ben.next(/I do not know you yet/), 'another code'))
  const rejected = await verb(scene, 'reject', next)

  assert.equal([wrong.code, scoped.code, twice.code, stranger.code], [10, 1, 10, 10])
  assert.equal([right.code, right.stdout], [0, 'ben at irc: let in\n'])
  assert.match(list.stdout, /^ben +let in$/m)
  assert.equal([away.stdout, rejected.stdout], Array(2).fill('ben at irc: turned away\n'))
  assert.is.not(next, code)
  const records = await streamOf(scene.state.journal, 'channel:irc')
  assert.equal(
    records.map(({ event }) => event.type).filter((type) => /^(?:sender|code)\./.test(type)),
    ['code.missed', 'sender.approved', 'sender.rejected', 'sender.rejected'],
  )
})

scenario(
  'S33 wrong codes are counted, also over a restart, and then none is looked at',
  async (scene) => {
    const ann = await enter(scene, 'ann')
    ann.send('PRIVMSG heron :hello?')
    const code = codeIn(await within(ann.next(/PRIVMSG ann :I do not know you yet/), 'a code'))
    const approve = async (text: string): Promise<string> => {
      const client = await connectClient(scene)
      const { ok, error } = await client.request('channel.pairing.approve', {
        channel: 'irc',
        code: text,
      })
      return ok ? 'ok' : (error?.code ?? '')
    }

    for (let n = 0; n < 4; n += 1) assert.is(await approve('AAAA-AAAA'), 'NOT_FOUND')
    await scene.gateway.kill()
    await startGatewayOf(scene)
    assert.is(await approve('AAAA-AAAA'), 'NOT_FOUND')

    assert.is(await approve(code), 'RATE_LIMITED')
    const records = await streamOf(scene.state.journal, 'channel:irc')
    assert.is(records.filter(({ event }) => event.type === 'code.missed').length, 5)
  },
)

scenario.run()
