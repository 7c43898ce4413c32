/** Approvals as newer clients ask for them: one, those that ended, and a decision that stands. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import { inUpstream, type UpstreamClient } from '../../support/upstream-client.ts'

const approvals = cases('upstream approvals')

type Json = Readonly<Record<string, unknown>>

/** Asks for a command under an id, without waiting for its end. */
async function ask(boss: UpstreamClient, id: string, more: Json = {}): Promise<void> {
  const asked = { id, command: `run ${id}`, twoPhase: true, requireDeliveryRoute: false, ...more }
  await boss.answer(await boss.post('exec.approval.request', asked))
}

const idsOf = ({ items }: Json) => (items as Json[]).map(({ id }) => String(id))

approvals('UA1 approval.get shows one that waits, and how it ended', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    await ask(boss, 'a', { sessionKey: 'agent:main:main', host: 'gateway' })

    const { approval: waiting } = await boss.get('approval.get', { id: 'a' })
    const { status, presentation, urlPath, sourceSessionKey } = waiting as Json
    const { kind, commandText, host } = presentation as Json
    assert.equal([status, urlPath, sourceSessionKey], ['pending', '/approve/a', 'agent:main:main'])
    assert.equal([kind, commandText, host], ['exec', 'run a', 'gateway'])

    const done = await boss.get('approval.resolve', { id: 'a', kind: 'exec', decision: 'deny' })
    assert.is(done['applied'], true)
    const { approval: ended } = await boss.get('approval.get', { id: 'a' })
    assert.equal(done['approval'], ended)
    const { status: end, decision, reason, source } = ended as Json
    assert.equal([end, decision, reason], ['denied', 'deny', 'user'])
    assert.equal(source, { sessionKey: 'agent:main:main' })
  }),
)

approvals('UA2 the first decision stands; who comes later is shown it', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    await ask(boss, 'a')
    await boss.get('approval.resolve', { id: 'a', kind: 'exec', decision: 'allow-once' })

    const later = await boss.get('approval.resolve', { id: 'a', kind: 'exec', decision: 'deny' })

    assert.is(later['applied'], false)
    assert.is((later['approval'] as Json)['decision'], 'allow-once')
    for (const [method, params] of [
      ['approval.get', { id: 'nobody' }],
      ['approval.resolve', { id: 'nobody', kind: 'exec', decision: 'deny' }],
      ['approval.resolve', { id: 'a', kind: 'plugin', decision: 'deny' }],
    ] as const) {
      const { error } = await boss.ask(method, params)
      assert.is(error?.details?.['reason'], 'APPROVAL_NOT_FOUND', method)
    }
    const reviewer = { channel: 'irc', accountId: 'default', senderId: 'ann' }
    const asked = { id: 'a', kind: 'exec', decision: 'deny', reviewer }
    assert.match(String((await boss.ask('approval.resolve', asked)).error?.message), /reviewer/)
  }),
)

approvals('UA3 approval.history has those that ended, the newest first, page by page', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    assert.equal(await boss.get('approval.history'), { items: [] })
    for (const id of ['a', 'b', 'c']) {
      await ask(boss, id)
      await boss.get('exec.approval.resolve', { id, decision: 'allow-once' })
    }
    await ask(boss, 'waits')

    const first = await boss.get('approval.history', { limit: 2 })
    const rest = await boss.get('approval.history', { cursor: first['nextCursor'] })

    assert.equal([...idsOf(first), ...idsOf(rest)].toSorted(), ['a', 'b', 'c'])
    assert.is(rest['nextCursor'], undefined)
    assert.equal(await boss.get('approval.history', { kind: 'plugin' }), { items: [] })
    const { error } = await boss.ask('approval.history', { cursor: 'nothing' })
    assert.is(error?.message, 'invalid approval.history cursor')
    const reader = await enter({ scopes: ['operator.read'] })
    assert.is((await reader.ask('approval.history')).error?.code, 'FORBIDDEN')
  }),
)

approvals('UA3 one that nobody could be asked about was denied for that', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    await boss.get('exec.approval.request', { id: 'a', command: 'run a' })
    const { items } = await boss.get('approval.history')
    const [row] = items as Json[]
    assert.equal([row?.['status'], row?.['reason']], ['denied', 'no-route'])
  }),
)

approvals.run()
