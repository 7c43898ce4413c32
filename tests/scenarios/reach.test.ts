/** Reaching a gateway from other places: verbs over TLS, pinned to its certificate. */
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { makeCertificate } from '../support/certificate.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const reach = cases('reach')

reach('TL5 verbs come in over TLS by the pinned certificate, and by no other', async () => {
  await withDirectory(async (stateDir) => {
    const { cert, key } = makeCertificate()
    writeFileSync(join(stateDir, 'cert.pem'), cert)
    writeFileSync(join(stateDir, 'key.pem'), key, { mode: 0o600 })
    const text = '{ gateway: { port: 0, tls: { cert: "cert.pem", key: "key.pem" } } }'
    writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })
    const { fingerprint256 } = new X509Certificate(cert)
    const pinned = (fingerprint: string) => ({ OPENCLAW_GATEWAY_TLS_FINGERPRINT: fingerprint })

    const start = await cli(stateDir, ['gateway', '--daemon'])
    const status = await cli(stateDir, ['gateway', 'status'])
    const turn = await cli(stateDir, ['agent', '--message', 'over tls'])
    const same = pinned(`sha256:${fingerprint256.replaceAll(':', '').toLowerCase()}`)
    const right = await cli(stateDir, ['health'], same)
    const wrong = await cli(stateDir, ['health'], pinned('ab'.repeat(32)))
    const doubt = await cli(stateDir, ['gateway', 'status'], pinned('ab'.repeat(32)))
    await cli(stateDir, ['gateway', 'stop'])

    assert.is(start.code, 0, start.stderr)
    assert.match(start.stdout, /ready at wss:\/\/127\.0\.0\.1:\d+ /)
    assert.is(status.code, 0, status.stdout)
    assert.match(status.stdout, `SHA-256 ${fingerprint256}`)
    assert.match(turn.stdout, 'over tls')
    assert.equal([right.code, wrong.code, doubt.code], [0, 1, 1])
    assert.match(wrong.stderr, `got ${fingerprint256}`)
    assert.match(doubt.stderr, 'The network is at fault')
  })
})

reach('TL6 an expired certificate stops the start with 78', async () => {
  await withDirectory(async (stateDir) => {
    const { cert, key } = makeCertificate({ fromDays: -9, toDays: -1 })
    writeFileSync(join(stateDir, 'cert.pem'), cert)
    writeFileSync(join(stateDir, 'key.pem'), key, { mode: 0o600 })
    const text = '{ gateway: { port: 0, tls: { cert: "cert.pem", key: "key.pem" } } }'
    writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })

    const start = await cli(stateDir, ['gateway'])

    assert.is(start.code, 78)
    assert.match(start.stderr, 'gateway.tls.cert: expired on ')
  })
})

reach.run()
