/** The pure half of who may come in: scopes, signatures, challenges, codes, passwords. */
import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { answerFault } from '../../protocol/auth/challenge.ts'
import {
  digestPairingCode,
  makePairingCode,
  readPairingCode,
  showPairingCode,
} from '../../protocol/auth/pairing-code.ts'
import { hashPassword, passwordHashFault, verifyPassword } from '../../protocol/auth/password.ts'
import { allows, beyond, ceilingOf, grantScopes, SCOPES } from '../../protocol/auth/scopes.ts'
import { parsePublicKey, signedText, verifySignature } from '../../protocol/auth/signature.ts'
import { equalSecrets, matchesDigest } from '../../protocol/auth/token.ts'
import { limits } from '../../protocol/limits.ts'
import { isMethod, methods } from '../../protocol/methods.ts'
import { cases } from '../store/cases.ts'

const auth = cases('auth')

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)

auth('S30 P19 every method names its scope and the roles that may call it', () => {
  for (const [name, { scope, roles }] of Object.entries(methods)) {
    assert.ok(roles.length > 0, name)
    assert.is(scope === null, name === 'connect', name)
    if (scope !== null) assert.ok(SCOPES.includes(scope), name)
  }
  const ofNodes = Object.entries(methods).filter(([, { roles }]) => roles.includes('node'))
  assert.equal(
    ofNodes.map(([name]) => name),
    ['connect', 'health', 'node.result'],
  )
  assert.not(isMethod('device.approve'))
})

auth('S29 what is granted lies within request, grant and ceiling, or is nothing', () => {
  const scopes = fc.subarray([...SCOPES])
  const asked = fc.option(fc.array(fc.constantFrom(...SCOPES, 'operator.x')), { nil: undefined })
  fc.assert(
    fc.property(asked, scopes, scopes, (requested, granted, ceiling) => {
      const { scopes: got, missing } = grantScopes(requested, granted, ceiling)
      assert.equal(beyond(granted, got), [])
      assert.equal(beyond(ceiling, got), [])
      if (requested !== undefined) assert.equal(beyond(requested, got), [])
      if (missing.length > 0) assert.equal(got, [])
    }),
  )
})

auth('P9 no scope asked for is none, and none named is all that was granted', () => {
  assert.equal(grantScopes([], SCOPES, SCOPES).scopes, [])
  assert.equal(grantScopes(undefined, ['operator.read'], SCOPES).scopes, ['operator.read'])
  assert.equal(grantScopes(['operator.admin'], ['operator.write'], SCOPES).missing, [
    'operator.admin',
  ])
  assert.equal(ceilingOf({ role: 'node', direct: true, secured: true }), [])
  assert.not(
    ceilingOf({ role: 'client', direct: false, secured: false }).includes('operator.admin'),
  )
  assert.not(allows(['operator.write'], 'operator.history'))
})

auth('S31 the signed text is upstream’s v3 string', () => {
  assert.is(
    signedText({
      deviceId: 'd',
      clientId: 'cli',
      clientMode: 'cli',
      role: 'client',
      scopes: ['operator.write', 'operator.read'],
      signedAt: 7,
      token: 't',
      nonce: 'n',
      platform: ' Linux ',
      deviceFamily: '',
    }),
    'v3|d|cli|cli|client|operator.write,operator.read|7|t|n|linux|',
  )
})

auth('S31 keys of another type, length, form or order are no keys', () => {
  const low = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p: not canonical
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // p + 1
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ].map((hex) => Buffer.from(hex, 'hex').toString('base64url'))
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey
  const good = key.toString('base64url')
  const others = [
    '',
    good.slice(1),
    `${good}A`,
    `${good}=`,
    key.toString('hex'),
    rsa.export({ format: 'der', type: 'spki' }).toString('base64url'),
    `${good.slice(0, 42)}${good.at(-1) === 'A' ? 'B' : String.fromCharCode(good.charCodeAt(42) + 1)}`,
  ]

  assert.equal(parsePublicKey(good), key)
  for (const text of [...low, ...others]) assert.is(parsePublicKey(text), null, text)
})

auth('S31 a signature that fits a low-order key over anything fits no other key', () => {
  // With A the identity, R = B·0 and S = 0 satisfy the equation for every text. OpenSSL
  // accepts it in 3.0.19 and refuses it in 3.5.8, so the key itself has to be none.
  const identity = Buffer.from(`01${'00'.repeat(31)}`, 'hex')
  const forged = Buffer.concat([identity, Buffer.alloc(32)]).toString('base64url')

  assert.is(parsePublicKey(identity.toString('base64url')), null)
  assert.is(verifySignature(key, 'text', forged), false)
})

auth('S31 a signature is one of this key over this text, in its canonical form', () => {
  const good = sign(null, Buffer.from('text'), privateKey)
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const shifted = Buffer.from(good)
  let s = BigInt(`0x${Buffer.from(good.subarray(32).toReversed()).toString('hex')}`) + order
  for (let index = 32; index < 64; index += 1) {
    shifted[index] = Number(s & 255n)
    s >>= 8n
  }
  const text = good.toString('base64url')

  assert.ok(verifySignature(key, 'text', text))
  assert.not(verifySignature(key, 'texts', text))
  assert.not(verifySignature(key, 'text', shifted.toString('base64url')), 'S + L')
  for (const bad of [`${text}==`, text.slice(0, 85), '', good.toString('hex'), `${text}A`]) {
    assert.not(verifySignature(key, 'text', bad), bad)
  }
  for (let bit = 0; bit < 512; bit += 37) {
    const flipped = Buffer.from(good)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    assert.not(verifySignature(key, 'text', flipped.toString('base64url')), `bit ${bit}`)
  }
})

auth('S31 a nonce is answered within its minute, by a clock within a minute', () => {
  const challenge = { nonce: 'n', issuedAt: 1_000_000 }
  const at = (now: number, signedAt = now, nonce = 'n') =>
    answerFault(challenge, { nonce, signedAt }, now)?.fault ?? null

  assert.is(at(1_000_000), null)
  assert.is(at(1_000_000 + limits.challengeMs), null)
  assert.match(at(1_000_001 + limits.challengeMs) ?? '', 'too old')
  assert.match(at(999_999) ?? '', 'too old')
  assert.match(at(1_000_000, 1_000_001 + limits.signatureSkewMs) ?? '', 'too old')
  assert.match(at(1_000_000, 999_999 - limits.signatureSkewMs) ?? '', 'too old')
  assert.match(at(1_000_000, 1_000_000, 'm') ?? '', 'not the one')
  assert.match(answerFault(null, { nonce: '', signedAt: 0 }, 0)?.fault ?? '', 'not the one')
})

auth('S33 a pairing code has 40 bits, no look-alikes, and is read as people type it', () => {
  const all = new Set(Array.from({ length: 256 }, (_, n) => makePairingCode(Buffer.alloc(8, n))))
  const code = makePairingCode(Buffer.from([0, 1, 2, 3, 28, 29, 30, 31]))

  assert.is(all.size, 32)
  assert.not.match([...all].join(''), /[IO01]/)
  assert.is(readPairingCode(` ${showPairingCode(code).toLowerCase()} `), code)
  for (const bad of ['', 'ABCD-EFG', 'ABCD-EFG0', 'ABCD-EFGI', 'ABCDEFGHJ', 'ÄBCDEFGH']) {
    assert.is(readPairingCode(bad), null, bad)
  }
  assert.match(digestPairingCode(code), /^[\da-f]{64}$/)
})

auth('P15 secrets of any length are compared as digests, and no secret is no match', () => {
  assert.ok(equalSecrets('a', 'a'))
  for (const other of ['', 'aa', 'A', 'a'.repeat(1_000_000)]) assert.not(equalSecrets('a', other))
  assert.not(matchesDigest('', ''))
  assert.not(matchesDigest('e3b0', ''))
})

auth('P15 a password at rest opens for the password and for nothing else', async () => {
  const kept = await hashPassword('correct horse', Buffer.alloc(16, 7))
  const again = await hashPassword('correct horse', Buffer.alloc(16, 8))

  assert.match(kept, /^scrypt:15:8:1:[\w-]{22}:[\w-]{43}$/)
  assert.is.not(kept, again)
  assert.is(passwordHashFault(kept), null)
  assert.is(await verifyPassword('correct horse', kept), true)
  for (const wrong of ['', 'correct hors', 'correct horse ', kept]) {
    assert.is(await verifyPassword(wrong, kept), false, wrong)
  }
  const dear = kept.replace(':15:', ':30:')
  for (const bad of ['scrypt:', dear, kept.slice(0, -1), kept.replace(':8:1:', ':8:9:')]) {
    assert.match(passwordHashFault(bad) ?? '', 'scrypt:N:r:p', bad)
    assert.is(await verifyPassword('correct horse', bad), false, bad)
  }
})

auth.run()
