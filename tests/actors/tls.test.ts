/** TLS with a certificate of one's own: served, pinned, renewed, and refused where it cannot hold. */
import '../../actors/trap.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { type Clock, systemClock } from '../../actors/services.ts'
import { readTls } from '../../actors/tls.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { makeCertificate, type TestCertificate } from '../support/certificate.ts'
import { openFakeClock } from '../support/clock.ts'
import { startTestGateway, stopWith, type TestGateway } from '../support/gateway.ts'
import { until } from '../support/wait.ts'

const tls = cases('tls')

async function withFiles(run: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-tls-'))
  try {
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function write(directory: string, { cert, key }: TestCertificate): { cert: string; key: string } {
  const paths = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  writeFileSync(paths.cert, cert)
  writeFileSync(paths.key, key, { mode: 0o600 })
  return paths
}

async function shownBy(house: TestGateway): Promise<string> {
  const { port } = house.gateway
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

function statusOf(house: TestGateway, origin: string): Promise<number> {
  const { port } = house.gateway
  const options = { host: '127.0.0.1', port, path: '/healthz', rejectUnauthorized: false }
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, headers: { origin } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.on('error', reject).end()
  })
}

tls('TL1 the gateway is served over TLS, tells wss, and takes its own origin only', async () => {
  await withFiles(async (directory) => {
    const certificate = makeCertificate()
    const house = await startTestGateway({
      config: { gateway: { tls: write(directory, certificate) } },
    })
    try {
      const { url, port } = house.gateway
      const client = house.client({ rejectUnauthorized: false })
      const hello = await client.connect()

      assert.is(url, `wss://127.0.0.1:${port}`)
      assert.is(hello.ok, true)
      assert.is(await shownBy(house), new X509Certificate(certificate.cert).fingerprint256)
      assert.is(await statusOf(house, `https://127.0.0.1:${port}`), 200)
      assert.is(await statusOf(house, `http://127.0.0.1:${port}`), 403)
    } finally {
      await house.stop()
    }
  })
})

tls('TL2 a certificate that cannot hold stops the start and says why', async () => {
  await withFiles(async (directory) => {
    const good = makeCertificate()
    const other = makeCertificate()
    const expired = makeCertificate({ fromDays: -9, toDays: -2 })
    const early = makeCertificate({ fromDays: 2, toDays: 9 })
    const text = { cert: 'no certificate', key: good.key }
    for (const [pair, says] of [
      [expired, /^gateway\.tls\.cert: expired on /],
      [early, /^gateway\.tls\.cert: valid only from /],
      [{ ...good, key: other.key }, /^gateway\.tls\.key: ".*" is not the key of the certificate/],
      [text, /^gateway\.tls\.cert: ".*" cannot be used: /],
    ] as const) {
      const named = write(directory, pair)
      const thrown = await startTestGateway({ config: { gateway: { tls: named } } }).then(
        (house) => house.stop(),
        (error: unknown) => error,
      )
      assert.instance(thrown, GatewayError)
      assert.is((thrown as GatewayError).code, 'CONFIG_INVALID')
      assert.match((thrown as GatewayError).message, says)
    }
    const missing = { cert: join(directory, 'none.pem'), key: join(directory, 'key.pem') }
    assert.throws(() => readTls(missing, directory, Date.now()), /cannot be used: ENOENT/)
  })
})

tls('TL3 a change to a certificate that cannot hold is refused before it counts', async () => {
  await withFiles(async (directory) => {
    const expired = write(directory, makeCertificate({ fromDays: -9, toDays: -2 }))
    const house = await startTestGateway({})
    try {
      const client = house.client()
      await client.connect()
      const { payload } = await client.request('config.get')
      const raw = JSON.stringify({ gateway: { tls: expired } })
      await client.request('config.patch', { raw, baseHash: payload['hash'], restartDelayMs: 0 })

      await until(async () => {
        const asked = await client.request('state.at', { actor: 'config:main' })
        return JSON.stringify(asked.payload).includes('"rejected":1')
      }, 'refusal of the change')
      assert.is(house.restarts(), 0)
    } finally {
      await house.stop()
    }
  })
})

tls('TL4 a renewed certificate is shown without a restart; a broken one is told once', async () => {
  await withFiles(async (directory) => {
    const beats: (() => void)[] = []
    let ahead = 0
    const clock: Clock = {
      now: () => systemClock.now() + ahead,
      monotonic: () => systemClock.monotonic() + ahead,
      after: (ms, run) => {
        if (ms !== limits.heartbeatMs) return systemClock.after(ms, run)
        beats.push(run)
        return () => {}
      },
    }
    const named = write(directory, makeCertificate())
    const house = await startTestGateway({
      config: { gateway: { tls: named } },
      services: { clock },
    })
    const look = (): void => {
      ahead += limits.tlsLookMs + 1
      beats.shift()?.()
    }
    try {
      const next = makeCertificate()
      write(directory, next)
      look()
      const renewed = await shownBy(house)
      write(directory, { ...next, cert: 'torn' })
      look()
      look()

      assert.is(renewed, new X509Certificate(next.cert).fingerprint256)
      assert.is(await shownBy(house), renewed)
      const told = house.services.lines.filter(({ phrase }) => phrase.includes('cannot be renewed'))
      assert.is(told.length, 1)
    } finally {
      await house.stop()
    }
  })
})

tls('TL5 under TLS too, who has spoken is left alone and who says nothing is gone', async () => {
  await withFiles(async (directory) => {
    const clock = openFakeClock(Date.now())
    const house = await startTestGateway({
      config: { gateway: { tls: write(directory, makeCertificate()) } },
      services: { clock },
    })
    const { port } = house.gateway
    const client = house.client({ rejectUnauthorized: false })
    await client.connect()
    const silent = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    silent.on('error', () => {})
    await once(silent, 'secureConnect')
    const gone = once(silent, 'close')

    await clock.advance(limits.headerDeadlineMs)
    await gone

    assert.is((await client.request('health')).ok, true)
    await client.close()
    await stopWith(house, clock)
  })
})

tls.run()
