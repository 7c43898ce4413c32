/** The failure limiter: how often one may be wrong, alone and over a real socket. */
import '../../actors/trap.ts'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type CredentialClass, Limiter } from '../../actors/limiter.ts'
import { openLockouts } from '../../actors/lockouts.ts'
import type { Peer } from '../../actors/peer.ts'
import { hashPassword } from '../../protocol/auth/password.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { type FakeClock, openFakeClock } from '../support/clock.ts'
import { KeyedDevice } from '../support/device.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { code, detail, REMOTE } from '../support/pairing.ts'
import { openTestServices } from '../support/services.ts'

const limiting = cases('limiter')

const far = (address: string): Peer => ({
  address,
  loopback: false,
  origin: null,
  forwarded: false,
})
const DIRECT: Peer = { address: '127.0.0.1', loopback: true, origin: null, forwarded: false }
const PAGE: Peer = { ...DIRECT, origin: 'http://127.0.0.1:18789' }

/** Shows a credential; resolves with 'looked at', or with the ms to wait. */
function show(
  limiter: Limiter,
  peer: Peer,
  isRight = false,
  kind: CredentialClass = 'secret',
): number | 'looked at' {
  try {
    const attempt = limiter.attempt(kind, peer)
    if (isRight) attempt.right()
    else attempt.wrong()
    return 'looked at'
  } catch (thrown) {
    const { code, details } = toGatewayError(thrown)
    assert.is(code, 'RATE_LIMITED')
    return Number(details['retryAfterMs'])
  }
}

function fail(limiter: Limiter, peer: Peer, times: number): void {
  for (let n = 0; n < times; n += 1) assert.is(show(limiter, peer), 'looked at', `failure ${n}`)
}

function open(): { clock: FakeClock; limiter: Limiter } {
  const clock = openFakeClock()
  return { clock, limiter: new Limiter(clock) }
}

limiting('S27 ten failures in a minute lock an address for five minutes', async () => {
  const { clock, limiter } = open()
  fail(limiter, far('10.0.0.7'), limits.authFailuresMax)

  assert.is(show(limiter, far('10.0.0.7')), limits.authLockMs)
  await clock.advance(limits.authLockMs - 1)
  assert.is(show(limiter, far('10.0.0.7')), 1)
  await clock.advance(1)
  assert.is(show(limiter, far('10.0.0.7')), 'looked at')
})

limiting('S27 failures older than a minute are forgotten', async () => {
  const { clock, limiter } = open()
  for (let n = 0; n < 30; n += 1) {
    fail(limiter, far('10.0.0.7'), 1)
    await clock.advance(limits.authWindowMs / (limits.authFailuresMax - 1) + 1)
  }
})

limiting('S28 what is right is not looked at during the lock; others are', () => {
  const { limiter } = open()
  fail(limiter, far('10.0.0.7'), limits.authFailuresMax)

  assert.type(show(limiter, far('10.0.0.7'), true), 'number')
  assert.is(show(limiter, far('10.0.0.8'), true), 'looked at')
  assert.is(show(limiter, far('10.0.0.7'), true, 'device'), 'looked at')
})

limiting('P16 being right resets nobody’s count, not even one’s own', () => {
  const { limiter } = open()
  for (let n = 0; n < limits.authFailuresMax; n += 1) {
    fail(limiter, far('10.0.0.7'), 1)
    if (n < limits.authFailuresMax - 1) show(limiter, far('10.0.0.7'), true)
    show(limiter, far('10.0.0.8'), true)
  }

  assert.type(show(limiter, far('10.0.0.7')), 'number')
})

limiting('S27 P37 a clock that steps back makes no lock longer', () => {
  let step = 24 * 3_600_000 // The clock is a day ahead.
  const clock = openFakeClock()
  const limiter = new Limiter({ ...clock, now: () => clock.now() + step })
  const peer = far('203.0.113.7')
  fail(limiter, peer, limits.authFailuresMax)
  step = 0

  assert.is(show(limiter, peer, true), limits.authLockMs)
  step = limits.authLockMs
  assert.is(show(limiter, peer, true), 'looked at')
})

limiting('S27 many at once are no more than many in a row', () => {
  const { limiter } = open()
  const begun = Array.from({ length: limits.authFailuresMax }, () =>
    limiter.attempt('secret', far('10.0.0.7')),
  )

  assert.type(show(limiter, far('10.0.0.7'), true), 'number')
  for (const attempt of begun) attempt.right()
  assert.is(limiter.size, 0)
})

limiting('P16 loopback is slowed, and a page there cannot shut out the owner', async () => {
  const { clock, limiter } = open()
  fail(limiter, PAGE, limits.authFailuresMax)
  assert.is(show(limiter, PAGE), limits.authLockMs)
  assert.is(show(limiter, DIRECT, true), 'looked at')

  fail(limiter, DIRECT, limits.authFailuresMax)
  assert.is(show(limiter, DIRECT, true), limits.authLoopbackLockMs)
  await clock.advance(limits.authLoopbackLockMs)
  fail(limiter, DIRECT, 1)
  assert.is(show(limiter, DIRECT), limits.authLoopbackLockMs)
})

limiting('S27 a household of IPv6 is one address', () => {
  const { limiter } = open()
  for (let n = 0; n < limits.authFailuresMax; n += 1) fail(limiter, far(`2001:db8::${n}:1`), 1)

  assert.type(show(limiter, far('2001:0db8:0:0:ffff::9')), 'number')
  assert.is(show(limiter, far('2001:db8:0:1::1')), 'looked at')
})

limiting('P16 guessing from everywhere locks the class for all who are elsewhere', () => {
  const { limiter } = open()
  for (let n = 0; n < limits.authFailuresGlobalMax; n += 1) fail(limiter, far(`10.1.${n}.1`), 1)

  assert.is(show(limiter, far('10.9.9.9'), true), limits.authGlobalLockMs)
  assert.is(show(limiter, far('10.9.9.9'), true, 'key'), 'looked at')
  assert.is(show(limiter, DIRECT, true), 'looked at')
})

limiting('S28 memory is bounded, and a lock outlives the crowd', async () => {
  const { clock, limiter } = open()
  fail(limiter, far('10.0.0.7'), limits.authFailuresMax)
  for (let n = 0; n < limits.authTrackedMax + 500; n += 1) {
    show(limiter, far(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}.x`))
    if (n % 100 === 0) await clock.advance(limits.authWindowMs / 50)
  }

  assert.ok(limiter.size <= limits.authTrackedMax + 1)
  assert.type(show(limiter, far('10.0.0.7'), true), 'number')
})

limiting('S27 locks survive a restart; a damaged file or a set-back clock costs nobody', () =>
  withDirectory(async (directory) => {
    const services = openTestServices()
    const first = openLockouts(directory, services)
    fail(first.limiter, far('10.0.0.7'), limits.authFailuresMax)
    await services.clock.advance(limits.authSaveDelayMs)
    const path = join(directory, 'lockouts.json')
    const second = openLockouts(directory, services)
    const early = openLockouts(directory, openTestServices(openFakeClock(1_000_000)))
    const before = show(second.limiter, far('10.0.0.7'), true)
    const setBack = show(early.limiter, far('10.0.0.7'), true)
    const { mode } = statSync(path)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, '{"tallies":[[')
    const third = openLockouts(directory, services)

    assert.is(before, limits.authLockMs - limits.authSaveDelayMs)
    assert.is(setBack, limits.authLockMs)
    assert.is(mode & 0o777, 0o600)
    assert.match(text, 'secret|10.0.0.7')
    assert.is(show(third.limiter, far('10.0.0.7')), 'looked at')
    assert.ok(services.lines.some(({ phrase }) => phrase.includes('lockouts unreadable')))
  }),
)

const SECURED = { gateway: { auth: { mode: 'token', token: 'right' } } }

async function guess(house: TestGateway, n: number, token: string): Promise<string | undefined> {
  // Other fields, other devices, other scopes: none of it makes it another guess.
  const bogus = n % 2 === 0 ? { deviceToken: `bogus-${n}` } : {}
  const scopes = n % 3 === 0 ? { scopes: ['operator.read'] } : {}
  const client = house.client(REMOTE)
  const deviceId = `device-${n % 4}`
  const answer = await client.connect({ deviceId, auth: { token, ...bogus }, ...scopes })
  await client.closed
  if (answer.error?.code === 'RATE_LIMITED') assert.ok(Number(detail(answer, 'retryAfterMs')) > 0)
  assert.is(answer.error?.retryable === true, answer.error?.code === 'RATE_LIMITED')
  return answer.error?.code
}

limiting(
  'S27 S28 eleven wrong tokens: the eleventh, and then the right one, are unread',
  async () => {
    const house = await startTestGateway({ config: SECURED })
    const answers: (string | undefined)[] = []
    for (let n = 0; n < 11; n += 1) answers.push(await guess(house, n, `wrong-${n}`))
    const right = await guess(house, 11, 'right')
    const auth = { token: 'right' }
    const direct = await house.client().connect({ deviceId: 'owner', auth })

    assert.equal(
      answers.slice(0, 10),
      Array.from({ length: 10 }, () => 'UNAUTHORIZED'),
    )
    assert.equal([answers[10], right], ['RATE_LIMITED', 'RATE_LIMITED'])
    assert.is(direct.ok, true)
    await house.stop()
  },
)

limiting('S28 a lock on the secret does not lock out a device with its key', async () => {
  const house = await startTestGateway({ config: SECURED })
  const device = new KeyedDevice()
  const first = await device.connect(house.client(), { auth: { token: 'right' } })
  for (let n = 0; n < 11; n += 1) await guess(house, n, `wrong-${n}`)

  const byKey = await device.connect(house.client(REMOTE))

  assert.equal([first.ok, byKey.ok], [true, true])
  await house.stop()
})

limiting('S26 every kind of wrong secret is refused in the same words', async () => {
  const house = await startTestGateway({ config: SECURED })
  const big = 'x'.repeat(1_025)
  const auths: [object, string][] = [
    [{ token: 'wrong' }, 'UNAUTHORIZED'],
    [{ token: 'righ' }, 'UNAUTHORIZED'],
    [{ token: 'right ' }, 'UNAUTHORIZED'],
    [{ token: '' }, 'INVALID_REQUEST'],
    [{ token: big }, 'INVALID_REQUEST'],
    [{ token: ['right'] }, 'INVALID_REQUEST'],
    [{ token: null }, 'INVALID_REQUEST'],
  ]
  const messages = new Set<string>()
  for (const [auth, expected] of auths) {
    const answer = await house.client().connect({ auth })
    assert.is(code(answer), expected, JSON.stringify(auth).slice(0, 40))
    if (expected === 'UNAUTHORIZED') messages.add(answer.error?.message ?? '')
    assert.not.match(JSON.stringify(answer), /xxxxx|right/)
  }
  const known = await house.client().connect({ deviceId: 'owner', auth: { token: 'right' } })
  const wrong = await house.client().connect({ deviceId: 'owner', auth: { token: 'wrong' } })
  messages.add(wrong.error?.message ?? '')

  assert.is(known.ok, true)
  assert.is(messages.size, 1)
  await house.stop()
})

limiting(
  'S26 a password that is hashed at rest opens, and guesses at once are bounded',
  async () => {
    const password = await hashPassword('correct horse', Buffer.alloc(16, 7))
    const house = await startTestGateway({ config: { gateway: { auth: { password } } } })
    const right = await house.client().connect({ auth: { password: 'correct horse' } })
    const hash = await house.client().connect({ deviceId: 'b', auth: { password } })
    const token = await house.client().connect({ deviceId: 'c', auth: { token: 'correct horse' } })
    const guesses = Array.from({ length: 20 }, (_, n) =>
      house.client(REMOTE).connect({ deviceId: 'd', auth: { password: `guess ${n}` } }),
    )
    const codes = (await Promise.all(guesses)).map(code)

    assert.is(right.ok, true)
    assert.equal([code(hash), code(token)], ['UNAUTHORIZED', 'UNAUTHORIZED'])
    assert.is(codes.filter((each) => each === 'UNAUTHORIZED').length, limits.authFailuresMax)
    assert.is(codes.filter((each) => each === 'RATE_LIMITED').length, 20 - limits.authFailuresMax)
    await house.stop()
  },
)

limiting.run()
