/** Each way in which upstream's `connect` is refused: its code, its words, how the socket closes. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { fingerprint } from '../../../protocol/auth/signature.ts'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { KeyedDevice } from '../../support/device.ts'
import { readRecords } from '../../support/kernel.ts'
import { type Guise, inUpstream, KEYLESS } from '../../support/upstream-client.ts'

const refusals = cases('upstream refusals')

type Json = Readonly<Record<string, unknown>>

interface Refused {
  readonly title: string
  readonly guise: Guise
  readonly from?: { readonly headers: Record<string, string> }
  readonly code?: string // default INVALID_REQUEST
  readonly message: string | RegExp
  readonly details?: Json // that must be among them
  readonly close?: number // default 1008
}

const OTHER = new KeyedDevice()

const REFUSALS: readonly Refused[] = [
  {
    title: 'a wrong token',
    guise: { auth: { token: 'wrong' } },
    message: /^unauthorized: gateway token mismatch \(.+\)$/,
    details: {
      code: 'AUTH_TOKEN_MISMATCH',
      authReason: 'token_mismatch',
      canRetryWithDeviceToken: true,
      recommendedNextStep: 'retry_with_device_token',
    },
  },
  {
    title: 'a wrong token of a program without a device',
    guise: { ...KEYLESS, auth: { token: 'wrong' } },
    message: /^unauthorized: gateway token mismatch/,
    details: { code: 'AUTH_TOKEN_MISMATCH' },
  },
  {
    title: 'no token',
    guise: { ...KEYLESS, auth: {} },
    message: /^unauthorized: gateway token missing \(.+\)$/,
    details: {
      code: 'AUTH_TOKEN_MISSING',
      authReason: 'token_missing',
      recommendedNextStep: 'update_auth_configuration',
    },
  },
  {
    title: 'an empty token',
    guise: { ...KEYLESS, auth: { token: '' } },
    message: /^unauthorized: gateway token missing/,
    details: { code: 'AUTH_TOKEN_MISSING' },
  },
  {
    title: 'a device token of a device that nobody knows',
    guise: { auth: { deviceToken: 'a'.repeat(43) } },
    message: 'unauthorized: device token mismatch (rotate/reissue device token)',
    details: {
      code: 'AUTH_DEVICE_TOKEN_MISMATCH',
      recommendedNextStep: 'update_auth_credentials',
    },
  },
  {
    title: 'no device, from behind a proxy',
    guise: KEYLESS,
    from: { headers: { 'x-forwarded-for': '203.0.113.7' } },
    code: 'NOT_PAIRED',
    message: 'device identity required',
    details: { code: 'DEVICE_IDENTITY_REQUIRED' },
  },
  {
    title: 'a node without a device',
    guise: {
      device: null,
      id: 'node-host',
      mode: 'node',
      role: 'node',
      params: { commands: ['system.which'] },
    },
    code: 'NOT_PAIRED',
    message: 'device identity required',
    details: { code: 'DEVICE_IDENTITY_REQUIRED', requestedRole: 'node' },
  },
  {
    title: 'a device that is not approved, from elsewhere',
    guise: { auth: {}, scopes: ['operator.read'] },
    from: { headers: { 'x-forwarded-for': '203.0.113.7' } },
    code: 'NOT_PAIRED',
    message: 'pairing required: device is not approved yet',
    details: {
      code: 'PAIRING_REQUIRED',
      reason: 'not-paired',
      requestedRole: 'operator',
      requestedScopes: ['operator.read'],
    },
  },
  {
    title: 'a signature over other words',
    guise: { signed: { scopes: ['operator.read'] } },
    message: 'device signature invalid',
    details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID', reason: 'device-signature' },
  },
  {
    title: 'scopes signed in another order than they are sent in',
    guise: {
      scopes: ['operator.write', 'operator.read'],
      signed: { scopes: ['operator.read', 'operator.write'] },
    },
    message: 'device signature invalid',
    details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID' },
  },
  {
    title: 'no signature at all',
    guise: { proof: { signature: 'x' } },
    message: 'device signature invalid',
    details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID' },
  },
  {
    title: 'another nonce than this socket’s',
    guise: { nonce: 'elsewhere' },
    message: 'device nonce mismatch',
    details: { code: 'DEVICE_AUTH_NONCE_MISMATCH', reason: 'device-nonce-mismatch' },
  },
  {
    title: 'a signature of long ago',
    guise: { signedAt: (ts) => ts - limits.signatureSkewMs - 10_000 },
    message: 'device signature expired',
    details: { code: 'DEVICE_AUTH_SIGNATURE_EXPIRED', reason: 'device-signature-stale' },
  },
  {
    title: 'a signature of tomorrow',
    guise: { signedAt: (ts) => ts + 86_400_000 },
    message: 'device signature expired',
    details: { code: 'DEVICE_AUTH_SIGNATURE_EXPIRED' },
  },
  {
    title: 'an id that is not the key’s',
    guise: { proof: { id: fingerprint(Buffer.from('other')) } },
    message: 'device identity mismatch',
    details: { code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH', reason: 'device-id-mismatch' },
  },
  {
    title: 'the key of somebody else',
    guise: { proof: { publicKey: OTHER.publicKey } },
    message: 'device identity mismatch',
    details: { code: 'DEVICE_AUTH_DEVICE_ID_MISMATCH' },
  },
  {
    title: 'a key that is none',
    guise: { proof: { publicKey: 'AAAA' } },
    message: /^device (?:identity mismatch|public key invalid)$/,
  },
  {
    title: 'a client that nobody has heard of',
    guise: { id: 'ios-node' },
    message: 'invalid connect params: at /client/id: must be equal to one of the allowed values',
  },
  {
    title: 'a mode that there is not',
    guise: { mode: 'operator' },
    message: 'invalid connect params: at /client/mode: must be equal to one of the allowed values',
  },
  {
    title: 'no version of the client',
    guise: { client: { version: undefined } },
    message: "invalid connect params: at /client: must have required property 'version'",
  },
  {
    title: 'no protocols',
    guise: { params: { minProtocol: undefined } },
    message: "invalid connect params: must have required property 'minProtocol'",
  },
  { title: 'a role that there is not', guise: { role: 'admin' }, message: 'invalid role' },
  {
    title: 'a protocol of the future',
    guise: { protocols: [5, 7] },
    message: 'protocol mismatch',
    details: {
      code: 'PROTOCOL_MISMATCH',
      clientMinProtocol: 5,
      clientMaxProtocol: 7,
      expectedProtocol: 4,
      minimumProbeProtocol: 3,
    },
    close: 1002,
  },
  {
    title: 'a protocol of the past',
    guise: { protocols: [1, 2] },
    message: 'protocol mismatch',
    details: { code: 'PROTOCOL_MISMATCH', expectedProtocol: 4 },
    close: 1002,
  },
]

for (const { title, guise, from, code, message, details = {}, close } of REFUSALS) {
  refusals(`UC1 ${title} is refused in upstream’s words, and the socket closes`, () =>
    inUpstream(async ({ guest, store }) => {
      const client = guest(from)

      const { ok, error } = await client.knock(guise)

      assert.is(ok, false)
      assert.is(error?.code, code ?? 'INVALID_REQUEST')
      if (typeof message === 'string') assert.is(error?.message, message)
      else assert.match(error?.message ?? '', message)
      assert.equal(among(error?.details, details), details)
      const end = await client.closed
      assert.is(end.code, close ?? 1008)
      const said = (error?.message ?? '').slice(0, 100)
      assert.is(end.reason.slice(0, said.length), said)
      assert.ok(Buffer.byteLength(end.reason) <= 123)
      const approved = readRecords(store).filter(({ event }) => event.type === 'device.approved')
      assert.equal(approved, [])
    }),
  )
}

function among(all: Json = {}, names: Json): Json {
  return Object.fromEntries(Object.keys(names).map((name) => [name, all[name]]))
}

refusals.run()
