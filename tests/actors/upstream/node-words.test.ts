/** What a node of upstream's tells of itself: taken, and kept nowhere. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import { KeyedDevice } from '../../support/device.ts'
import { inUpstream, NODE } from '../../support/upstream-client.ts'

const words = cases('words of nodes')

words('UN1 a node tells its skills and tools, and waits to be allowed what it has', () =>
  inUpstream(async ({ enter, store }) => {
    const boss = await enter()
    const device = new KeyedDevice()
    const node = await enter({ ...NODE, device })
    const { payload } = await boss.event('node.pair.requested')
    await boss.get('sessions.list')
    const before = store.head().position

    const told = await node.get('node.skills.update', { skills: [] })
    assert.equal(told, { nodeId: device.id, skills: [] })
    assert.equal(await node.get('node.pluginTools.update', { tools: [] }), {
      nodeId: device.id,
      tools: [],
    })
    assert.is((await node.get('node.event', { event: 'node.host.stats' }))['ok'], true)
    const early = await node.ask('node.runnerInventory.update', { runners: [] })
    assert.equal([early.error?.code, early.error?.retryable], ['UNAVAILABLE', true])
    assert.match(early.error?.message ?? '', /awaiting operator approval/)
    assert.is(store.head().position, before)

    await boss.get('node.pair.approve', { requestId: payload['requestId'] })

    await node.event('node.pair.resolved')
    const taken = await node.get('node.runnerInventory.update', { runners: [] })
    assert.equal(taken, { nodeId: device.id })
  }),
)

words('UN2 a node that is removed is gone from the list, and must be allowed anew', () =>
  inUpstream(async ({ enter }) => {
    const boss = await enter()
    const device = new KeyedDevice()
    await enter({ ...NODE, device })
    const { payload } = await boss.event('node.pair.requested')
    await boss.get('node.pair.approve', { requestId: payload['requestId'] })

    assert.equal(await boss.get('node.pair.remove', { nodeId: device.id }), { nodeId: device.id })

    const unknown = await boss.ask('node.pair.remove', { nodeId: 'nobody' })
    assert.is(unknown.error?.code, 'INVALID_REQUEST')
    const { paired } = await boss.get('node.pair.list')
    assert.equal(paired, [])
  }),
)

words.run()
