/** The rules of tools where they meet: everybody's, the agents', one agent's and a channel's. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const policy = suite<{ house: TestGateway }>('tool policy')

type Row = Readonly<Record<string, unknown>>

policy.after.each(({ house }) => house.stop())

async function standings(house: TestGateway, sessionKey: string): Promise<Map<unknown, unknown[]>> {
  const owner = house.client()
  await owner.connect()
  const { payload } = await owner.request('tools.list', { sessionKey })
  const rows = payload['tools'] as Row[]
  return new Map(rows.map(({ name, verdict, rule }) => [name, [verdict, rule]]))
}

policy(
  'TP3 an agent’s rules narrow its own sessions, and are named by their place',
  async (scene) => {
    const list = [
      { id: 'main', tools: { ask: ['web_fetch'] } },
      { id: 'work', tools: { allow: ['sessions_*', 'read'], deny: ['sessions_history'] } },
    ]
    scene.house = await startTestGateway({
      config: {
        tools: { ask: ['read'] },
        agents: { defaults: { tools: { deny: ['write'] } }, list },
      },
    })

    const main = await standings(scene.house, 'main')
    const work = await standings(scene.house, 'agent:work:irc:direct:ann')

    assert.equal(main.get('web_fetch'), ['ask', 'agents.list[0].tools.ask: web_fetch'])
    assert.equal(main.get('sessions_history'), ['allow', 'tools.allow: *'])
    assert.equal(main.get('write'), ['deny', 'agents.defaults.tools.deny: write'])
    assert.equal(work.get('web_fetch'), ['deny', 'agents.list[1].tools.allow: not in it'])
    assert.equal(work.get('sessions_history'), [
      'deny',
      'agents.list[1].tools.deny: sessions_history',
    ])
    assert.equal(work.get('sessions_list'), ['allow', 'agents.list[1].tools.allow: sessions_*'])
    assert.equal(work.get('read'), ['ask', 'tools.ask: read'])
    assert.equal(work.get('write'), ['deny', 'agents.defaults.tools.deny: write'])
  },
)

policy(
  'TP4 nobody widens: what an agent allows stays denied where all or its channel deny it',
  async (scene) => {
    const list = [{ id: 'main', tools: { allow: ['*'], ask: [] } }]
    scene.house = await startTestGateway({
      config: {
        tools: { deny: ['message'], ask: ['web_fetch'] },
        agents: { list },
        channels: { irc: { enabled: false, tools: { deny: ['sessions_list'] } } },
      },
    })

    const main = await standings(scene.house, 'main')
    const channel = await standings(scene.house, 'irc:direct:ann')

    assert.equal(main.get('message'), ['deny', 'tools.deny: message'])
    assert.equal(main.get('web_fetch'), ['ask', 'tools.ask: web_fetch'])
    assert.equal(main.get('sessions_list'), ['allow', 'agents.list[0].tools.allow: *'])
    assert.equal(channel.get('sessions_list'), ['deny', 'channels.irc.tools.deny: sessions_list'])
  },
)

policy('TP8 every tool of the gateway itself is in upstream’s group for them', async (scene) => {
  scene.house = await startTestGateway({ config: { tools: { deny: ['group:openclaw'] } } })

  const main = await standings(scene.house, 'main')

  assert.ok(main.size > 0)
  for (const [name, standing] of main) {
    assert.equal(standing, ['deny', 'tools.deny: group:openclaw'], String(name))
  }
})

policy.run()
