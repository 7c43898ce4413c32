/** Calls of tools as upstream's clients follow them: whose `agent` they are, and whose `session.tool`. */
import '../../../actors/trap.ts'
import { LLMock } from '@copilotkit/aimock'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import {
  inUpstream,
  type UpstreamClient,
  type UpstreamWorld,
} from '../../support/upstream-client.ts'
import { WITH_TOKEN } from '../../support/upstream.ts'

const told = cases('upstream tool events')

const TOOLS = { params: { caps: ['tool-events'] } }
const OLD = { protocols: [3, 3], params: { caps: [] } } as const
const phases = (client: UpstreamClient, name: string) =>
  client.events
    .filter(({ event, payload }) => event === name && payload['stream'] === 'tool')
    .map(({ payload }) => (payload['data'] as { phase: string }).phase)

/** The model lists the sessions, then says that it is over. */
async function over(run: (world: UpstreamWorld) => Promise<void>): Promise<void> {
  const mock = new LLMock({ port: 0, host: '127.0.0.1' })
  await mock.start()
  const toolCalls = [{ id: 'theirs', name: 'sessions_list', arguments: '{}' }]
  mock.on({ hasToolResult: false }, { toolCalls })
  mock.on({ hasToolResult: true }, { content: 'over' })
  const providers = { one: { baseUrl: `${mock.url}/v1`, apiKey: 'k1' } }
  const agents = { defaults: { model: 'one/small' } }
  try {
    await inUpstream(run, { config: { ...WITH_TOKEN, models: { providers }, agents } })
  } finally {
    await mock.stop()
  }
}

const ask = (client: UpstreamClient) =>
  client.get('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'k' })
const end = (client: UpstreamClient) =>
  client.event('chat', ({ state, runId }) => state === 'final' && runId === 'k')

told('UT1 who asked and can show tools is told as `agent`, who follows as `session.tool`', () =>
  over(async ({ enter }) => {
    const asker = await enter(TOOLS)
    const follower = await enter(TOOLS)
    const bystander = await enter()
    const older = await enter(OLD)
    await asker.get('sessions.subscribe')
    await follower.get('sessions.messages.subscribe', { key: 'main' })
    await ask(asker)
    for (const client of [asker, follower, bystander, older]) await end(client)

    const both = ['start', 'result']
    assert.equal([phases(asker, 'agent'), phases(asker, 'session.tool')], [both, []])
    assert.equal([phases(follower, 'agent'), phases(follower, 'session.tool')], [[], both])
    assert.equal([phases(bystander, 'agent'), phases(bystander, 'session.tool')], [[], []])
    assert.equal([phases(older, 'agent'), phases(older, 'session.tool')], [both, []])
    const { payload } = await follower.event('session.tool')
    assert.equal(
      [payload['runId'], payload['sessionKey'], (payload['session'] as { key: string }).key],
      ['k', 'agent:main:main', 'agent:main:main'],
    )
  }),
)

told('UT2 whoever cannot show tools is told them only where it follows the session', () =>
  over(async ({ enter }) => {
    const asker = await enter()
    const other = await enter({ scopes: ['operator.pairing'] })
    await asker.get('sessions.subscribe')
    await ask(asker)
    await end(asker)

    assert.equal(phases(asker, 'agent'), [])
    assert.equal(phases(asker, 'session.tool'), ['start', 'result'])
    assert.equal(phases(other, 'session.tool'), [])
  }),
)

told('UT3 reports of usage count the calls of tools, by session, day and tool', () =>
  over(async ({ enter }) => {
    const client = await enter()
    await ask(client)
    await end(client)

    const { sessions, aggregates } = await client.get('sessions.usage', { range: 'all' })

    const use = { totalCalls: 1, uniqueTools: 1, tools: [{ name: 'sessions_list', count: 1 }] }
    const [row] = sessions as { usage: Record<string, unknown> }[]
    const { toolUsage, messageCounts, dailyMessageCounts } = row!.usage
    const whole = aggregates as { tools: unknown; daily: { toolCalls: number }[] }
    assert.equal([toolUsage, whole.tools], [use, use])
    const { toolCalls, toolResults, total } = messageCounts as Record<string, number>
    assert.equal([toolCalls, toolResults, total], [1, 1, 2])
    assert.is((dailyMessageCounts as { toolCalls: number }[])[0]?.toolCalls, 1)
    assert.is(whole.daily[0]?.toolCalls, 1)
    const past = { startDate: '2020-01-01', endDate: '2020-01-31' }
    const none = (await client.get('sessions.usage', past))['aggregates'] as typeof whole
    assert.equal(none.tools, { totalCalls: 0, uniqueTools: 0, tools: [] })
  }),
)

told.run()
