/** Commands that wait for a person, over the wire, in both dialects. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import type { TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { answer, ask, enter, send, WITH_TOKEN } from '../support/upstream.ts'

interface World {
  house: TestGateway
  asker: TestClient // upstream's, a program
  person: TestClient // upstream's, a screen
}

const approvals = suite<World>('approvals')
approvals.before.each(async (world) => {
  world.house = await startTestGateway({ config: WITH_TOKEN })
  world.asker = await enter(world.house, { id: 'gateway-client', mode: 'backend' })
  world.person = await enter(world.house, { displayName: 'Ann’s screen' })
})
approvals.after.each(({ house }) => house.stop())

const COMMAND = {
  command: 'rm -rf /home/user',
  commandArgv: ['rm', '-rf', '/home/user'],
  cwd: '/tmp',
  env: { SECRET_KEY: 'do not show' },
  host: 'gateway',
  security: 'full',
  ask: 'always',
  agentId: 'main',
  sessionKey: 'agent:main:main',
  timeoutMs: 20_000,
  twoPhase: true,
}

/** Asks and waits until it is told; resolves with the id of the request and of the approval. */
async function begin({ asker, person }: World, changes: object = {}) {
  const request = await send(asker, 'exec.approval.request', { ...COMMAND, ...changes })
  const accepted = await answer(asker, request, 0)
  const { id } = accepted.payload
  const told = await person.event('exec.approval.requested', (payload) => payload['id'] === id)
  return { request, accepted, id: String(id), told }
}

approvals(
  'AP5 a request is accepted, told to those who may decide, and answered',
  async (world) => {
    const { request, accepted, id, told } = await begin(world)

    assert.equal(
      [accepted.payload['status'], accepted.payload['deliveryRoute']],
      ['accepted', 'approval-client'],
    )
    const shown = told.payload['request'] as Record<string, unknown>
    assert.equal(
      [told.payload['approvalKind'], shown['command'], shown['commandArgv'], shown['envKeys']],
      ['exec', COMMAND.command, COMMAND.commandArgv, ['SECRET_KEY']],
    )
    assert.equal(shown['allowedDecisions'], ['allow-once', 'deny'])
    const text = JSON.stringify(world.person.frames)
    assert.not.match(text, 'do not show')
    const list = await ask(world.person, 'exec.approval.list')
    assert.equal(
      (list.payload as unknown as { id: string }[]).map((row) => row.id),
      [id],
    )
    const got = await ask(world.person, 'exec.approval.get', { id })
    assert.equal(
      [got.payload['commandText'], got.payload['expiresAtMs']],
      [COMMAND.command, accepted.payload['expiresAtMs']],
    )

    const done = await ask(world.person, 'exec.approval.resolve', { id, decision: 'allow-once' })
    const end = await answer(world.asker, request, 1)
    const resolved = await world.asker.event('exec.approval.resolved')

    assert.equal(done.payload, { ok: true })
    assert.equal([end.payload['id'], end.payload['decision']], [id, 'allow-once'])
    assert.equal(
      [resolved.payload['id'], resolved.payload['decision'], resolved.payload['resolvedBy']],
      [id, 'allow-once', 'Ann’s screen'],
    )
    assert.equal((await ask(world.person, 'exec.approval.list')).payload, [])
    const waited = await ask(world.asker, 'exec.approval.waitDecision', { id })
    assert.is(waited.payload['decision'], 'allow-once')
  },
)

approvals('AP6 K1 the journal’s facts do not hold the command', async (world) => {
  await begin(world)

  const facts = JSON.stringify(readRecords(world.house.store))

  assert.not.match(facts, 'rm -rf')
  assert.not.match(facts, 'do not show')
})

approvals('AP7 refusals are said in upstream’s words', async (world) => {
  const { id } = await begin(world)
  const { person } = world
  const refusal = async (method: string, params: object) => {
    const { error } = await ask(person, method, params)
    return [error?.code, error?.message, error?.details?.['reason']]
  }
  const no = 'INVALID_REQUEST'

  assert.equal(await refusal('exec.approval.resolve', { id, decision: 'maybe' }), [
    no,
    'invalid decision',
    undefined,
  ])
  assert.equal(await refusal('exec.approval.resolve', { id: 'zzz', decision: 'deny' }), [
    no,
    'unknown or expired approval id',
    'APPROVAL_NOT_FOUND',
  ])
  assert.equal(await refusal('exec.approval.resolve', { decision: 'deny' }), [
    no,
    "invalid exec.approval.resolve params: must have required property 'id'",
    undefined,
  ])
  assert.is(
    (await refusal('exec.approval.resolve', { id, decision: 'allow-always' }))[2],
    'APPROVAL_ALLOW_ALWAYS_UNAVAILABLE',
  )
  await ask(person, 'exec.approval.resolve', { id, decision: 'deny' })
  const repeated = await ask(person, 'exec.approval.resolve', { id, decision: 'deny' })
  assert.equal(repeated.payload, { ok: true }, 'the same again is no fault')
  assert.equal(await refusal('exec.approval.resolve', { id, decision: 'allow-once' }), [
    no,
    'approval already resolved',
    'APPROVAL_ALREADY_RESOLVED',
  ])
  assert.is((await refusal('exec.approval.waitDecision', {}))[1], 'id is required')
  assert.is(
    (await refusal('exec.approval.waitDecision', { id: 'zzz' }))[1],
    'approval expired or not found',
  )
  assert.is((await refusal('exec.approval.request', { command: ' ' }))[1], 'command is required')
  assert.is(
    (await refusal('exec.approval.request', { command: 'x', id }))[1],
    'approval id already pending',
  )
})

approvals(
  'AP8 without anybody who could decide it ends at once',
  async ({ house, asker, person }) => {
    await person.close()
    await ask(asker, 'health')

    const end = await ask(asker, 'exec.approval.request', COMMAND)

    assert.equal([end.payload['decision'], 'status' in end.payload], [null, false])
    const types = readRecords(house.store).map(({ event }) => event)
    assert.equal(
      types
        .filter(({ type }) => type.startsWith('exec.'))
        .map(({ type, reason }) => [type, reason]),
      [
        ['exec.requested', undefined],
        ['exec.expired', 'no-route'],
      ],
    )
    const kept = await send(asker, 'exec.approval.request', {
      ...COMMAND,
      requireDeliveryRoute: false,
    })
    assert.is((await answer(asker, kept, 0)).payload['deliveryRoute'], 'none')
  },
)

approvals(
  'AP9 scopes are needed: operator.approvals, and admin for the file',
  async ({ house }) => {
    const reader = await enter(house, { scopes: ['operator.read'] })
    for (const method of ['exec.approval.list', 'exec.approval.request', 'exec.approval.resolve']) {
      const { error } = await ask(reader, method, { id: 'a', decision: 'deny', command: 'x' })
      assert.equal(
        [error?.code, error?.message],
        ['FORBIDDEN', 'missing scope: operator.approvals'],
      )
    }
    const { error } = await ask(reader, 'exec.approvals.get')
    assert.is(error?.message, 'missing scope: operator.admin')
    const owner = await enter(house)
    const { payload } = await ask(owner, 'exec.approvals.get')
    assert.equal(
      [payload['exists'], payload['file']],
      [false, { version: 1, defaults: {}, agents: {} }],
    )
  },
)

approvals('AP10 both dialects see and decide the same', async (world) => {
  const native = world.house.client()
  await native.connect({ deviceId: 'native', auth: { token: 'tok' } })
  const { id, request } = await begin(world)

  const told = await native.event('approval')
  assert.equal(
    [told.payload['approvalId'], told.payload['status'], told.payload['text']],
    [id, 'requested', COMMAND.command],
  )
  const list = await native.request('approval.list')
  const [row] = list.payload['approvals'] as Record<string, unknown>[]
  assert.equal([row?.['approvalId'], row?.['envKeys']], [id, ['SECRET_KEY']])
  const done = await native.request('approval.resolve', { approvalId: id, decision: 'deny' })
  assert.equal([done.payload['decision'], done.payload['changed']], ['deny', true])
  assert.is((await answer(world.asker, request, 1)).payload['decision'], 'deny')

  const asked = await native.request('approval.request', { command: 'ls', approvalId: 'mine' })
  await world.person.event('exec.approval.requested', (payload) => payload['id'] === 'mine')
  const wait = native.request('approval.wait', { approvalId: 'mine' })
  await ask(world.person, 'exec.approval.resolve', { id: 'mine', decision: 'allow-always' })

  assert.is(asked.payload['status'], 'requested')
  assert.is((await wait).payload['decision'], 'allow-always')
  await native.event('approval', (payload) => payload['always'] === true)
})

approvals(
  'AP11 the device that asked takes it back, another does not',
  async ({ house, asker }) => {
    const [one, two] = [house.client(), house.client()]
    await one.connect({ deviceId: 'one', auth: { token: 'tok' } })
    await two.connect({ deviceId: 'two', auth: { token: 'tok' } })
    await one.request('approval.request', { command: 'ls', approvalId: 'mine' })

    const other = await two.request('approval.cancel', { approvalId: 'mine' })
    const own = await one.request('approval.cancel', { approvalId: 'mine' })

    assert.equal([other.error?.code, own.ok], ['NOT_FOUND', true])
    const { error } = await ask(asker, 'exec.approval.resolve', { id: 'mine', decision: 'deny' })
    assert.is(error?.details?.['reason'], 'APPROVAL_NOT_FOUND')
    const nobody = await one.request('approval.resolve', { approvalId: 'x', decision: 'deny' })
    assert.is(nobody.error?.code, 'NOT_FOUND')
  },
)

approvals('AP12 so many may wait, one more is told to come again', async ({ asker, house }) => {
  const native = house.client()
  await native.connect({ deviceId: 'native', auth: { token: 'tok' } })
  for (let n = 0; n < limits.approvalsWaitingMax; n += 1) {
    const { ok } = await native.request('approval.request', { command: `echo ${n}` })
    assert.is(ok, true)
  }

  const { error } = await ask(asker, 'exec.approval.request', COMMAND)

  assert.equal([error?.code, error?.retryable], ['UNAVAILABLE', true])
})

approvals.run()

const alone = suite('approvals alone')

alone('AP13 PR16 a request outlives a restart, and its deadline ends it', async () => {
  const store = openMemory()
  const keep = { ...store, close: () => Promise.resolve() }
  const first = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const asker = await enter(first, { id: 'gateway-client', mode: 'backend' })
  await enter(first)
  for (const [id, timeoutMs] of [
    ['short', 400],
    ['long', 60_000],
  ] as const) {
    await answer(
      asker,
      await send(asker, 'exec.approval.request', { ...COMMAND, id, timeoutMs }),
      0,
    )
  }
  await first.stop()

  const second = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const later = await enter(second)
  const over = await ask(later, 'exec.approval.waitDecision', { id: 'short' })
  const list = await ask(later, 'exec.approval.list')
  const waits = await send(later, 'exec.approval.waitDecision', { id: 'long' })
  await ask(later, 'exec.approval.resolve', { id: 'long', decision: 'allow-once' })
  const decided = await answer(later, waits, 0)
  await second.stop()

  assert.is(over.payload['decision'], null)
  assert.equal(
    (list.payload as unknown as { id: string }[]).map(({ id }) => id),
    ['long'],
  )
  assert.is(decided.payload['decision'], 'allow-once')
  const ended = readRecords(store).find(({ event }) => event.type === 'exec.expired')
  assert.is(ended?.event['reason'], 'time')
})

alone.run()
