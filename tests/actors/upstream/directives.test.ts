/** Directives from web clients: done, said, and not heard by the agent. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import { readRecords } from '../../support/kernel.ts'
import { inUpstream, type UpstreamClient } from '../../support/upstream-client.ts'

const test = cases('upstream directives')

let sent = 0

async function order(client: UpstreamClient, message: string): Promise<string> {
  const runId = `d${(sent += 1)}`
  const { ok, error } = await client.ask('chat.send', {
    sessionKey: 'main',
    message,
    idempotencyKey: runId,
  })
  if (ok !== true) return `refused: ${error?.message}`
  const told = await client.event(
    'chat',
    (chat) => chat['runId'] === runId && chat['state'] === 'final',
  )
  const { content } = told.payload['message'] as { content: { text: string }[] }
  return content[0]?.text ?? ''
}

test('DV8 a directive is done and answered as a chat, and is no message of the session', () =>
  inUpstream(async ({ enter, store }) => {
    const client = await enter()

    assert.is(await order(client, '/think high'), 'The thinking level is high now.')
    assert.is(await order(client, '/think'), 'The thinking level is high.')
    assert.is(await order(client, '/think default'), 'The thinking level is as configured now.')
    assert.is(await order(client, '/queue collect'), 'The queue mode is collect now.')
    assert.is(await order(client, '/stop'), 'Nothing was running.')
    assert.match(
      await order(client, '/status'),
      /^I am idle\..*Model echo, thinking off, queue collect\.$/,
    )
    assert.match(await order(client, '/queue nonsense'), /^"nonsense" is no queue/)
    assert.not.ok(readRecords(store).some(({ event }) => event.type === 'message.accepted'))
  }))

test('DV9 what stands behind /new is answered by the agent, in a new session', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()
    await order(client, 'one')

    assert.is(await order(client, '/new two'), 'echo: two')
    const { messages } = await client.get('chat.history', { sessionKey: 'main' })
    assert.is((messages as unknown[]).length, 2)
    assert.is(
      await order(client, '/new'),
      'A new session has begun; I remember nothing of the last one.',
    )
  }))

test('DV10 /new needs the scope that resets sessions', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter({ scopes: ['operator.read', 'operator.write'] })

    assert.match(await order(client, '/new'), /^refused: missing scope: operator.admin/)
    assert.is(await order(client, '/stop'), 'Nothing was running.')
  }))

test('DV13 /approve in a web chat decides, by the beginning of an id; what is late is said', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()
    const wait = async (id: string): Promise<void> => {
      const asked = { id, command: 'ls', twoPhase: true, requireDeliveryRoute: false }
      await client.answer(await client.post('exec.approval.request', asked))
    }
    await wait('aaaaaaaa-1')
    await wait('aaaaaaaa-2')
    await wait('bbbbbbbb-1')

    assert.is(await order(client, '/approve BBBBBBBB once'), 'Allowed this once (bbbbbbbb).')
    assert.match(await order(client, '/approve bbbbbbbb deny'), /^It was allowed already/)
    assert.match(await order(client, '/approve aaaaaaaa deny'), /^More than one waits/)
    assert.is(await order(client, '/approve aaaaaaaa-2 deny'), 'Denied (aaaaaaaa).')
    assert.match(await order(client, '/approve aaaaaaaa allow-always'), /from now on/)
    assert.match(await order(client, '/approve cccccccc deny'), /^Nothing waits/)
    for (const short of ['aaaa', 'call_aaa', 'CALL_aaaaaaa']) {
      assert.match(await order(client, `/approve ${short} deny`), /at least 8 characters/, short)
    }
    assert.match(await order(client, '/approve aaaaaaaa'), /^Write \/approve ID/)
  }))

test('DV14 /approve needs the scope that decides, whatever it names', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter({ scopes: ['operator.read', 'operator.write'] })

    assert.match(await order(client, '/approve cccccccc deny'), /missing scope: operator.approvals/)
  }))

test.run()
