/** Certificates for tests, signed by themselves: X.509 in DER, as small as TLS takes it (RFC 5280). */
import { generateKeyPairSync, sign } from 'node:crypto'

export interface TestCertificate {
  readonly cert: string // PEM
  readonly key: string // PEM
}

const DAY = 86_400_000
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('0603550403', 'hex')

/** Makes a certificate that is valid from now + `fromDays` to now + `toDays`. */
export function makeCertificate({ fromDays = -1, toDays = 30 } = {}): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from('openclaw test')))))
  const time = (days: number) => {
    const text = new Date(Date.now() + days * DAY).toISOString()
    return der(0x18, Buffer.from(`${text.replaceAll(/[-:T]/g, '').slice(0, 14)}Z`))
  }
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    ECDSA_WITH_SHA256,
    name,
    der(0x30, time(fromDays), time(toDays)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = der(0x03, Buffer.of(0), sign('sha256', body, privateKey))
  const bytes = der(0x30, body, ECDSA_WITH_SHA256, signature)
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  const cert = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  return { cert, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 128
      ? Buffer.of(length)
      : length < 256
        ? Buffer.of(0x81, length)
        : Buffer.of(0x82, length >> 8, length & 0xff)
  return Buffer.concat([Buffer.of(tag), size, content])
}
