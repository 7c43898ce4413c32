/** Nodes of both dialects over the wire: what they offer, what is allowed, what they are asked. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemory } from '../../store/memory.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { KeyedDevice } from '../support/device.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { ask, enter, send, WITH_TOKEN } from '../support/upstream.ts'
import { until } from '../support/wait.ts'

/** A node of either dialect, as these tests use it. */
interface TestNode {
  readonly nodeId: string
  readonly client: TestClient
  /** Waits for the next thing that it is asked, of a command. */
  readonly asked: (command: string) => Promise<Readonly<Record<string, unknown>>>
  readonly reply: (id: unknown, answer: object) => Promise<Frame>
}

const COMMANDS = ['system.run', 'system.which']

async function openUpstreamNode(
  house: TestGateway,
  commands = COMMANDS,
  device = new KeyedDevice(),
): Promise<TestNode> {
  const guise = { id: 'node-host', mode: 'node', role: 'node', displayName: 'box' } as const
  const client = await enter(house, { ...guise, commands, caps: ['system'], device })
  const nodeId = device.id
  return {
    nodeId,
    client,
    asked: async (command) => {
      const isIt = (payload: Frame['payload']) => payload['command'] === command
      return (await client.event('node.invoke.request', isIt)).payload
    },
    reply: (id, answer) => ask(client, 'node.invoke.result', { id, nodeId, ...answer }),
  }
}

async function openNativeNode(house: TestGateway, commands = COMMANDS): Promise<TestNode> {
  const nodeId = `node-${'x'.repeat(100)}`
  const client = house.client()
  const params = { deviceId: nodeId, role: 'node', capabilities: commands, subscribe: [] }
  const hello = await client.connect({ ...params, auth: { token: 'tok' } })
  assert.is(hello.ok, true, JSON.stringify(hello))
  return {
    nodeId,
    client,
    asked: async (command) => {
      const isIt = (payload: Frame['payload']) => payload['command'] === command
      return (await client.event('node.invoke', isIt)).payload
    },
    reply: (id, answer) => client.request('node.result', { id, ...answer }),
  }
}

interface World {
  house: TestGateway
  owner: TestClient // of the specification's dialect
  boss: TestClient // upstream's
}

type Row = Readonly<Record<string, unknown>>

async function nodesOf(owner: TestClient): Promise<Row[]> {
  return (await owner.request('node.list')).payload['nodes'] as Row[]
}

function rowOf(owner: TestClient, nodeId: string, state = 'online'): Promise<Row> {
  return until(async () => {
    const row = (await nodesOf(owner)).find((each) => each['nodeId'] === nodeId)
    return row?.['state'] === state ? row : null
  }, `node ${nodeId} ${state}`)
}

async function allow(owner: TestClient, { nodeId }: TestNode): Promise<Frame> {
  const { request } = await rowOf(owner, nodeId)
  return owner.request('node.approve', { requestId: (request as Row)['requestId'] })
}

const nodes = suite<World>('nodes')
nodes.before.each(async (world) => {
  world.house = await startTestGateway({ config: WITH_TOKEN })
  world.owner = world.house.client()
  await world.owner.connect({ deviceId: 'owner', auth: { token: 'tok' } })
  world.boss = await enter(world.house)
})
nodes.after.each(({ house }) => house.stop())

for (const [dialect, open] of [
  ['upstream’s', openUpstreamNode],
  ['the specification’s', openNativeNode],
] as const) {
  nodes(`ND1 a node of ${dialect} dialect is asked for nothing before approval`, async (world) => {
    const { house, owner, boss } = world
    const node = await open(house)
    const row = await rowOf(owner, node.nodeId)

    assert.equal([row['commands'], (row['request'] as Row)['commands']], [[], COMMANDS])
    const asked = { nodeId: node.nodeId, command: 'system.which' }
    const early = await owner.request('node.invoke', asked)
    assert.is(early.error?.code, 'FORBIDDEN')
    const shown = await ask(boss, 'node.describe', { nodeId: node.nodeId })
    assert.equal(
      [shown.payload['commands'], shown.payload['approvalState']],
      [[], 'pending-approval'],
    )
    const list = await ask(boss, 'node.pair.list')
    const [waiting] = list.payload['pending'] as Row[]
    assert.is(waiting?.['nodeId'], node.nodeId)

    const done = await allow(owner, node)

    assert.equal(done.payload['commands'], COMMANDS)
    await boss.event('node.pair.resolved', (payload) => payload['decision'] === 'approved')
    const { payload } = await ask(boss, 'node.describe', { nodeId: node.nodeId })
    assert.equal([payload['commands'], payload['approvalState']], [COMMANDS, 'approved'])
  })

  nodes(`ND2 ${dialect}: a command goes to the node and its answer comes back`, async (world) => {
    const { house, owner, boss } = world
    const node = await open(house)
    await allow(owner, node)

    const call = { nodeId: node.nodeId, command: 'system.which', params: { bins: ['ls'] } }
    const native = owner.request('node.invoke', { ...call, timeoutMs: 9_000 })
    const first = await node.asked('system.which')
    await node.reply(first['id'], { ok: true, payload: { ls: '/bin/ls' } })
    const upstream = ask(boss, 'node.invoke', {
      ...call,
      command: 'system.run',
      idempotencyKey: 'k',
    })
    const second = await node.asked('system.run')
    const error = { code: 'DENIED', message: 'not today' }
    await node.reply(second['id'], { ok: false, error })

    const text = first['paramsJSON'] ?? first['paramsJson']
    assert.equal(JSON.parse(String(text)), { bins: ['ls'] })
    assert.equal([first['nodeId'], first['timeoutMs']], [node.nodeId, 9_000])
    const { payload } = await native
    assert.equal([payload['ok'], payload['payload']], [true, { ls: '/bin/ls' }])
    const refused = await upstream
    assert.equal(
      [refused.error?.code, refused.error?.message, refused.error?.details?.['code']],
      ['UNAVAILABLE', 'not today', 'DENIED'],
    )
    const facts = JSON.stringify(readRecords(house.store))
    assert.not.match(facts, '/bin/ls', 'K1')
  })
}

nodes('ND3 refusals: unknown, not allowed, not connected, in both dialects', async (world) => {
  const { house, owner, boss } = world
  const node = await openUpstreamNode(house)
  const { nodeId } = node
  await allow(owner, node)
  const invoke = async (changes: object) => {
    const call = { nodeId, command: 'system.which', ...changes }
    const native = await owner.request('node.invoke', call)
    const other = await ask(boss, 'node.invoke', { ...call, idempotencyKey: 'k' })
    return [native.error?.code, other.error?.code, other.error?.message]
  }

  assert.equal(await invoke({ nodeId: 'x' }), ['NOT_FOUND', 'INVALID_REQUEST', 'unknown nodeId'])
  assert.equal(await invoke({ command: 'rm' }), [
    'FORBIDDEN',
    'FORBIDDEN',
    'node command not allowed: "rm"',
  ])
  await node.client.close()
  await rowOf(owner, nodeId, 'offline')
  assert.equal(await invoke({}), ['UNAVAILABLE', 'UNAVAILABLE', 'node not connected'])
  const described = await ask(boss, 'node.describe', { nodeId: 'x' })
  assert.is(described.error?.message, 'unknown nodeId')
  for (const method of ['node.pair.approve', 'node.pair.reject']) {
    assert.is((await ask(boss, method, { requestId: 'x' })).error?.message, 'unknown requestId')
  }
  assert.is((await owner.request('node.approve', { requestId: 'x' })).error?.code, 'NOT_FOUND')
  assert.is(
    (await owner.request('node.rename', { nodeId: 'x', name: 'y' })).error?.code,
    'NOT_FOUND',
  )
})

nodes('ND4 a node that does not answer in time is told as that', async ({ house, owner, boss }) => {
  const node = await openUpstreamNode(house)
  await allow(owner, node)
  const call = { nodeId: node.nodeId, command: 'system.which', timeoutMs: 30 }

  const native = await owner.request('node.invoke', call)
  const other = await ask(boss, 'node.invoke', { ...call, idempotencyKey: 'k' })
  const { id } = await node.asked('system.which')
  const late = await node.reply(id, { ok: true, payload: 1 })

  assert.is(native.error?.code, 'TIMEOUT')
  assert.equal([other.error?.code, other.error?.details?.['code']], ['UNAVAILABLE', 'TIMEOUT'])
  assert.equal(late.payload, { ok: true }, 'a late answer is no fault, and changes nothing')
  const states = readRecords(house.store).filter(({ stream }) => stream.startsWith('invocation:'))
  assert.is(states.at(-1)?.value, 'uncertain')
})

nodes('ND5 a socket that closes leaves the fate of a command open', async ({ house, owner }) => {
  const node = await openUpstreamNode(house)
  await allow(owner, node)
  const call = owner.request('node.invoke', { nodeId: node.nodeId, command: 'system.which' })
  await node.asked('system.which')

  await node.client.close()

  const { error } = await call
  assert.equal([error?.code, error?.details?.['fault']], ['UNAVAILABLE', 'disconnected'])
  assert.match(String(error?.message), 'may have done it')
})

nodes('ND6 another node’s answer is not taken', async ({ house, owner }) => {
  const node = await openUpstreamNode(house)
  const other = await openNativeNode(house)
  await allow(owner, node)
  const call = owner.request('node.invoke', { nodeId: node.nodeId, command: 'system.which' })
  const { id } = await node.asked('system.which')

  const foreign = await other.reply(id, { ok: true, payload: 'forged' })
  await node.reply(id, { ok: true, payload: 'own' })

  assert.equal(foreign.payload, { taken: false })
  assert.is((await call).payload['payload'], 'own')
})

nodes(
  'ND7 the same idempotency key runs a command once, and conflicts with another',
  async (world) => {
    const { house, owner, boss } = world
    const node = await openUpstreamNode(house)
    await allow(owner, node)
    const call = { nodeId: node.nodeId, command: 'system.which', idempotencyKey: 'k' }
    const both = [ask(boss, 'node.invoke', call), ask(boss, 'node.invoke', call)]
    const { id } = await node.asked('system.which')
    await node.reply(id, { ok: true, payload: 7 })

    const answers = await Promise.all(both)
    const later = await ask(boss, 'node.invoke', call)
    const conflict = await ask(boss, 'node.invoke', { ...call, command: 'system.run' })

    for (const { payload } of [...answers, later]) assert.is(payload['payload'], 7)
    assert.is(conflict.error?.code, 'INVALID_REQUEST')
    const asked = node.client.frames.filter(({ event }) => event === 'node.invoke.request')
    assert.is(asked.length, 1)
  },
)

nodes('ND8 renamed, rejected, removed: the owner decides', async ({ house, owner, boss }) => {
  const node = await openUpstreamNode(house)
  const { nodeId } = node
  const { request } = await rowOf(owner, nodeId)
  const { requestId } = request as Row

  const rejected = await ask(boss, 'node.pair.reject', { requestId })
  const renamed = await owner.request('node.rename', { nodeId, name: 'attic' })

  assert.equal([rejected.payload['nodeId'], renamed.payload['name']], [nodeId, 'attic'])
  const row = await rowOf(owner, nodeId)
  assert.equal([row['name'], row['request'], row['commands']], ['attic', null, []])
  assert.is((await owner.request('node.reject', { requestId })).error?.code, 'NOT_FOUND')
  assert.is((await owner.request('node.remove', { nodeId })).ok, true)
  assert.equal(await nodesOf(owner), [])
})

nodes(
  'ND9 scopes: commands are allowed by who may administer; nodes answer, clients do not',
  async ({ house, owner }) => {
    const node = await openUpstreamNode(house)
    const { request } = await rowOf(owner, node.nodeId)
    const { requestId } = request as Row
    const pairer = await enter(house, { scopes: ['operator.pairing'] })
    const reader = await enter(house, { scopes: ['operator.read'] })

    const refused = await ask(pairer, 'node.pair.approve', { requestId })
    const unread = await ask(reader, 'node.pair.approve', { requestId })
    const asked = await ask(reader, 'node.invoke', {
      nodeId: node.nodeId,
      command: 'system.run',
      idempotencyKey: 'k',
    })
    const forged = await owner.request('node.result', { id: 'x', ok: true })
    const wish = await ask(node.client, 'node.list')

    assert.is(refused.error?.message, 'missing scope: operator.admin')
    assert.is(unread.error?.message, 'missing scope: operator.pairing')
    assert.is(asked.error?.message, 'missing scope: operator.write')
    assert.is(forged.error?.code, 'FORBIDDEN')
    assert.is(wish.error?.message, 'unauthorized role: node')
  },
)

nodes(
  'ND10 a known node that comes back asks nothing, and its operators hear nothing',
  async ({ house, owner, boss }) => {
    const device = new KeyedDevice()
    const node = await openUpstreamNode(house, COMMANDS, device)
    await boss.event('node.pair.requested')
    await allow(owner, node)
    await node.client.event('node.pair.resolved')
    await node.client.close()
    await rowOf(owner, node.nodeId, 'offline')

    await openUpstreamNode(house, COMMANDS, device)
    const row = await rowOf(owner, node.nodeId)
    const wider = await openUpstreamNode(house, [...COMMANDS, 'camera.snap'], device)
    const more = await boss.event('node.pair.requested', ({ commands }) =>
      (commands as string[]).includes('camera.snap'),
    )

    assert.equal([row['commands'], row['request']], [COMMANDS, null])
    assert.is(more.payload['nodeId'], wider.nodeId)
    assert.is(boss.frames.filter(({ event }) => event === 'node.pair.requested').length, 2)
  },
)

nodes.run()

const alone = suite('nodes alone')

alone('ND11 what was asked when the gateway ended is uncertain, and is not run again', async () => {
  const store = openMemory()
  const keep = { ...store, close: () => Promise.resolve() }
  const first = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const owner = first.client()
  await owner.connect({ deviceId: 'owner', auth: { token: 'tok' } })
  const device = new KeyedDevice()
  const boss = new KeyedDevice()
  const asker = await enter(first, { device: boss })
  const node = await openUpstreamNode(first, COMMANDS, device)
  await allow(owner, node)
  const call = { nodeId: node.nodeId, command: 'system.which', idempotencyKey: 'k' }
  await send(asker, 'node.invoke', call)
  await node.asked('system.which')
  await first.stop()

  const second = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const again = await enter(second, { device: boss })
  const back = await openUpstreamNode(second, COMMANDS, device)
  await until(async () => {
    const { payload } = await ask(again, 'node.describe', { nodeId: node.nodeId })
    return payload['connected'] === true
  }, 'node back')
  const { error } = await ask(again, 'node.invoke', call)
  const fresh = ask(again, 'node.invoke', { ...call, idempotencyKey: 'k2' })
  const { id } = await back.asked('system.which')
  await back.reply(id, { ok: true, payload: 1 })
  const { payload } = await fresh
  await second.stop()

  assert.is(error?.code, 'UNAVAILABLE')
  assert.match(String(error?.message), 'may have done it')
  assert.is(payload['payload'], 1, 'its allowance outlives the restart')
  const asked = back.client.frames.filter(({ event }) => event === 'node.invoke.request')
  assert.is(asked.length, 1)
})

alone.run()
