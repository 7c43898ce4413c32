/**
 * Tools that ask, on a real IRC server: who is asked where, who may answer, and what is run once.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../actors/services.ts'
import {
  channelIs,
  closeIrcScene,
  connectClient,
  enter,
  ircChannel,
  ircConfig,
  type IrcScene,
  openIrcScene,
  startGatewayOf,
} from '../support/irc-scene.ts'
import { startTestGateway } from '../support/gateway.ts'
import { cli } from '../support/cli.ts'
import { streamOf } from '../support/journal.ts'
import type { IrcUser } from '../support/ngircd.ts'
import { within } from '../support/wait.ts'

interface Scene extends IrcScene {
  ann: IrcUser // may decide
  eve: IrcUser // may speak, and nothing else
}

const scenario = suite<Scene>('approvals scenario')

// A network without accounts: who decides by nick is named for it.
const LISTED = { allowFrom: ['ann', 'oda'], execApprovals: { approvers: ['ann', 'oda'] } }

/** Ann alone is listed; trouble is told to the bot's owner, oda. */
function changesOf(scene: IrcScene): object {
  const workspace = join(scene.state.path, 'work')
  mkdirSync(workspace, { recursive: true })
  return {
    agents: { defaults: { model: 'home/test', workspace } },
    channels: { irc: { ...ircChannel(scene.irc.port), ...LISTED } },
    gateway: { alerts: { channel: 'irc', target: 'oda' } },
  }
}

scenario.before.each(async (scene) => {
  await openIrcScene(scene, changesOf)
  scene.model.clearFixtures().on({}, ({ messages }) => {
    const { role, content } = messages.at(-1) ?? {}
    if (role === 'tool') return { content: `It said: ${JSON.stringify(content)}` }
    const command = 'echo once >> ran; echo done'
    return { toolCalls: [{ name: 'exec', arguments: JSON.stringify({ command }) }] }
  })
  scene.ann = await enter(scene, 'ann', '#home')
  scene.eve = await enter(scene, 'eve', '#home')
})
scenario.after.each(closeIrcScene)

/** How often the command has run. */
function runs({ state }: Scene): number {
  try {
    return readFileSync(join(state.path, 'work', 'ran'), 'utf8').split('\n').length - 1
  } catch {
    return 0
  }
}

/** The id in the question that a person is sent next. */
async function idAsked(person: IrcUser): Promise<string> {
  const line = await within(person.next(/\/approve \S+ once/), 'a question')
  return /\/approve (\S+) once/.exec(line)?.[1] ?? ''
}

async function says(person: IrcUser, text: string, answer: RegExp): Promise<string> {
  person.send(`PRIVMSG heron :${text}`)
  return within(person.next(answer), `answer to ${text}`)
}

scenario(
  'AQ1 who may decide is asked where they wrote; a stranger is refused, and it runs once',
  async (scene) => {
    const { ann, eve } = scene
    ann.send('PRIVMSG heron :clean up')
    const id = await idAsked(ann)
    assert.match(ann.heard().join('\n'), /May exec \(built-in\) be run\? ann on irc asked/)
    assert.ok(ann.heard().some((line) => line.includes('"echo once >> ran; echo done"')))

    await says(eve, `/approve ${id} once`, /not for you to decide/)
    assert.is(runs(scene), 0)
    await says(ann, `/approve ${id.toUpperCase()} once`, /Allowed this once/)
    await within(ann.next(/It said: .done/), 'an answer')
    await says(ann, `/approve ${id} deny`, /It was allowed already/)

    assert.is(runs(scene), 1)
    assert.is(eve.heard().length, 1)
    const { payload } = await (await connectClient(scene)).request('approval.list', {})
    assert.equal(payload['approvals'], [])
  },
)

scenario(
  'AQ2 what is asked for in a room, or by a stranger, is shown to the owner alone',
  async (scene) => {
    const { ann, eve } = scene
    const oda = await enter(scene, 'oda')
    ann.send('PRIVMSG #home :heron: clean up')
    const first = await idAsked(oda)
    await says(oda, `/approve ${first} deny`, /Denied/)
    await within(ann.next(/PRIVMSG #home :.*It said: .This call was not made/), 'an answer')

    eve.send('PRIVMSG heron :clean up')
    const second = await idAsked(oda)
    assert.ok(oda.heard().some((line) => line.includes('eve on irc asked')))
    await says(oda, `/approve ${second} once`, /Allowed this once/)
    await within(eve.next(/It said: .done/), 'an answer')

    assert.is(runs(scene), 1)
    for (const person of [ann, eve]) assert.not.match(person.heard().join('\n'), /approve|ran;/)
  },
)

scenario('AQ3 a question outlives kill -9; answered then, its call runs once', async (scene) => {
  const { ann } = scene
  ann.send('PRIVMSG heron :clean up')
  const id = await idAsked(ann)
  await scene.gateway.kill()
  await startGatewayOf(scene)

  await says(ann, `/approve ${id} once`, /Allowed this once/)
  await within(ann.next(/It said: .done/), 'an answer')

  assert.is(runs(scene), 1)
  const call = (await streamOf(scene.state.journal, 'channel:irc')).at(-1)
  const [send] = call?.sends ?? []
  assert.equal([send?.event.type, send?.event['by']], ['exec.answered', 'ann'])
  const [, decided] = await streamOf(scene.state.journal, send?.to ?? 'approval:')
  assert.is(decided?.cause, `${call?.position}.s0`)
})

scenario('AQ4 what comes behind the deadline decides nothing, and is told so', async (scene) => {
  const { ann, eve } = scene
  await scene.gateway.stop()
  let lateMs = 0
  const clock = { ...systemClock, now: () => systemClock.now() + lateMs }
  const config = { ...ircConfig(scene), ...changesOf(scene) }
  const house = await startTestGateway({ config, services: { clock } })
  const client = house.client()
  try {
    await client.connect()
    await channelIs(client, 'connected')
    ann.send('PRIVMSG heron :clean up')
    const id = await idAsked(ann)
    lateMs = 31 * 60_000

    await says(ann, `/approve ${id} once`, /Its time is over, and it was not done/)
    await says(ann, '/approve 1a2b3c4d once', /Nothing waits for a decision as/)
    await says(ann, `/approve ${id}`, /Write \/approve ID once/)
    await says(eve, '/approve 1a2b3c4d once', /not for you to decide/)
    assert.is(runs(scene), 0)
  } finally {
    await client.close()
    await house.stop()
  }
})

scenario('AQ5 always: not asked the next time, and again once revoked', async (scene) => {
  const { ann } = scene
  const verb = (...args: string[]) =>
    cli(scene.state.path, ['approvals', ...args, '--port', String(scene.gateway.port)])
  ann.send('PRIVMSG heron :clean up')
  await says(ann, `/approve ${await idAsked(ann)} always`, /from now on without asking/)
  await within(ann.next(/It said: .done/), 'an answer')

  await says(ann, 'clean up again', /It said: .done/)
  const { stdout } = await verb('grants')
  const [, grantId = ''] =
    /^([0-9a-f]{32}) +"echo once.*exec \(built-in\) +irc:ann/m.exec(stdout) ?? []
  assert.is((await verb('revoke', grantId)).stdout, `revoked ${grantId}\n`)
  ann.send('PRIVMSG heron :clean up once more')
  await says(ann, `/approve ${await idAsked(ann)} deny`, /Denied/)

  assert.is(runs(scene), 2)
  assert.is((await verb('revoke', 'nobody')).code, 10)
})

scenario.run()
