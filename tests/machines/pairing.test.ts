/** The pairing handshake as a machine: what leads where, and what leads nowhere. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import type { AnyMachineSnapshot } from 'xstate'
import { kinds } from '../../machines/kinds.ts'
import type { PairingContext } from '../../machines/pairing.ts'
import { hashSnapshot } from '../../machines/step.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { approved } from '../support/facts.ts'

const pairing = cases('pairing machine')
const { stepper, waits } = kinds.pairing

const issued = { type: 'challenge.issued', nonceHash: 'n', address: '10.0.0.7', issuedAt: 1 }
const answered = {
  type: 'challenge.answered',
  deviceId: 'd',
  publicKey: 'key',
  nonceHash: 'n',
  role: 'client',
  scopes: ['operator.read'],
}
const requested = {
  type: 'approval.requested',
  requestId: 'q',
  codeHash: 'cc',
  address: '10.0.0.7',
  origin: null,
  forwarded: true,
  expiresAt: 900,
}
const byPerson = { ...approved('d'), requestId: 'q', publicKey: 'key', tokenHash: '', by: 'owner' }
const rejected = { type: 'approval.rejected', requestId: 'q', by: 'owner' }
const expired = { type: 'approval.expired', requestId: 'q', reason: 'time' }
const revoked = { type: 'device.revoked', by: 'owner' }

function after(...events: readonly JournalEvent[]): AnyMachineSnapshot {
  return events.reduce((state, event) => stepper.step(state, event, 100).snapshot, stepper.initial)
}

function ignores(state: AnyMachineSnapshot, event: JournalEvent, at = 200): boolean {
  return stepper.step(state, event, at).ignored !== null
}

pairing('S31 the handshake goes through its states in order', () => {
  assert.is(after(issued).value, 'challenged')
  assert.is(after(issued, answered).value, 'signed')
  const waiting = after(issued, answered, requested)
  assert.is(waiting.value, 'waiting')
  assert.is(after(issued, answered, requested, byPerson).value, 'paired')
  assert.is(after(issued, answered, requested, rejected).value, 'rejected')
  assert.is(after(issued, answered, requested, expired).value, 'expired')
  assert.is(after(issued, answered, requested, revoked).value, 'revoked')
  assert.equal(waits(waiting), [{ id: 'expiry.q', dueAt: 900, event: expired }])
  assert.equal(waits(after(issued, answered, requested, byPerson)), [])
})

pairing('S31 an answer to another nonce, or to none, does not sign', () => {
  assert.ok(ignores(after(issued), { ...answered, nonceHash: 'm' }))
  assert.ok(ignores(after(), answered))
  assert.ok(ignores(after(), requested))
  assert.ok(ignores(after(issued), requested))
})

pairing('S33 an approval means one request, once, and not one that ended', () => {
  const waiting = [issued, answered, requested]

  assert.ok(ignores(after(...waiting), { ...byPerson, requestId: 'p' }))
  for (const end of [byPerson, rejected, expired, revoked]) {
    assert.ok(ignores(after(...waiting, end), byPerson), end.type)
    assert.ok(ignores(after(...waiting, end), rejected), end.type)
  }
  assert.ok(ignores(after(...waiting, rejected), approved('d')), 'no rule overrides a person')
})

pairing('S33 a rejected device may ask again after an hour, an expired one at once', () => {
  const rejection = after(issued, answered, requested, rejected)

  assert.ok(ignores(rejection, issued, 99 + limits.pairingRejectedMs))
  assert.not(ignores(rejection, issued, 100 + limits.pairingRejectedMs))
  assert.not(ignores(after(issued, answered, requested, expired), issued))
})

pairing('S33 a code is burned by the fifth miss; the request itself goes on waiting', () => {
  const misses = Array.from({ length: limits.pairingCodeTriesMax }, () => ({ type: 'code.missed' }))
  const codeOf = (state: AnyMachineSnapshot) => (state.context as PairingContext).request?.codeHash

  assert.is(codeOf(after(issued, answered, requested, ...misses.slice(1))), 'cc')
  const burned = after(issued, answered, requested, ...misses)
  assert.equal([burned.value, codeOf(burned)], ['waiting', ''])
})

pairing('S35 nothing brings a revoked device or its token back', () => {
  const gone = after(approved('d'), revoked)
  const everything = [
    issued,
    answered,
    requested,
    approved('d'),
    byPerson,
    { type: 'token.issued', tokenHash: 'aa' },
    { type: 'device.rotated', tokenHash: 'aa', scopes: ['operator.admin'], by: 'x' },
  ]

  for (const event of everything) assert.ok(ignores(gone, event), event.type)
  assert.equal([gone.context.tokenHash, gone.context.scopes], ['', []])
})

pairing('S35 a first token replaces none, a rotated one the old', () => {
  const fetched = { type: 'token.issued', tokenHash: 't1' }
  const rotated = { type: 'device.rotated', tokenHash: 't2', scopes: [], by: 'owner' }
  const paired = after(issued, answered, requested, byPerson)

  assert.not(ignores(paired, fetched))
  assert.ok(ignores(after(issued, answered, requested, byPerson, fetched), fetched))
  assert.is(after(approved('d'), rotated).context.tokenHash, 't2')
})

const more = {
  type: 'upgrade.requested',
  requestId: 'u',
  codeHash: 'uu',
  scopes: ['operator.read', 'operator.write'],
  address: '10.0.0.7',
  origin: null,
  forwarded: true,
  expiresAt: 900,
}
const granted = {
  type: 'upgrade.approved',
  requestId: 'u',
  scopes: more.scopes,
  rule: 'r',
  by: 'o',
}
const refused = { type: 'upgrade.rejected', requestId: 'u', by: 'o' }
const late = { type: 'upgrade.expired', requestId: 'u', reason: 'time' }

pairing(
  'S33 a paired device that asks for more stays in, and keeps its token when it gets it',
  () => {
    const asking = after(issued, answered, requested, byPerson, more)
    assert.is(asking.value, 'paired')
    assert.equal(asking.context.scopes, approved('d')['scopes'])
    assert.equal(waits(asking), [{ id: 'expiry.u', dueAt: 900, event: late }])
    assert.ok(ignores(asking, { ...more, requestId: 'v' }), 'one at a time')

    const { tokenHash } = asking.context
    const given = stepper.step(asking, granted, 200).snapshot
    assert.equal([given.context.scopes, given.context.tokenHash], [more.scopes, tokenHash])
    assert.equal([given.context.request, waits(given)], [null, []])
  },
)

pairing('S33 a wish for more is decided once, by its name, and ends with the device', () => {
  const asking = [approved('d'), more] as const
  assert.ok(ignores(after(approved('d')), granted), 'nothing was asked')
  assert.ok(ignores(after(...asking), { ...granted, requestId: 'v' }))
  for (const end of [granted, refused, late, revoked]) {
    const ended = after(...asking, end)
    assert.equal(waits(ended), [], end.type)
    for (const event of [granted, refused, late]) assert.ok(ignores(ended, event), end.type)
  }
  assert.is(after(...asking, refused).context.rejectedAt, 100)
  const misses = Array.from({ length: limits.pairingCodeTriesMax }, () => ({ type: 'code.missed' }))
  assert.is(after(...asking, ...misses).context.request?.codeHash, '')
  assert.ok(ignores(after(approved('d')), { type: 'code.missed' }))
})

pairing('P14 a name that its owner gives a device changes nothing else of it', () => {
  const plain = after(approved('d'))
  const named = after(approved('d'), { type: 'device.renamed', label: 'phone', by: 'owner' })
  assert.equal(named.context, { ...plain.context, label: 'phone' })
  assert.ok(ignores(after(), { type: 'device.renamed', label: 'phone', by: 'owner' }))
})

pairing('I30 what older code recorded folds to the hashes that it recorded', () => {
  const path = '../../../tests/golden/format-1/records.json'
  const file = join(fileURLToPath(new URL(path, import.meta.url)))
  const records = JSON.parse(readFileSync(file, 'utf8')) as JournalRecord[]
  const kept = records.find(({ event }) => event.type === 'device.seen')
  // What make-golden.ts told this stream; all but the last was compacted away since.
  let state = stepper.initial
  for (let n = 0; n < 8; n += 1) {
    const event = { ...approved('phone'), tokenHash: `${n}` }
    state = stepper.step(state, event, kept?.at ?? 0).snapshot
  }

  assert.is(hashSnapshot(state), kept?.stateHash)
  assert.equal(Object.keys(after(approved('d'), revoked).context).sort(), [
    'approvedAt',
    'deviceId',
    'role',
    'rule',
    'scopes',
    'seenHour',
    'tokenHash',
  ])
})

pairing.run()
