/** Where commands run, and what nodes themselves let run. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import { KeyedDevice } from '../../support/device.ts'
import { until } from '../../support/wait.ts'
import { inUpstream, NODE, type UpstreamWorld } from '../../support/upstream-client.ts'

const environments = cases('upstream environments')

type Json = Readonly<Record<string, unknown>>

const COMMANDS = ['system.execApprovals.get', 'system.execApprovals.set']

/** A node that keeps what it lets run, allowed by a person. */
async function keeper({ enter }: UpstreamWorld) {
  const boss = await enter()
  const device = new KeyedDevice()
  const node = await enter({ ...NODE, device, params: { commands: COMMANDS } })
  const { pending } = await boss.get('node.pair.list')
  const [asking] = pending as Json[]
  await boss.get('node.pair.approve', { requestId: asking?.['requestId'] })
  return { boss, node, nodeId: device.id }
}

environments('UE1 this machine is one, each node another, there or not', () =>
  inUpstream(async (world) => {
    const { boss, node, nodeId } = await keeper(world)

    const { environments: rows } = await boss.get('environments.list')

    const [own, other] = rows as Json[]
    assert.equal([own?.['id'], own?.['status']], ['gateway', 'available'])
    assert.equal([other?.['id'], other?.['status']], [`node:${nodeId}`, 'available'])
    assert.equal(other?.['invocableCommands'], COMMANDS)
    const one = await boss.get('environments.status', { environmentId: `node:${nodeId}` })
    assert.equal(one, other)
    await node.close()
    await until(async () => {
      const gone = await boss.get('environments.status', { environmentId: `node:${nodeId}` })
      return gone['status'] === 'unavailable'
    }, 'the node to be away')
    const { error } = await boss.ask('environments.status', { environmentId: 'moon' })
    assert.is(error?.message, 'unknown environmentId')
    assert.equal(await boss.get('environments.list', { projection: 'profiles' }), {
      environments: [],
    })
  }),
)

environments('UE2 exec.approvals.node.get and set ask the node, and are its answer', () =>
  inUpstream(async (world) => {
    const { boss, node, nodeId } = await keeper(world)
    const file = { version: 1, agents: {} }
    const answer = async (command: string, payload: Json) => {
      const asked = await node.event('node.invoke.request', (said) => said['command'] === command)
      const { id, paramsJSON } = asked.payload
      await node.get('node.invoke.result', { id, nodeId, ok: true, payload })
      return JSON.parse(String(paramsJSON)) as Json
    }

    const reading = await boss.post('exec.approvals.node.get', { nodeId })
    await answer('system.execApprovals.get', { file, hash: 'h' })
    assert.equal((await boss.answer(reading)).payload, { file, hash: 'h' })

    const wish = { nodeId, file, baseHash: 'h' }
    const writing = await boss.post('exec.approvals.node.set', wish)
    assert.equal(await answer('system.execApprovals.set', { hash: 'i' }), { file, baseHash: 'h' })
    assert.equal((await boss.answer(writing)).payload, { hash: 'i' })

    const { error } = await boss.ask('exec.approvals.node.get', { nodeId: 'nobody' })
    assert.is(error?.message, 'unknown nodeId')
    const reader = await world.enter({ scopes: ['operator.read', 'operator.write'] })
    assert.is((await reader.ask('exec.approvals.node.get', { nodeId })).error?.code, 'FORBIDDEN')
  }),
)

environments.run()
