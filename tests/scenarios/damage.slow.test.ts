/**
 * A journal that was damaged while no gateway ran: what is damaged is named and never served, the
 * rest is.
 *
 * The journal of these tests comes from a real life that ended by SIGKILL: three sessions, then so
 * many other records that the beginning lies behind checkpoint, index and the tail that is
 * verified at boot.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { type ChildGateway, makeStateDir, type StateDir, startServing } from '../support/child.ts'
import { TestClient } from '../support/client.ts'
import { copyState, damageRecord, damageValue } from '../support/damage.ts'
import { recordsOf, streamOf } from '../support/journal.ts'
import { within } from '../support/wait.ts'
import { seeded } from '../support/kill-loop.ts'

const FLIPS = 10
const LONG_MESSAGES = limits.snapshotEveryRecords / 2 + 4
const FILLER_RECORDS = limits.verifyTailRecords + 1_500

interface Scene {
  life: StateDir
  records: JournalRecord[]
  state: StateDir // this test's copy
  gateway: ChildGateway | null
  clients: TestClient[]
}

const damage = suite<Scene>('damage')

damage.before(async (scene) => {
  // Nobody listens there: the channel keeps dialling.
  scene.life = makeStateDir({ channels: { irc: { host: '127.0.0.1', port: 1, tls: false } } })
  await live(scene.life)
  scene.records = await recordsOf(scene.life.journal)
})
damage.after(({ life }) => life.remove())
damage.before.each((scene) => {
  scene.state = copyState(scene.life)
  scene.gateway = null
  scene.clients = []
})
damage.after.each(async ({ state, gateway, clients }) => {
  for (const client of clients) await client.close()
  await gateway?.kill()
  state.remove()
})

async function live({ path }: StateDir): Promise<void> {
  const gateway = await startServing(path)
  const client = new TestClient(gateway.url)
  await client.connect()
  for (const session of ['hurt', 'well']) await ask(client, session, `hello ${session}`)
  for (let n = 0; n < LONG_MESSAGES; n += 1) await ask(client, 'long', `message ${n}`)
  const filler = new TestClient(gateway.url)
  await filler.connect({ deviceId: 'filler', subscribe: ['shutdown'] })
  for (let n = 0; n < FILLER_RECORDS; n += 50) {
    const batch = Array.from({ length: 50 }, () =>
      filler.request('subscribe', { events: ['tick'] }),
    )
    await Promise.all(batch)
    filler.frames.length = 0
  }
  await gateway.kill()
  await Promise.all([client.close(), filler.close()])
}

/** Asks a session and waits for the end of its run. */
async function ask(client: TestClient, session: string, message: string): Promise<string> {
  const sessionKey = `agent:main:${session}`
  const { ok, payload, error } = await client.request('agent', { message, sessionKey })
  if (ok !== true) throw new Error(`${error?.code}: ${error?.message}`)
  const done = await client.event('agent.done', ({ runId }) => runId === payload['runId'])
  client.frames.length = 0
  return done.payload['status'] === 'done' ? String(done.payload['text']) : 'no answer'
}

async function serve(scene: Scene): Promise<TestClient> {
  // uvu 0.5.6 cannot show a GatewayError.
  scene.gateway = await startServing(scene.state.path).catch((cause: unknown) => {
    throw new Error(String(cause))
  })
  const client = new TestClient(scene.gateway.url)
  scene.clients.push(client)
  await client.connect({ deviceId: 'device-2' })
  return client
}

function positionOf({ records }: Scene, stream: string, version = 1): number {
  const found = records.find((record) => record.stream === stream && record.version === version)
  return found?.position ?? 0
}

async function faultOf(attempt: Promise<unknown>): Promise<GatewayError> {
  const thrown = await attempt.then(
    () => null,
    (error: unknown) => error,
  )
  if (thrown instanceof GatewayError) return thrown
  throw new Error(`expected a fault, got ${String(thrown)}`)
}

damage(
  'D-R5 F13 whichever byte of a record is flipped, verification names its position',
  async (scene) => {
    const random = seeded(5)
    for (let n = 0; n < FLIPS; n += 1) {
      const copy = copyState(scene.life)
      const position = 1 + Math.floor(random() * scene.records.length)
      const offset = Math.floor(random() * 80)
      await damageRecord(copy.journal, position, offset)

      const fault = await faultOf(verifyInChild(copy.journal))

      copy.remove()
      assert.is(fault.details['position'], position, `#${position}+${offset}: ${fault.message}`)
      assert.match(fault.code, /^(?:STORE_CORRUPT|RECORD_FORMAT)$/)
    }
  },
)

damage(
  'D-R6 F14 a gateway does not start over a tail that is damaged, and says where',
  async (scene) => {
    const position = scene.records.length - 7
    await damageRecord(scene.state.journal, position)

    const fault = await faultOf(startServing(scene.state.path))

    assert.equal([fault.code, fault.details['position']], ['STORE_CORRUPT', position])
  },
)

damage(
  'I27 F13 a session with a damaged record is set aside, and the others are served',
  async (scene) => {
    await damageRecord(scene.state.journal, positionOf(scene, 'session:agent:main:hurt'))
    const client = await serve(scene)

    const params = { message: 'are you well?', sessionKey: 'agent:main:hurt' }
    const first = await client.request('agent', params)
    const second = await client.request('agent', params)

    assert.equal([first.error?.code, second.error?.code], ['STORE_CORRUPT', 'STREAM_QUARANTINED'])
    assert.is(await ask(client, 'well', 'and you?'), 'echo: and you?')
    const { payload } = await client.request('health')
    assert.equal(
      [payload['status'], payload['quarantined']],
      ['degraded', ['session:agent:main:hurt']],
    )
    const told = (await streamOf(scene.state.journal, 'gateway:main')).filter(
      ({ event }) => event.type === 'stream.quarantined',
    )
    assert.equal(
      told.map(({ event }) => [event['stream'], event['code']]),
      [['session:agent:main:hurt', 'STORE_CORRUPT']],
    )
  },
)

damage(
  'I27 a connection left open whose record is damaged keeps no gateway from starting',
  async (scene) => {
    const opened = scene.records.find(({ event }) => event.type === 'connection.opened')
    await damageRecord(scene.state.journal, opened!.position)

    const client = await serve(scene)

    assert.is(await ask(client, 'hurt', 'and you?'), 'echo: and you?')
  },
)

damage('I27 a channel whose record is damaged is set aside, the rest is served', async (scene) => {
  await damageRecord(scene.state.journal, positionOf(scene, 'channel:irc'))

  const client = await serve(scene)

  const { payload } = await client.request('health')
  assert.equal(
    [payload['channels'], payload['quarantined']],
    [{ irc: 'disconnected' }, ['channel:irc']],
  )
  assert.is(await ask(client, 'well', 'and you?'), 'echo: and you?')
})

damage(
  'I22 a client that resumes over a damaged record is closed, not led past it',
  async (scene) => {
    const position = positionOf(scene, 'session:agent:main:hurt')
    await damageRecord(scene.state.journal, position)
    await serve(scene)
    const client = new TestClient(scene.gateway!.url)
    scene.clients.push(client)

    assert.is((await client.connect({ deviceId: 'device-3', resumeFrom: 0 })).ok, true)

    assert.equal(await within(client.closed, 'end'), { code: 1011, reason: 'STORE_CORRUPT' })
    assert.is(client.frames.filter(({ id }) => id === 'connect#1').length, 1)
    assert.ok(client.events.every(({ payload }) => Number(payload['position'] ?? 0) < position))
  },
)

damage('I28 F48 a damaged snapshot only costs time', async (scene) => {
  const stream = 'session:agent:main:long'
  await damageValue(scene.state.journal, (reader) => reader.snapshot(stream)?.bytes)
  const client = await serve(scene)

  assert.is(await ask(client, 'long', 'one more'), 'echo: one more')

  assert.is(await messagesOf(client, 'long'), 2 * LONG_MESSAGES + 2)
})

damage('I28 a damaged record behind a snapshot is not missed', async (scene) => {
  await damageRecord(scene.state.journal, positionOf(scene, 'session:agent:main:long'))
  const client = await serve(scene)

  assert.is(await ask(client, 'long', 'one more'), 'echo: one more')

  assert.is(await messagesOf(client, 'long'), 2 * LONG_MESSAGES + 2)
})

damage('I28 a damaged checkpoint only costs time', async (scene) => {
  await damageValue(scene.state.journal, (reader) => reader.checkpoint('open-work')?.bytes)
  const client = await serve(scene)

  assert.is(await messagesOf(client, 'long'), 2 * LONG_MESSAGES)
  assert.is(await ask(client, 'well', 'and you?'), 'echo: and you?')
})

damage('S6 a damaged text makes its run fail, and no other text is taken for it', async (scene) => {
  const accepted = scene.records[positionOf(scene, 'session:agent:main:well') - 1]
  const ref = String(accepted?.event['ref'])
  await damageValue(scene.state.journal, (reader) => reader.body(ref) ?? undefined)
  const client = await serve(scene)

  assert.is(await ask(client, 'well', 'what did I say first?'), 'no answer')
  assert.is(await ask(client, 'hurt', 'and you?'), 'echo: and you?')
})

async function messagesOf(client: TestClient, session: string): Promise<unknown> {
  const { payload } = await client.request('sessions.list')
  const rows = payload['sessions'] as { key: string; messageCount: number }[]
  return rows.find(({ key }) => key === `agent:main:${session}`)?.messageCount
}

damage.run()
