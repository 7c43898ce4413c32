/** What is settled in a restored journal: nothing goes out twice, nothing is forgotten. Rule BK6. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { Idempotency } from '../../actors/idempotency.ts'
import { type Kernel, openKernel } from '../../actors/kernel.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import {
  listCarried,
  listRevoked,
  recordCarried,
  recordRevoked,
  type Settled,
  settleRestored,
} from '../../actors/restored.ts'
import { emptyOpenWork } from '../../machines/projections/open-work.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { settle } from '../support/clock.ts'
import { accepted } from '../support/facts.ts'
import { openTestKernel, readRecords } from '../support/kernel.ts'
import { Scene } from '../support/scene.ts'
import { openTestServices } from '../support/services.ts'

const test = cases('restored')
const FAILED = { type: 'effect.failed', class: 'network', retryable: true, sent: 'no' } as const

/** A journal that ends behind a position of another one, as a backup of that moment would. */
async function prefixOf(from: Store, last: number): Promise<Store> {
  const store = openMemory()
  for (const { stream, version, fields } of from.range(1, last)) {
    await store.append({ stream, expectedVersion: version - 1, fields })
  }
  return store
}

/** Settles a journal as a restore does. */
async function settleIn(store: Store): Promise<{ kernel: Kernel; settled: Settled }> {
  const services = openTestServices()
  const kernel = openKernel(store, new Map(), services, 'test')
  kernel.outbox.drain()
  const settled = await settleRestored(kernel, services)
  return { kernel, settled }
}

/** Starts the next process over a journal; returns what it tries to do. */
async function bootIn(store: Store): Promise<string[]> {
  const { kernel, given, services } = openTestKernel({ store })
  await kernel.recover('boot:9')
  await settle()
  await services.clock.advance(limits.deliveryBackoffMsMax)
  return given.map(({ name }) => name)
}

test('BK6 a delivery that was being tried becomes uncertain', async () => {
  const scene = await Scene.open()
  await scene.write()
  await scene.reply()
  await scene.tried('message.deliver')

  const { kernel, settled } = await settleIn(
    await prefixOf(scene.store, scene.store.head().position),
  )

  assert.equal(settled, { uncertain: 1, aborted: 0, lost: 1, stuck: 0 })
  const newest = readRecords(kernel.store).findLast(({ stream }) => stream.startsWith('delivery:'))
  assert.equal([newest?.event.type, newest?.value], ['effect.lost', 'uncertain'])
})

test('BK6 a delivery that waits for its next attempt becomes uncertain too', async () => {
  const scene = await Scene.open()
  await scene.write()
  await scene.reply()
  await scene.answer('message.deliver', FAILED)
  const store = await prefixOf(scene.store, scene.store.head().position)

  const { kernel, settled } = await settleIn(store)

  assert.is(settled.uncertain, 1)
  assert.is(kernel.work.waits.size, 0)
  assert.equal(await bootIn(store), [])
})

test('BK6 a run that would answer on a channel is aborted, and those queued behind it', async () => {
  const scene = await Scene.open()
  await scene.write()
  await scene.write()
  await scene.write()
  const store = await prefixOf(scene.store, scene.store.head().position)

  const { kernel, settled } = await settleIn(store)

  assert.equal([settled.aborted, settled.uncertain], [3, 0])
  assert.equal(
    [...kernel.work.sessions.values()].map(({ pending }) => pending),
    [0],
  )
  assert.equal(await bootIn(store), [])
})

test('BK6 a run that only a client waits for is made again', async () => {
  const scene = await Scene.open()
  await scene.ask('run-a')
  const store = await prefixOf(scene.store, scene.store.head().position)

  const { settled } = await settleIn(store)

  assert.equal([settled.aborted, settled.lost], [0, 1])
  assert.equal(await bootIn(store), ['model.call'])
})

test('BK6 wherever a backup ends, the next process sends nothing of it', async () => {
  const scene = await Scene.open()
  await scene.write()
  await scene.write({ senderId: 'ann', target: 'ann' })
  await scene.reply()
  await scene.answer('message.deliver', FAILED)
  await scene.pass(limits.deliveryBackoffMs * 2)
  await scene.deliver()
  await scene.ask('run-b')
  await scene.die()
  await scene.restart()
  const { position } = scene.store.head()

  let unsettled = 0
  for (let last = 1; last <= position; last += 1) {
    const careless = await bootIn(await prefixOf(scene.store, last))
    if (careless.includes('message.deliver')) unsettled += 1
    const store = await prefixOf(scene.store, last)
    await settleIn(store)
    const tried = await bootIn(store)
    assert.not.ok(tried.includes('message.deliver'), `cut behind #${last}: ${tried.join(' ')}`)
  }

  assert.ok(unsettled > 0, 'a boot that settles nothing sends')
})

const mark = { owner: 'phone', key: 'k1', digest: 'd'.repeat(64) }

test('BK7 a grant that was revoked after the backup does not stand again', async () => {
  const { tell, store } = openTestKernel()
  const place = { channel: null, room: null, sender: null }
  const grant = { tool: 'exec', source: 'built-in', agentId: 'main', place, keyId: 'k' }
  const refs = { approvalId: 'a', sessionKey: '', ref: 'b:1', textRef: 'b:2', by: 'me' }
  for (const grantId of ['kept', 'lost', 'gone']) {
    await tell(`grant:${grantId}`, { type: 'grant.given', grantId, ...grant, ...refs })
  }
  await tell('grant:gone', { type: 'grant.revoked', by: 'me' })
  const { position } = await tell('grant:gone', { type: 'grant.given', ...grant, ...refs })
  const backup = await prefixOf(store, position)
  for (const name of ['lost', 'gone'] as const) {
    await tell(`grant:${name}`, { type: 'grant.revoked', by: 'me' })
  }

  const { kernel, records } = openTestKernel({ store: backup })
  await recordRevoked(kernel, listRevoked(store), '00')
  await recordRevoked(kernel, [...listRevoked(store), 'grant:never'], '00')

  const names = ['kept', 'lost', 'gone', 'never'] as const
  assert.equal(
    names.map((name) => kernel.registry.snapshot(`grant:${name}`).value),
    ['given', 'revoked', 'revoked', 'new'],
  )
  assert.is(records().length, position + 2)
  assert.is(records().at(-1)?.event['by'], 'restore')
})

test('BK7 keys that only the other journal knows are carried, and not obeyed again', async () => {
  const before = openTestKernel()
  await before.tell('session:agent:main:main', accepted('run-a', { idempotency: mark }))
  const { kernel, tell, records } = openTestKernel()
  await tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '1' })

  const carried = listCarried(before.kernel.work, kernel.work)
  await recordCarried(kernel, carried, '00')

  assert.equal(
    carried.keys.map(([key]) => key),
    ['phone\nk1'],
  )
  const again = loadOpenWork(kernel.store)
  for (const work of [kernel.work, again]) {
    const idempotency = new Idempotency(kernel.store, work)
    const ran = () => Promise.reject(new Error('it was obeyed again'))
    await refusal(() => idempotency.once(mark, 'text', ran), 'HISTORY_PRUNED')
    const other = { ...mark, digest: 'e'.repeat(64) }
    await refusal(() => idempotency.once(other, 'text', ran), 'IDEMPOTENCY_CONFLICT')
  }
  assert.is(records().at(-1)?.event.type, 'keys.carried')
  assert.equal(listCarried(before.kernel.work, again).keys, [])
})

test('BK7 messages taken in after the backup do not count as new', async () => {
  const scene = await Scene.open()
  await scene.write()
  const { kernel } = openTestKernel()

  const { inbound } = listCarried(scene.kernel.kernel.work, kernel.work)
  await recordCarried(kernel, { keys: [], inbound }, '00')

  assert.equal([...(kernel.work.inbound.get('irc') ?? [])], ['ann\nm1'])
})

test('BK7 many keys take several records, none larger than the journal takes', async () => {
  const { kernel, records } = openTestKernel()
  const count = limits.restoreKeysPerRecord * 2 + 1
  const keys = Array.from(
    { length: count },
    (_, i) => [`${'o'.repeat(128)}\n${i}${'k'.repeat(120)}`, 'd'.repeat(64), i] as const,
  )

  await recordCarried(kernel, { keys, inbound: [] }, '00')

  assert.is(records().length, 3)
  assert.is(kernel.work.keys.size, count)
})

test('BK8 a journal.restored ends a life in order: the next boot counts no crash', async () => {
  const { kernel, tell, records } = openTestKernel()
  await tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '1' })
  const hash = 'a'.repeat(64)
  const event = { backupHead: 1, backupHash: hash, replacedHead: 3, by: 'operator' }
  await tell('gateway:main', { type: 'journal.restored', ...event })
  await tell('gateway:main', { type: 'gateway.booted', epoch: 3, version: '1' })

  const { crashes, restores, twofold } = kernel.registry.snapshot('gateway:main').context
  assert.equal([crashes, restores, twofold], [0, 1, { after: 1, through: 3 }])
  assert.is(records()[1]?.value, 'stopped')
  assert.is(emptyOpenWork().cleanEnd, true)
})

test('F54 a client that saw positions of the other life must read anew', async () => {
  const { kernel, tell } = openTestKernel()
  await tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '1' })
  kernel.hub.assertResumable(1)
  const hash = 'a'.repeat(64)
  const event = { backupHead: 1, backupHash: hash, replacedHead: 3, by: 'operator' }
  await tell('gateway:main', { type: 'journal.restored', ...event })
  for (const epoch of [3, 4]) {
    await tell('gateway:main', { type: 'gateway.booted', epoch, version: '1' })
  }
  await settle()

  for (const from of [2, 3]) {
    await refusal(() => kernel.hub.assertResumable(from), 'RESUME_TOO_OLD', String(from))
  }

  kernel.hub.assertResumable(1)
  kernel.hub.assertResumable(4)
})

test.run()
