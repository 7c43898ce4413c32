/** What comes through the door: names, keys, resets, files; and how a crowd is paced. */
import '../../actors/trap.ts'
import { lstatSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Turnstile } from '../../actors/turnstile.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { openFakeClock, settle } from '../support/clock.ts'
import { startCli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { RawSocket, rawFrame, request, upgradeHead } from '../support/raw-socket.ts'

const door = cases('door content')

door('S42 a crowd passes a few at once and then at a pace, in order, and bounded', async () => {
  const clock = openFakeClock()
  const turnstile = new Turnstile(clock)
  const entered: number[] = []
  const count = limits.turnstileBurst + 100
  for (let n = 0; n < count; n += 1) turnstile.take(() => entered.push(n))
  await settle(2 * limits.turnstileBurst + 10)
  assert.is(entered.length, limits.turnstileBurst)

  await clock.advance((50 / limits.turnstilePerSecond) * 1_000)
  assert.is(entered.length, limits.turnstileBurst + 50)
  await clock.advance(60_000)
  assert.equal(
    entered,
    Array.from({ length: count }, (_, n) => n),
  )

  let refused = 0
  for (let n = 0; n < limits.turnstileMax + 50; n += 1) {
    if (!turnstile.take(() => {})) refused += 1
  }
  assert.ok(refused > 0 && refused <= 50)
})

door(
  'S43 P18 session keys that climb, hide or stretch are refused, and leave no record',
  async () => {
    const house = await startTestGateway()
    const client = house.client()
    await client.connect({ subscribe: [] })
    await client.request('subscribe', { events: [] })
    const before = house.store.head().position
    for (const sessionKey of [
      'agent:*:main',
      'agent:main:../../etc/passwd',
      'agent:main:a/../b',
      'agent:main:\u0000',
      'agent:main:a\nb',
      'agent:main:\u202eevil',
      'agent:main:',
      '__proto__',
      'constructor',
      `agent:main:${'x'.repeat(65_536)}`,
    ]) {
      const { error } = await client.request('agent', { message: 'x', sessionKey })
      assert.is(error?.code, 'INVALID_REQUEST', JSON.stringify(sessionKey).slice(0, 60))
    }

    assert.is(house.store.head().position, before)
    // A star is a letter like others: it names one session, and no other.
    const star = await client.request('agent', { message: 'x', sessionKey: '*' })
    assert.is(star.payload['sessionKey'], 'agent:main:*')
    await house.stop()
  },
)

door(
  'S44 an idempotency key is one of 1 to 128 characters, and belongs to its method',
  async () => {
    const house = await startTestGateway()
    const client = house.client()
    await client.connect({ subscribe: [] })
    const ask = async (idempotencyKey: unknown): Promise<unknown> =>
      (await client.request('agent', { message: 'x', idempotencyKey })).error?.code

    for (const key of [
      '',
      'k'.repeat(limits.idempotencyKeyCharsMax + 1),
      'k'.repeat(10_240),
      1,
      [],
    ]) {
      assert.is(await ask(key), 'INVALID_REQUEST')
    }
    assert.is(await ask('k'), undefined)
    assert.is(await ask('k'.repeat(limits.idempotencyKeyCharsMax)), undefined)
    await house.stop()
  },
)

door('S50 P8 a probe tells a stranger that the process lives, and nothing else', async () => {
  const house = await startTestGateway()
  const base = `http://127.0.0.1:${house.gateway.port}`
  for (const path of ['/health', '/healthz']) {
    const response = await fetch(`${base}${path}`)
    assert.equal(await response.json(), { ok: true, status: 'live' })
    for (const header of ['server', 'x-powered-by', 'access-control-allow-origin', 'set-cookie']) {
      assert.is(response.headers.get(header), null, header)
    }
  }
  const stranger = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  assert.equal(await (await fetch(`${base}/readyz`, stranger)).json(), { ready: true })
  assert.is((await fetch(`${base}/metrics`, stranger)).status, 401)
  const records = readRecords(house.store).length
  await fetch(`${base}/healthz`)
  assert.is(readRecords(house.store).length, records, 'a probe leaves no record')
  await house.stop()
})

door('S61 resets before, in and after the upgrade are nobody’s fault', async () => {
  const house = await startTestGateway()
  const { port } = house.gateway
  const steady = house.client()
  await steady.connect()
  for (const bytes of [
    '',
    'GET',
    upgradeHead(port),
    upgradeHead(port, { host: 'evil.example' }),
    upgradeHead(port).slice(0, -2),
  ]) {
    for (let n = 0; n < 10; n += 1) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      if (bytes !== '') socket.write(bytes)
      socket.resetAndDestroy()
    }
  }
  for (let n = 0; n < 10; n += 1) {
    const raw = await RawSocket.connected(port, 'reset')
    raw.write(rawFrame({ payload: request('agent#1', { message: 'x' }) }))
    raw.socket.resetAndDestroy()
  }

  assert.is((await steady.request('health')).ok, true)
  const faults = house.services.lines.filter(({ level }) => level === 'error')
  assert.equal(faults, [])
  await house.stop()
})

door('S52 all that a gateway makes is its owner’s alone: 0600, in directories of 0700', () =>
  withDirectory(async (stateDir) => {
    const gateway = startCli(stateDir, ['gateway', '--port', '0'])
    const said = await gateway.says(/ready at ws:\/\/\S+/)
    const client = new TestClient(`ws://127.0.0.1:${/:(\d+) /.exec(said)?.[1]}`)
    await client.connect()
    await client.request('agent', { message: 'hi' })
    await client.event('agent.done')
    gateway.child.kill('SIGTERM')
    await gateway.ended
    await client.close()

    const entries = readdirSync(stateDir, { recursive: true, withFileTypes: true })
    assert.ok(entries.length > 4)
    for (const entry of entries) {
      const { mode } = lstatSync(join(entry.parentPath, entry.name))
      assert.is(mode & 0o077, 0, `${entry.name}: ${(mode & 0o777).toString(8)}`)
    }
  }),
)

door.run()
