/**
 * The main job, end to end: people on a real IRC server, a real model server over HTTP, the
 * gateway in a process that is killed, and clients that see every step.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadOpenWork } from '../../actors/projector.ts'
import { readText } from '../../actors/bodies.ts'
import type { ChannelContext } from '../../machines/channel.ts'
import type { SessionContext } from '../../machines/session.ts'
import type { StreamId } from '../../protocol/ids.ts'
import {
  channelIs,
  closeIrcScene,
  connectClient,
  enter,
  type IrcScene,
  openIrcScene,
  startGatewayOf,
} from '../support/irc-scene.ts'
import { recordsOf, replayFromZero, withReader } from '../support/journal.ts'
import { startNgircd } from '../support/ngircd.ts'
import { until, within } from '../support/wait.ts'
import type { Frame, TestClient } from '../support/client.ts'

const ANN: StreamId = 'session:agent:main:irc:direct:ann'

const scenario = suite<IrcScene>('irc scenario')
scenario.before.each(openIrcScene)
scenario.after.each(closeIrcScene)

const sessions = async (client: TestClient): Promise<Record<string, unknown>[]> =>
  (await client.request('sessions.list')).payload['sessions'] as Record<string, unknown>[]

const lastPosition = (client: TestClient): number =>
  Math.max(0, ...client.events.map(({ payload }) => Number(payload['position'] ?? 0)))

scenario('C1 each is answered where they asked, and a client sees every step', async (scene) => {
  const ann = await enter(scene, 'ann', '#home')
  const bob = await enter(scene, 'Bob', '#home')
  const client = await connectClient(scene)

  ann.send('PRIVMSG heron :a secret')
  assert.match(
    await within(ann.next(/PRIVMSG/), 'answer'),
    /^:heron!\S+ PRIVMSG ann :I heard: a secret$/,
  )
  bob.send('PRIVMSG heron :another secret')
  assert.match(
    await within(bob.next(/PRIVMSG/), 'answer'),
    / PRIVMSG Bob :I heard: another secret$/,
  )
  bob.send('PRIVMSG #home :heron: what time is it?')
  assert.match(
    await within(ann.next(/PRIVMSG.*heard/), 'answer'),
    /^:heron!\S+ PRIVMSG #home :I heard: what time/,
  )
  await client.event('delivery', ({ deliveryId }) => deliveryId === deliveryOf(client, '#home'))

  const rows = await sessions(client)
  assert.equal(
    rows.map(({ key, peer, messageCount }) => [key, peer, messageCount]),
    [
      ['agent:main:irc:channel:#home', '#home', 2],
      ['agent:main:irc:direct:bob', 'bob', 2],
      ['agent:main:irc:direct:ann', 'ann', 2],
    ],
  )
  const steps = client.events.filter(({ event }) => !['presence', 'tick'].includes(event ?? ''))
  const chats = steps.filter(({ event }) => event === 'chat')
  assert.equal(
    chats.map(({ payload: { channel, peer, text } }) => [channel, peer, text]),
    [
      ['irc', 'ann', 'a secret'],
      ['irc', 'bob', 'another secret'],
      ['irc', '#home', 'what time is it?'],
    ],
  )
  for (const { payload } of chats) assertSteps(steps, payload)
})

/** One message was accepted, its run streamed, and its answer delivered, in this order. */
function assertSteps(steps: readonly Frame[], { runId }: Frame['payload']): void {
  const own = steps.filter(
    ({ payload }) =>
      payload['runId'] === runId || payload['deliveryId'] === `reply-${String(runId)}`,
  )
  const names = own.map(({ event }) => event).filter((name, i, all) => name !== all[i - 1])
  assert.equal(names, ['chat', 'agent', 'agent.delta', 'agent.done', 'delivery'])
  const said = own
    .filter(({ event }) => event === 'agent.delta')
    .map(({ payload }) => payload['text'])
  assert.is(said.join(''), own.at(-2)?.payload['text'])
  assert.is(own.at(-1)?.payload['status'], 'sent')
}

function deliveryOf(client: TestClient, peer: string): string {
  const chat = client.events.find(
    ({ event, payload }) => event === 'chat' && payload['peer'] === peer,
  )
  return `reply-${String(chat?.payload['runId'])}`
}

scenario(
  'C2 what is not meant for the bot is recorded with its rule, and not answered',
  async (scene) => {
    const ann = await enter(scene, 'ann', '#home')

    ann.send('PRIVMSG #home :only chatting')
    ann.send('PRIVMSG #home :heron: and you?')
    await within(ann.next(/PRIVMSG #home :I heard: and you\?/), 'answer')

    assert.equal(ann.heard(), ['#home I heard: and you?'])
    assert.is(scene.model.getRequests().length, 1)
    const records = await recordsOf(scene.state.journal)
    const received = records.filter(({ event }) => event.type === 'message.received')
    assert.equal(
      received.map(({ event, sends }) => [event['mentioned'], sends.length]),
      [
        [false, 0],
        [true, 1],
      ],
    )
    const { refused, rule } = await withReader(scene.state.journal, (reader) => {
      const upTo = received[0]!.version
      const { snapshot } = replayFromZero(reader, 'channel:irc', upTo)
      return snapshot.context as ChannelContext
    })
    assert.equal([refused, rule], [1, 'group.notMentioned'])
  },
)

scenario(
  'F01 killed in the middle of an answer: the session stands, and the answer comes once',
  async (scene) => {
    const ann = await enter(scene, 'ann')
    const before = await connectClient(scene)
    ann.send('PRIVMSG heron :good morning')
    await within(ann.next(/I heard: good morning/), 'first answer')
    await before.event('delivery', ({ status }) => status === 'sent')
    const content = 'a long story about a heron who stands in the water and waits'
    scene.model
      .clearFixtures()
      .on({ userMessage: 'story' }, { content }, { chunkSize: 2, latency: 40 })

    ann.send('PRIVMSG heron :tell me a story')
    const { runId } = (await before.event('chat', ({ text }) => text === 'tell me a story')).payload
    await before.event('agent.delta', (delta) => delta['runId'] === runId && delta['index'] === 3)
    const rowsBefore = await sessions(before)
    await scene.gateway.kill()
    const left = await withReader(scene.state.journal, loadOpenWork)
    assert.equal(
      [...left.effects.values()].map(({ name }) => name),
      ['model.call'],
    )
    let answer = (): void => {}
    const gate = new Promise<void>((resolve) => {
      answer = resolve
    })
    scene.model.clearFixtures().on({}, () => gate.then(() => ({ content })))
    await startGatewayOf(scene)

    const after = await connectClient(scene, { resumeFrom: lastPosition(before) })
    assert.equal(await sessions(after), rowsBefore)
    assert.is(scene.gateway.recovered.effectsLost, 1)
    await after.event('agent', ({ status, attempt }) => status === 'retrying' && attempt === 2)
    answer()
    assert.match(await within(ann.next(/PRIVMSG/), 'answer'), new RegExp(`:${content}$`))
    const done = await after.event('agent.done')
    await after.event(
      'delivery',
      ({ deliveryId }) => deliveryId === `reply-${String(done.payload['runId'])}`,
    )

    assert.equal(ann.heard(), ['ann I heard: good morning', `ann ${content}`])
    const { context, texts } = await withReader(scene.state.journal, (reader) => {
      const { snapshot } = replayFromZero(reader, ANN)
      const { history } = snapshot.context as SessionContext
      return {
        context: snapshot.context as SessionContext,
        texts: history.map(({ role, ref }) => `${role}: ${readText(reader, ref)}`),
      }
    })
    assert.equal([context.turn, context.queue, context.current], [2, [], null])
    assert.equal(texts, [
      'user: good morning',
      'assistant: I heard: good morning',
      'user: tell me a story',
      `assistant: ${content}`,
    ])
    const asked = scene.model
      .getRequests()
      .map(({ body }) => (body as { messages: object[] }).messages)
    assert.is(asked.length, 3)
    assert.equal(asked[2]?.slice(-3), asked[1]?.slice(-3))
  },
)

scenario(
  'F03 PR5 killed while the server is silent: the message is uncertain, and not sent again',
  async (scene) => {
    const ann = await enter(scene, 'ann')
    const client = await connectClient(scene)

    scene.irc.freeze()
    const params = { channel: 'irc', target: 'ann', message: 'once at most', idempotencyKey: 'k' }
    const { payload } = await client.request('send', params)
    const stream = `delivery:${String(payload['deliveryId'])}`
    await until(
      async () =>
        (await recordsOf(scene.state.journal)).some(
          (record) => record.kind === 'started' && record.stream === stream,
        ),
      'start marker',
    )
    await scene.gateway.kill()
    scene.irc.thaw()
    await startGatewayOf(scene)

    const again = await connectClient(scene, { resumeFrom: Number(payload['position']) })
    const told = await again.event('delivery')
    assert.is(told.payload['status'], 'uncertain')
    assert.equal((await again.request('send', params)).payload, payload)
    await again.request('send', { ...params, message: 'the next one', idempotencyKey: 'k2' })
    await within(ann.next(/the next one/), 'next message')
    assert.ok(ann.heard().filter((text) => text === 'ann once at most').length <= 1)
  },
)

scenario(
  'F38 the IRC server is killed and comes back: the channel dials again and answers',
  async (scene) => {
    const client = await connectClient(scene)
    const { port } = scene.irc

    await scene.irc.stop()
    await channelIs(client, 'connecting')
    scene.irc = await startNgircd({ port })
    await channelIs(client, 'connected')
    const ann = await enter(scene, 'ann')
    ann.send('PRIVMSG heron :are you back?')

    assert.match(await within(ann.next(/PRIVMSG/), 'answer'), /I heard: are you back\?$/)
    const channel = (await recordsOf(scene.state.journal)).filter(
      ({ stream }) => stream === 'channel:irc',
    )
    assert.equal(
      channel.map(({ value }) => value).filter((value, i, all) => value !== all[i - 1]),
      ['starting', 'online', 'backingOff', 'starting', 'online'],
    )
  },
)

scenario(
  'F38 PR4 what is sent while the server is away goes out when it is back, also after a kill',
  async (scene) => {
    const client = await connectClient(scene)
    const { port } = scene.irc
    await scene.irc.stop()
    await channelIs(client, 'connecting')

    const params = { channel: 'irc', target: 'ann', message: 'while you were away' }
    const { payload } = await client.request('send', params)
    await scene.gateway.kill()
    scene.irc = await startNgircd({ port })
    const ann = await enter(scene, 'ann')
    await startGatewayOf(scene)

    await within(ann.next(/while you were away/), 'message', 3_000)
    const after = await connectClient(scene, { resumeFrom: Number(payload['position']) })
    await after.event('delivery', ({ status }) => status === 'sent')
    const { deliveryId } = payload
    const own = (await recordsOf(scene.state.journal)).filter(
      ({ stream }) => stream === `delivery:${String(deliveryId)}`,
    )
    assert.equal(
      own.map(({ kind, event: { type } }) => [kind, type]),
      [
        ['event', 'delivery.requested'],
        ['event', 'effect.lost'],
        ['started', 'effect.started'],
        ['event', 'effect.done'],
      ],
    )
  },
)

scenario(
  'I7 a message sent with a key arrives once, asked twice and again after a restart',
  async (scene) => {
    const ann = await enter(scene, 'ann')
    const params = {
      channel: 'irc',
      target: 'ann',
      message: 'tea is ready',
      idempotencyKey: 'tea-1',
    }
    const client = await connectClient(scene)

    const [first, second] = await Promise.all([
      client.request('send', params),
      client.request('send', params),
    ])
    await client.event('delivery', ({ status }) => status === 'sent')
    await scene.gateway.kill()
    await startGatewayOf(scene)
    const after = await connectClient(scene)
    const third = await after.request('send', params)
    const other = await after.request('send', { ...params, message: 'coffee is ready' })
    await after.request('send', { ...params, message: 'good bye', idempotencyKey: 'bye' })

    await within(ann.next(/good bye/), 'last message')
    assert.equal(ann.heard(), ['ann tea is ready', 'ann good bye'])
    assert.equal(second?.payload, first?.payload)
    assert.equal(third.payload, first?.payload)
    assert.is(other.error?.code, 'IDEMPOTENCY_CONFLICT')
    const records = await recordsOf(scene.state.journal)
    assert.is(records.filter(({ event }) => event.type === 'delivery.requested').length, 2)
  },
)

scenario.run()
