/**
 * What silently breaks upstream's clients: section 13 of the notes on its protocol, a test each, by
 * its number.
 */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { systemClock } from '../../../actors/services.ts'
import { UPSTREAM_METHOD_NAMES } from '../../../protocol/dialect/upstream/methods.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import type { Frame } from '../../support/client.ts'
import { KeyedDevice } from '../../support/device.ts'
import { REMOTE } from '../../support/pairing.ts'
import { inUpstream, KEYLESS, NODE, type UpstreamClient } from '../../support/upstream-client.ts'

const gotchas = cases('section 13')

type Json = Readonly<Record<string, unknown>>

/** Says something in the main session under a key; resolves when the run has ended. */
async function talk(client: UpstreamClient, key: string): Promise<Json> {
  const params = { sessionKey: 'main', message: `say ${key}`, idempotencyKey: key }
  const payload = await client.get('chat.send', params)
  await client.event('chat', ({ runId, state }) => runId === key && state === 'final')
  return payload
}

gotchas('G1 the challenge comes before anything, without a seq', () =>
  inUpstream(async ({ guest }) => {
    const client = guest()

    await client.knock()

    const [first, ...others] = client.frames
    assert.is(first?.event, 'connect.challenge')
    assert.not.ok('seq' in (first ?? {}))
    assert.ok(Number.isInteger(first?.payload['ts']))
    assert.not.ok(others.some(({ event }) => event === 'connect.challenge'))
  }),
)

gotchas('G2 what is absent is left out: no error, seq, payload or details of null', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()
    await talk(client, 'a')
    for (const [method, params] of [
      ['no.such', {}],
      ['chat.send', {}],
      ['last-heartbeat', {}],
      ['device.pair.approve', { requestId: 'nobody' }],
      ['node.invoke', { nodeId: 'x', command: 'y', idempotencyKey: 'z' }],
    ] as const) {
      await client.ask(method, params)
    }

    for (const frame of client.frames) {
      const { error, seq, event } = frame as Frame & { seq?: unknown }
      assert.is.not(error, null)
      assert.is.not(seq, null)
      if (event !== undefined) assert.ok(frame.payload !== null, event)
      assert.is.not(error?.details ?? {}, null)
      if (error !== undefined) assert.not.ok('payload' in frame)
    }
  }),
)

gotchas('G3 seq counts from 1 without a gap on each connection, whatever it may hear', () =>
  inUpstream(async ({ enter, guest }) => {
    const boss = await enter()
    const deaf = await enter({ scopes: [] })
    const late = guest()
    await late.knock({ protocols: [3, 3], scopes: ['operator.read'] })
    await boss.get('sessions.subscribe')
    for (const key of ['a', 'b', 'c']) await talk(boss, key)
    await late.event('chat', ({ runId, state }) => runId === 'c' && state === 'final')

    for (const client of [boss, deaf, late]) {
      const seqs = client.events.map(({ seq }) => seq)
      assert.equal(
        seqs,
        seqs.map((_, index) => index + 1),
      )
    }
    assert.ok(boss.events.length > deaf.events.length)
    assert.not.ok(deaf.events.some(({ event }) => event === 'chat' || event === 'agent'))
  }),
)

gotchas('G4 runId is the idempotency key, in answers and in every event of the run', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()

    const sent = await talk(client, 'by-chat')
    assert.is(sent['runId'], 'by-chat')
    const asked = { key: 'main', message: 'hi', idempotencyKey: 'by-session' }
    assert.is((await client.get('sessions.send', asked))['runId'], 'by-session')
    await client.event('chat', ({ runId, state }) => runId === 'by-session' && state === 'final')
    const id = await client.post('agent', { message: 'hi', idempotencyKey: 'by-agent' })
    assert.is((await client.answer(id, 1)).payload['runId'], 'by-agent')

    const named = client.events
      .filter(({ event }) => event === 'chat' || event === 'agent')
      .map(({ payload }) => payload['runId'])
    assert.equal([...new Set(named)], ['by-chat', 'by-session', 'by-agent'])
  }),
)

gotchas('G5 agent is answered twice, and a repeated one once, with the same end', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()
    const params = { message: 'hi', idempotencyKey: 'k', sessionKey: 'main' }

    const id = await client.post('agent', params)

    const [first, last] = [await client.answer(id, 0), await client.answer(id, 1)]
    const { runId, sessionKey, agentId, status } = first.payload
    assert.equal([runId, sessionKey, agentId, status], ['k', 'agent:main:main', 'main', 'accepted'])
    assert.is(last.payload['status'], 'ok')
    const { payloads } = last.payload['result'] as { payloads: { text: string }[] }
    assert.is(payloads[0]?.text, 'echo: hi')

    const again = await client.post('agent', params)
    const cached = await client.answer(again)
    assert.equal(cached.payload, last.payload)
    await client.get('health')
    assert.is(client.frames.filter((frame) => frame.id === again).length, 1)
  }),
)

gotchas('G6 every agent event has its session and its agent', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()

    await talk(client, 'a')

    const told = client.events.filter(({ event }) => event === 'agent')
    const streams = new Set(told.map(({ payload }) => payload['stream']))
    assert.ok(streams.has('lifecycle') && streams.has('assistant'))
    assert.ok(told.every(({ payload }) => payload['sessionKey'] === 'agent:main:main'))
    assert.ok(told.every(({ payload }) => payload['agentId'] === 'main'))
  }),
)

gotchas('G7 /startupz says that it is up', () =>
  inUpstream(async ({ gateway }) => {
    const answer = await fetch(`${gateway.url.replace('ws:', 'http:')}/startupz`)

    const body = (await answer.json()) as Json
    assert.equal([answer.status, body['ok'], body['status']], [200, true, 'started'])
    assert.is(typeof body['version'], 'string')
    assert.is(typeof body['uptimeMs'], 'number')
  }),
)

gotchas('G8 cron.list has what a page of it needs, or is not promised', () =>
  inUpstream(async ({ enter, guest }) => {
    const hello = await guest().knock()
    const { methods } = hello.payload['features'] as { methods: string[] }
    const { ok, payload, error } = await (await enter()).ask('cron.list')

    if (methods.includes('cron.list')) {
      assert.ok(ok)
      assert.ok('snapshotRevision' in payload && 'deliveryPreviews' in payload)
    } else {
      assert.is(error?.message, 'unknown method: cron.list')
    }
  }),
)

gotchas('G9 lists of approvals and of who is here are bare arrays', () =>
  inUpstream(async ({ enter }) => {
    const client = await enter()

    const kinds = ['exec', 'plugin', 'openclaw'].map((kind) => `${kind}.approval.list`)
    for (const method of [...kinds, 'system-presence']) {
      const payload: unknown = await client.get(method)
      assert.ok(Array.isArray(payload), method)
    }
  }),
)

gotchas('G10 who follows sessions hears each message and each change, others do not', () =>
  inUpstream(async ({ enter }) => {
    const [all, one, none] = [await enter(), await enter(), await enter()]
    await all.get('sessions.subscribe')
    await one.get('sessions.messages.subscribe', { key: 'main' })

    await talk(all, 'a')
    await all.get('sessions.patch', { key: 'other', label: 'Other' })

    const hears = (client: UpstreamClient, role: string) =>
      client.event('session.message', ({ message }) => (message as Json)['role'] === role)
    for (const client of [all, one]) {
      const { payload } = await hears(client, 'user')
      assert.is(payload['sessionKey'], 'agent:main:main')
      await hears(client, 'assistant')
      await client.event('sessions.changed')
    }
    await all.event('sessions.changed', ({ sessionKey }) => sessionKey === 'agent:main:other')
    await none.get('health')
    const told = [...none.events, ...one.events].filter(
      ({ event, payload }) =>
        event?.startsWith('session') === true && payload['sessionKey'] !== 'agent:main:main',
    )
    assert.equal(told, [])
    assert.not.ok(none.events.some(({ event }) => event?.startsWith('session')))
  }),
)

gotchas('G11 presence shows screens and nodes, not programs that come and go', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter({ client: { displayName: 'desk' } })
    const shown = async () =>
      ((await boss.get('system-presence')) as unknown as Json[]).map(({ mode }) => mode)
    assert.equal(await shown(), ['gateway', 'webchat'])

    await enter(KEYLESS)
    await enter({ device: null, id: 'gateway-client', mode: 'backend' })
    assert.equal(await shown(), ['gateway', 'webchat'])
    assert.not.ok(boss.events.some(({ event }) => event === 'presence'))

    const node = await enter(NODE)
    const { payload } = await boss.event('presence')
    assert.is((payload['presence'] as Json[]).at(-1)?.['mode'], 'node')
    await node.close()
    await boss.event('presence', ({ presence }) => (presence as Json[]).length === 2)
  }),
)

// Ticks soon; all else as it is.
const LIVELY = {
  ...systemClock,
  after: (ms: number, run: () => void) =>
    systemClock.after(ms === limits.tickIntervalMs ? 50 : ms, run),
}

gotchas('G12 everybody is told the tick: of either protocol, of any scope, a node', () =>
  inUpstream(
    async ({ enter }) => {
      const guises = [{}, { protocols: [3, 3] as const }, { scopes: [] }, NODE, KEYLESS]
      for (const guise of guises) {
        const client = await enter(guise)
        const { payload, seq } = await client.event('tick')
        assert.ok(Number.isInteger(payload['ts']))
        assert.ok(Number.isInteger(seq))
      }
    },
    { services: { clock: LIVELY } },
  ),
)

gotchas('G13 the secret is taken as token and as password, and as both', () =>
  inUpstream(async ({ guest }) => {
    for (const auth of [{ token: 'tok' }, { password: 'tok' }, { token: 'tok', password: 'tok' }]) {
      const hello = await guest().knock({ auth })
      assert.is(hello.ok, true, JSON.stringify(hello.error))
    }
  }),
)

gotchas('G14 a page of the same host may connect, of whatever build; of another it may not', () =>
  inUpstream(async ({ guest, gateway }) => {
    const device = new KeyedDevice()
    const hello = await guest().knock({ device })
    const { deviceToken } = hello.payload['auth'] as { deviceToken: string }
    const { host } = new URL(gateway.url)

    const page = guest({ headers: { origin: `http://${host}` } })
    const guise = { device, auth: { deviceToken }, client: { buildId: 'of last year' } }
    assert.is((await page.knock(guise)).ok, true)

    const foreign = guest({ headers: { origin: 'http://evil.example' } })
    assert.is((await foreign.closed).code, 1006)
    assert.equal(foreign.frames, [])
  }),
)

gotchas('G15 only what is there is promised, and what is not says so', () =>
  inUpstream(async ({ enter, guest }) => {
    const hello = await guest().knock()
    const { methods, events } = hello.payload['features'] as Record<string, string[]>
    assert.equal(methods, UPSTREAM_METHOD_NAMES)
    const client = await enter()

    for (const method of ['projects.list', 'toString', '__proto__', 'constructor', '']) {
      const { error } = await client.ask(method)
      const frame = [error?.code, error?.message]
      assert.equal(frame, ['INVALID_REQUEST', `unknown method: ${method}`])
    }
    const told = new Set(client.frames.flatMap(({ event }) => (event === undefined ? [] : [event])))
    assert.equal(
      [...told].filter((event) => events?.includes(event) !== true),
      [],
    )
  }),
)

gotchas('G16 right after hello comes the health, with its version', () =>
  inUpstream(async ({ guest }) => {
    const client = guest()
    const hello = await client.knock()
    const health = await client.event('health')

    const at = client.frames.indexOf(hello)
    assert.is(client.frames[at + 1], health)
    const { stateVersion } = hello.payload['snapshot'] as Json
    assert.equal((health as unknown as Json)['stateVersion'], stateVersion)
  }),
)

gotchas('G17 a stop is told as shutdown, and then the socket closes with 1012', () =>
  inUpstream(async ({ enter, gateway }) => {
    const clients = [await enter(), await enter(NODE), await enter({ protocols: [3, 3] })]

    await gateway.stop('test')

    for (const client of clients) {
      assert.equal(await client.closed, { code: 1012, reason: 'service restart' })
      assert.is(client.events.at(-1)?.event, 'shutdown')
      assert.is(client.events.at(-1)?.payload['reason'], 'gateway stopping')
    }
  }),
)

gotchas(
  'G18 what is signed: scopes as sent, no token as nothing, the platform in small letters',
  () =>
    inUpstream(async ({ guest }) => {
      const device = new KeyedDevice()
      const scopes = ['operator.write', 'operator.read']
      await guest().knock({ device, scopes })
      const words = (form: string, nonce: string, ts: number) =>
        `${form}|${device.id}|cli|cli|operator|operator.write,operator.read|${ts}||${nonce}`

      for (const [form, tail] of [
        ['v3', '|linux x64|pc'],
        ['v2', ''],
      ] as const) {
        const client = guest(REMOTE)
        const { payload } = await client.event('connect.challenge')
        const text = words(form, String(payload['nonce']), Number(payload['ts'])) + tail
        const hello = await client.knock({
          ...KEYLESS,
          device,
          scopes,
          auth: {},
          client: { platform: ' Linux X64 ', deviceFamily: 'PC' },
          proof: device.prove(text),
        })
        assert.is(hello.ok, true, `${form} ${JSON.stringify(hello.error)}`)
      }
    }),
)

gotchas('G19 the reason of a close for pairing names the request as clients read it', () =>
  inUpstream(async ({ guest }) => {
    const client = guest(REMOTE)
    const { error } = await client.knock({ auth: {} })

    const { code, reason } = await client.closed

    assert.is(code, 1008)
    const [, id] = /pairing required.*\(requestId: ([\w-]+)\)$/.exec(reason) ?? []
    assert.is(id, error?.details?.['requestId'])
  }),
)

gotchas('G20 the role is judged before the scope, and health is open to nodes', () =>
  inUpstream(async ({ enter }) => {
    const node = await enter(NODE)
    const bare = await enter({ scopes: [] })

    const { error } = await node.ask('config.patch', { raw: '{}' })
    assert.equal([error?.code, error?.message], ['INVALID_REQUEST', 'unauthorized role: node'])
    assert.is((await node.ask('health')).ok, true)
    assert.is((await node.ask('skills.bins')).ok, true)
    const missing = await bare.ask('health')
    assert.equal(missing.error, {
      code: 'FORBIDDEN',
      message: 'missing scope: operator.read',
      details: {
        code: 'MISSING_SCOPE',
        missingScope: 'operator.read',
        requiredScopes: ['operator.read'],
      },
    })
    const older = await enter({ scopes: [], protocols: [3, 3] })
    assert.equal((await older.ask('health')).error, {
      code: 'INVALID_REQUEST',
      message: 'missing scope: operator.read',
    })
    const own = await bare.ask('node.event', { event: 'x' })
    assert.is(own.error?.message, 'unauthorized role: operator')
  }),
)

gotchas.run()
