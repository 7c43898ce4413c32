/** Tailscale, with a stand-in for its command: claimed, named, undone, and refused without a password. */
import '../../actors/trap.ts'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import { openMemory } from '../../store/memory.ts'
import type { Store } from '../../store/contract.ts'
import { cases } from '../store/cases.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { until } from '../support/wait.ts'

const tailscale = cases('tailscale')

const STAND_IN = `#!/bin/sh
echo "$*" >>"$TAILSCALE_ASKED"
case "$*" in
  status*) echo '{"Self":{"DNSName":"heron.tail1234.ts.net."}}';;
  *) [ -z "$TAILSCALE_FAULT" ] || { echo "$TAILSCALE_FAULT" >&2; exit 1; };;
esac
`

interface Bench {
  readonly env: NodeJS.ProcessEnv
  readonly asked: () => string[]
}

async function withStandIn(run: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-tailscale-'))
  const path = join(directory, 'tailscale')
  const log = join(directory, 'asked')
  writeFileSync(path, STAND_IN)
  chmodSync(path, 0o755)
  const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, TAILSCALE_ASKED: log }
  const asked = (): string[] =>
    existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []
  try {
    await run({ env, asked })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const serve = { gateway: { tailscale: { mode: 'serve' } } }

function typesOf(store: Store): string[] {
  return readRecords(store)
    .map(({ event }) => event.type)
    .filter((type) => type.startsWith('tailscale.') || type === 'gateway.stopped')
}

function statusAt({ gateway }: TestGateway, host: string): Promise<number> {
  const options = { host: '127.0.0.1', port: gateway.port, path: '/healthz', headers: { host } }
  return new Promise((resolve, reject) => {
    const asked = request(options, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.on('error', reject).end()
  })
}

tailscale('TS1 serve is claimed, recorded before it is tried, and undone at the stop', async () => {
  await withStandIn(async ({ env, asked }) => {
    const store = { ...openMemory(), close: () => Promise.resolve() } // Looked at behind the stop.
    const house = await startTestGateway({ config: serve, env, store })
    const { port } = house.gateway
    await until(() => asked().length === 2, 'claim')
    await until(async () => (await statusAt(house, 'heron.tail1234.ts.net')) === 200, 'our name')
    const stranger = await statusAt(house, 'evil.tail1234.ts.net')
    await house.gateway.stop('test')

    assert.is(stranger, 403)
    assert.equal(asked(), ['status --json', `serve --bg --yes ${port}`, 'serve reset'])
    assert.equal(typesOf(store), ['tailscale.claimed', 'tailscale.reset', 'gateway.stopped'])
    await house.stop()
  })
})

tailscale('TS2 a claim whose process died is undone by the next boot that wants none', async () => {
  await withStandIn(async ({ env, asked }) => {
    const store = openMemory()
    const first = await startTestGateway({
      config: serve,
      env: { ...env, TAILSCALE_FAULT: '' },
      store,
    })
    await until(() => asked().length === 2, 'claim')
    const copy = openMemory()
    for (const { stream, version, fields } of store.range(1)) {
      await copy.append({ stream, expectedVersion: version - 1, fields })
    }
    await first.stop()
    const before = asked().length

    const second = await startTestGateway({ env, store: copy })
    await until(() => typesOf(copy).includes('tailscale.reset'), 'reset')
    await second.stop()

    assert.equal(asked().slice(before), ['serve reset'])
  })
})

tailscale(
  'TS3 a command that fails, or is not there, leaves us serving, and health says why',
  async () => {
    await withStandIn(async ({ env }) => {
      for (const [given, says] of [
        [{ ...env, TAILSCALE_FAULT: 'not logged in' }, /^tailscale: serve --bg .*: not logged in$/],
        [{ PATH: '/nowhere' }, /^tailscale: status --json: .*ENOENT/],
      ] as const) {
        const house = await startTestGateway({ config: serve, env: given })
        const client = house.client()
        await client.connect()
        const why = await until(async () => {
          const { payload } = await client.request('health')
          return typeof payload['tailscale'] === 'string' && payload
        }, 'trouble')

        assert.is(why['status'], 'degraded')
        assert.match(String(why['tailscale']), says)
        await house.stop()
      }
    })
  },
)

tailscale('TS4 funnel needs a password, and both need a bind to this machine', () => {
  const open = (gateway: object) => () => void resolveConfig({ gateway })
  const funnel = { tailscale: { mode: 'funnel' } }
  const token = { mode: 'token', token: 't' }
  const password = { mode: 'password', password: 'correct horse' }

  assert.throws(open(funnel), /"funnel" is open to the Internet and needs/)
  assert.throws(open({ ...funnel, auth: token }), /gateway\.auth\.password/)
  assert.throws(open({ ...funnel, auth: { ...token, ...password, mode: 'token' } }), /password/)
  assert.throws(
    open({ ...funnel, auth: password, bind: '0.0.0.0' }),
    /needs gateway\.bind "loopback"/,
  )
  assert.not.throws(open({ ...funnel, auth: password }))
  assert.not.throws(open({ tailscale: { mode: 'serve' } }))
})

tailscale.run()
