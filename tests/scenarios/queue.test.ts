/**
 * People who write while an answer is on its way, on a real IRC server: queue modes and directives as
 * they are seen in the channel.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { closeIrcScene, enter, hearAll, type IrcScene, openIrcScene } from '../support/irc-scene.ts'
import type { IrcUser } from '../support/ngircd.ts'
import { until, within } from '../support/wait.ts'

interface Scene extends IrcScene {
  ann: IrcUser
}

const scenario = suite<Scene>('queue scenario')
scenario.before.each(async (scene) => {
  await openIrcScene(scene)
  const content = 'It was a dark and stormy night, and nobody was on the road at all.'
  scene.model
    .clearFixtures()
    .on({ userMessage: 'story' }, { content }, { chunkSize: 2, latency: 30 })
  hearAll(scene.model)
  scene.ann = await enter(scene, 'ann')
})
scenario.after.each(closeIrcScene)

async function told({ ann }: Scene, text: string): Promise<string> {
  ann.send(`PRIVMSG heron :${text}`)
  const line = await within(ann.next(/PRIVMSG ann/), `answer to ${text}`)
  return line.slice(line.indexOf(' :') + 2)
}

/** Asks for the story; resolves when the model is telling it. */
async function beginStory({ ann, model }: Scene): Promise<void> {
  const asked = model.getRequests().length
  ann.send('PRIVMSG heron :tell a story')
  await until(() => model.getRequests().length > asked, 'story begun')
}

const lastPrompt = ({ model }: Scene): unknown[] => {
  const { messages = [] } = (model.getRequests().at(-1)?.body ?? {}) as {
    messages?: { role: string; content: unknown }[]
  }
  return messages.filter(({ role }) => role === 'user').map(({ content }) => content)
}

scenario('QM3 collect: who writes in pieces gets one answer to all of them', async (scene) => {
  assert.is(await told(scene, '/queue collect'), 'The queue mode is collect now.')
  await beginStory(scene)
  for (const word of ['one', 'two', 'three']) scene.ann.send(`PRIVMSG heron :${word}`)

  assert.match(await within(scene.ann.next(/dark and stormy/), 'story'), /on the road/)
  await within(scene.ann.next(/I heard: three/), 'one answer')
  assert.equal(lastPrompt(scene), ['tell a story', 'one', 'two', 'three'])
  assert.match(await told(scene, '/status'), /^I am idle\. 0 messages waiting, 6 messages/)
  assert.is(scene.model.getRequests().length, 2)
})

scenario(
  'QM5 interrupt: the new message is answered, the old answer never comes',
  async (scene) => {
    await told(scene, '/queue interrupt')
    await beginStory(scene)

    assert.is(await told(scene, 'never mind'), 'I heard: never mind')
    assert.match(await told(scene, '/status'), /I am idle/)
    assert.not.ok(scene.ann.heard().some((line) => line.includes('stormy')))
  },
)

scenario('DV11 /stop ends what runs and what waits; /new forgets', async (scene) => {
  await beginStory(scene)
  scene.ann.send('PRIVMSG heron :and another')
  assert.is(await told(scene, '/stop'), 'Stopped, with 2 messages unanswered.')
  assert.match(await told(scene, '/new'), /^A new session has begun/)
  assert.is(await told(scene, 'hello'), 'I heard: hello')
  assert.equal(lastPrompt(scene), ['hello'])
})

scenario.run()
