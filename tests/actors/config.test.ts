/** `config.*` over the wire: base hashes, secrets, effects, and who is told. */
import '../../actors/trap.ts'
import { readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sha256Hex } from '../../protocol/codec.ts'
import { openMemory } from '../../store/memory.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { approved } from '../support/facts.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openTestKernel, readRecords } from '../support/kernel.ts'
import { until } from '../support/wait.ts'

interface Context {
  house: TestGateway
  client: TestClient
}

const wire = suite<Context>('config wire')
wire.before.each(async (context) => {
  const auth = { mode: 'token', token: 'hunter2-token' }
  context.house = await startTestGateway({
    config: { gateway: { auth }, session: { maxMessages: 9 } },
  })
  context.client = context.house.client()
  await context.client.connect({ auth: { token: 'hunter2-token' } })
})
wire.after.each(({ house }) => house.stop())

const code = ({ error }: Frame) => error?.code

async function hashOf(client: TestClient): Promise<string> {
  return String((await client.request('config.get')).payload['hash'])
}

async function patch(client: TestClient, value: object, more: object = {}): Promise<Frame> {
  const baseHash = await hashOf(client)
  return client.request('config.patch', { raw: JSON.stringify(value), baseHash, ...more })
}

wire('S36 config.get shows no secret, and its hash tells none', async ({ client }) => {
  const { payload } = await client.request('config.get')

  assert.not.match(JSON.stringify(payload), /hunter2/)
  assert.equal(payload['secretPaths'], ['gateway.auth.token'])
  assert.equal([payload['valid'], payload['issues']], [true, []])
  assert.match(String(payload['hash']), /^[0-9a-f]{32}$/)
})

wire(
  'C56 a write without its base, or on an old one, is refused with the hash of now',
  async ({ client }) => {
    const hash = await hashOf(client)
    const raw = '{ session: { maxMessages: 20 } }'

    const missing = await client.request('config.patch', { raw })
    const stale = await client.request('config.apply', { raw, baseHash: '00' })

    assert.equal([code(missing), missing.error?.details?.['hash']], ['CONFIG_STALE', hash])
    assert.equal([code(stale), stale.error?.details?.['path']], ['CONFIG_STALE', 'baseHash'])
  },
)

wire(
  'C57 what would not start is refused: syntax, unknown key, a bind without auth',
  async ({ house, client }) => {
    const baseHash = await hashOf(client)
    const apply = (raw: string) => client.request('config.apply', { raw, baseHash })
    const before = readRecords(house.store).length

    const syntax = await apply('{ session: ')
    const unknown = await apply('{ session: { maxMessagse: 5 } }')
    const open = await client.request('config.patch', {
      raw: '{ gateway: { bind: "0.0.0.0", auth: null } }',
      baseHash,
    })

    assert.equal([code(syntax), syntax.error?.details?.['line']], ['CONFIG_INVALID', 1])
    assert.match(
      unknown.error?.message ?? '',
      /session\.maxMessagse: unknown key, did you mean maxMessages/,
    )
    assert.is(code(open), 'CONFIG_INVALID')
    assert.equal(
      readRecords(house.store)
        .slice(before)
        .filter(({ stream }) => stream.startsWith('config:')),
      [],
    )
  },
)

wire(
  'C51 a hot change takes effect at once, keeps the secrets, and wakes its session',
  async ({ house, client }) => {
    const { payload } = await patch(
      client,
      { session: { maxMessages: 20 } },
      { note: 'be brief', sessionKey: 'main' },
    )
    const done = await client.event('agent.done')

    assert.equal([payload['effect'], payload['changedPaths']], ['hot', ['session.maxMessages']])
    assert.is(done.payload['text'], 'echo: be brief')
    const written = JSON.parse(readFileSync(house.configPath, 'utf8')) as {
      gateway: { auth: { token: string } }
      session: { maxMessages: number }
    }
    assert.equal([written.session.maxMessages, written.gateway.auth.token], [20, 'hunter2-token'])
    const records = readRecords(house.store)
    assert.not.match(JSON.stringify(records), /hunter2/)
    const proposed = records.find(({ event }) => event.type === 'config.proposed')
    const after = house.store.body(String(proposed?.event['after']))
    assert.match(Buffer.from(after ?? []).toString(), /"maxMessages": 20/)
    assert.not.match(Buffer.from(after ?? []).toString(), /hunter2/)
  },
)

wire(
  'C52 any other change asks for a restart, after its delay, and not before it is on disk',
  async ({ house, client }) => {
    const { payload } = await patch(client, { gateway: { port: 0 } }, { restartDelayMs: 10 })
    await until(() => house.restarts() > 0, 'a restart')

    assert.equal([payload['effect'], payload['restartDelayMs']], ['restart', 10])
    assert.is(house.restarts(), 1)
    const types = readRecords(house.store).filter(({ stream }) => stream === 'config:main')
    assert.ok(types.some(({ event }) => event.type === 'restart.due'))
  },
)

wire('C54 a write that changes nothing writes nothing', async ({ house, client }) => {
  const before = readRecords(house.store).length
  const { payload } = await client.request('config.apply', {
    raw: readFileSync(house.configPath, 'utf8'),
    baseHash: await hashOf(client),
  })

  assert.equal([payload['effect'], payload['position']], ['none', null])
  const since = readRecords(house.store).slice(before)
  assert.equal(
    since.filter(({ stream }) => stream === 'config:main'),
    [],
  )
})

wire(
  'C58 an edit by hand goes through the same machine; a broken one is told and changes nothing',
  async ({ house, client }) => {
    writeFileSync(house.configPath, '{ nonsense')
    const refused = await until(async () => {
      const { payload } = await client.request('config.get')
      return payload['valid'] === false ? payload : null
    }, 'the refusal of an edit')
    const issues = refused['issues'] as { message: string }[]
    assert.match(issues[0]?.message ?? '', /:1:/)

    const auth = { mode: 'token', token: 'hunter2-token' }
    writeFileSync(
      house.configPath,
      JSON.stringify({ gateway: { auth }, session: { maxMessages: 33 } }),
    )
    const good = await until(async () => {
      const { payload } = await client.request('config.get')
      const { session } = payload['parsed'] as { session?: { maxMessages?: number } }
      return payload['valid'] === true && session?.maxMessages === 33
    }, 'the edit')
    assert.ok(good)
    const via = readRecords(house.store).findLast(({ event }) => event.type === 'config.proposed')
    assert.is(via?.event['via'], 'file')
  },
)

wire('S37 a device without operator.admin may look, and changes nothing', async () => {
  const store = openMemory()
  const device = {
    ...approved('reader'),
    scopes: ['operator.read'],
    tokenHash: sha256Hex('its token'),
  }
  await openTestKernel({ store }).tell('pairing:reader', device)
  const other = await startTestGateway({ store })
  const reader = other.client()
  await reader.connect({ deviceId: 'reader', auth: { deviceToken: 'its token' } })

  const schema = await reader.request('config.schema')
  const refused = await patch(reader, { session: { maxMessages: 2 } })
  await other.stop()

  assert.ok((schema.payload['schema'] as unknown[]).length > 20)
  assert.is(code(refused), 'FORBIDDEN')
})

wire.run()
