/**
 * Verbs about pairing and devices, as real processes against a real gateway.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { hashPassword, verifyPassword } from '../../protocol/auth/password.ts'
import { cli } from '../support/cli.ts'
import { KeyedDevice } from '../support/device.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { ask, code, detail, REMOTE } from '../support/pairing.ts'
import { compiled, type Ended } from '../support/process.ts'

const verbs = suite('pairing verbs')

type Call = (...args: readonly string[]) => Promise<Ended>

/** Runs a test with a gateway and a command line of its own. */
async function withGateway(
  gateway: object,
  run: (call: Call, house: TestGateway, stateDir: string) => Promise<void>,
): Promise<void> {
  const house = await startTestGateway({ config: { gateway } })
  try {
    await withDirectory((stateDir) =>
      run(
        (...args) => cli(stateDir, [...args, '--port', String(house.gateway.port)]),
        house,
        stateDir,
      ),
    )
  } finally {
    await house.stop()
  }
}

verbs('C60 the command line pairs with a key of its own, and comes back by it', async () => {
  await withGateway({}, async (call, house, stateDir) => {
    const first = await call('health')
    const path = join(stateDir, 'client.json')
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
    const second = await call('health')
    const list = await call('devices', '--json')

    assert.equal([first.code, second.code], [0, 0], first.stderr + second.stderr)
    assert.is(statSync(path).mode & 0o777, 0o600)
    assert.match(kept['deviceId'] ?? '', /^[\da-f]{64}$/)
    const [row] = (JSON.parse(list.stdout) as { devices: Record<string, unknown>[] }).devices
    assert.equal([row?.['deviceId'], row?.['hasKey']], [kept['deviceId'], true])
    const stranger = await house.client().connect({ deviceId: kept['deviceId'] })
    assert.is(code(stranger), 'PAIRING_REQUIRED')
  })
})

verbs(
  'C60 with a token configured the command line shows it, and then needs it no more',
  async () => {
    await withGateway({ auth: { token: 'right' } }, async (call) => {
      const without = await call('health')
      const wrong = await call('health', '--token', 'wrong')
      const right = await call('health', '--token', 'right')
      const after = await call('health')

      assert.equal([without.code, wrong.code, right.code, after.code], [1, 1, 0, 0])
      assert.match(without.stderr, /pairing approve [A-Z2-9]{4}-[A-Z2-9]{4}/)
    })
  },
)

verbs('C61 list, approve and reject do what they say, by code and by id', async () => {
  await withGateway({}, async (call, house) => {
    const devices = [new KeyedDevice(), new KeyedDevice(), new KeyedDevice()]
    const waits = []
    for (const device of devices) waits.push(await ask(house, device))
    const [first, second, third] = waits.map((frame) => String(detail(frame, 'code')))

    const list = await call('pairing', 'list')
    const approved = await call('pairing', 'approve', first ?? '')
    const other = await call('pairing', 'approve', 'irc', second ?? '')
    const byId = await call('pairing', 'reject', String(detail(waits[1]!, 'requestId')))
    const narrow = await call('pairing', 'approve', third ?? '', '--scopes', 'operator.read')
    const again = await call('pairing', 'approve', first ?? '')
    const empty = await call('pairing', 'list')

    for (const device of devices) assert.match(list.stdout, device.id.slice(0, 16))
    assert.is(approved.stdout, `approved ${devices[0]!.id}: operator.read operator.write\n`)
    assert.is(other.code, 1)
    assert.match(other.stderr, 'no channel named "irc"')
    assert.is(byId.stdout, `rejected ${devices[1]!.id}\n`)
    assert.match(narrow.stdout, /: operator\.read\n$/)
    assert.is(again.code, 10)
    assert.match(empty.stderr, 'no device waits')
    assert.is((await devices[0]!.connect(house.client(REMOTE))).ok, true)
  })
})

verbs('C62 revoke and rotate end the connections of a device', async () => {
  await withGateway({}, async (call, house) => {
    const client = house.client()
    await client.connect({ deviceId: 'lamp' })

    const rotated = await call('devices', 'rotate', 'lamp')
    const { code: closeCode } = await client.closed
    const auth = { deviceToken: rotated.stdout.trim() }
    const back = await house.client(REMOTE).connect({ deviceId: 'lamp', auth })
    const revoked = await call('devices', 'revoke', 'lamp')
    const gone = await house.client(REMOTE).connect({ deviceId: 'lamp', auth })
    const twice = await call('devices', 'revoke', 'lamp')

    assert.is(closeCode, 1008)
    assert.is(back.ok, true)
    assert.is(revoked.stdout, 'revoked lamp\n')
    assert.is(code(gone), 'UNAUTHORIZED')
    assert.is(twice.code, 10)
    assert.match((await call('devices', 'list')).stdout, /lamp +revoked/)
  })
})

verbs('C63 qr shows a code in half blocks that lets one phone in', async () => {
  await withGateway({}, async (call, house) => {
    const shown = await call('pairing', 'qr', '--url', 'ws://192.0.2.7:18789')
    const lines = shown.stdout.trimEnd().split('\n')
    const setup = JSON.parse(Buffer.from(lines.at(-1) ?? '', 'base64url').toString()) as Record<
      string,
      string
    >
    const auth = { bootstrapToken: setup['bootstrapToken'] }
    const phone = await new KeyedDevice().connect(house.client(REMOTE), { auth })
    const second = await new KeyedDevice().connect(house.client(REMOTE), { auth })

    assert.ok(lines.slice(0, -1).every((line) => /^[█▀▄ ]+$/.test(line)))
    assert.ok(lines.length > 20)
    assert.is(setup['url'], 'ws://192.0.2.7:18789')
    assert.equal([phone.ok, code(second)], [true, 'UNAUTHORIZED'])
    assert.match((await call('pairing', 'qr')).stderr, 'only this machine')
  })
})

verbs('C64 hash-password takes a password from stdin and never from the arguments', async () => {
  const run = async (input: string): Promise<{ code: number; stdout: string }> => {
    const child = spawn(process.execPath, [
      compiled('scripts/openclaw.js'),
      'pairing',
      'hash-password',
    ])
    let stdout = ''
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stdin.end(input)
    const [exit] = (await once(child, 'close')) as [number]
    return { code: exit, stdout }
  }

  const hashed = await run('correct horse\n')
  const empty = await run('')

  assert.is(hashed.code, 0)
  assert.ok(await verifyPassword('correct horse', hashed.stdout.trim()))
  assert.is(empty.code, 2)
  await withDirectory(async (directory) => {
    assert.is((await cli(directory, ['pairing', 'hash-password', 'secret'])).code, 2)
  })
})

verbs('C65 a hashed password is no secret of the command line; the environment’s is', async () => {
  const password = 'correct horse'
  const hash = await hashPassword(password, Buffer.alloc(16, 3))
  await withGateway({ auth: { password: hash } }, async (_call, house, stateDir) => {
    const args = ['health', '--port', String(house.gateway.port)]
    const without = await cli(stateDir, args)
    const shown = await cli(stateDir, args, { OPENCLAW_GATEWAY_PASSWORD: password })
    const after = await cli(stateDir, args)

    assert.equal([without.code, shown.code, after.code], [1, 0, 0])
  })
})

verbs.run()
