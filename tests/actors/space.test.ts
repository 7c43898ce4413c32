/** Room: the disk, the budget, what is refused and what goes on. Rules D-R4, SP1–SP3. */
import * as assert from 'uvu/assert'
import { judgeSpace } from '../../actors/space.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { body, draft } from '../store/contract.ts'
import { openJournal, temporaryDirectory } from '../store/journals.ts'
import { accepted } from '../support/facts.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTestKernel } from '../support/kernel.ts'

const test = cases('space')
const SESSION = 'session:agent:main:main'
const MAX = 100 * 2 ** 20

/** A memory store that says of its room what the test tells it. */
function openTold(): { store: Store; told: { usedBytes: number; freeBytes: number } } {
  const memory = openMemory()
  const told = { usedBytes: 0, freeBytes: Infinity }
  return { store: { ...memory, stats: () => ({ ...memory.stats(), ...told }) }, told }
}

test('SP1 of a budget 80 % is said and 95 % refused; the disk counts whatever the budget', () => {
  const level = (usedBytes: number, freeBytes = Infinity, maxBytes: number | null = MAX) =>
    judgeSpace({ usedBytes, freeBytes }, maxBytes).level

  assert.is(level(MAX * 0.8 - 1), 'ample')
  assert.is(level(MAX * 0.8), 'low')
  assert.is(level(MAX * 0.95 - 1), 'low')
  assert.is(level(MAX * 0.95), 'scarce')
  assert.is(level(MAX * 9, Infinity, null), 'ample')
  assert.is(level(0, limits.spaceRefuseBytes - 1), 'scarce')
  assert.is(level(0, limits.spaceRefuseBytes, null), 'ample')
})

test('SP2 over budget new work is refused, work in hand goes on, and room is noticed', async () => {
  const { store, told } = openTold()
  const { kernel, services } = openTestKernel({ store })
  kernel.registry.budget = () => MAX
  const message = { event: accepted('r1'), cause: 'ext:test', correlationId: '00' }
  const offer = async (usedBytes: number): Promise<string> => {
    told.usedBytes = usedBytes
    await services.clock.advance(limits.spaceCheckIntervalMs)
    const answer = await kernel.registry.offer(SESSION, message).catch((error: unknown) => error)
    return answer instanceof GatewayError ? answer.code : 'taken'
  }

  const answers = [await offer(0), await offer(MAX * 0.9), await offer(MAX), await offer(MAX)]
  const inHand = await kernel.registry.deliver(SESSION, message)
  const after = await offer(0)

  assert.equal(answers, ['taken', 'taken', 'STORE_LOW_SPACE', 'STORE_LOW_SPACE'])
  assert.is(inHand.version, 3)
  assert.is(after, 'taken')
  assert.equal(
    services.lines.map(({ level, phrase }) => `${level} ${phrase}`),
    [
      'warn room for the journal is low',
      'warn room for the journal is scarce',
      'info room for the journal is ample',
    ],
  )
})

test('SP2 health says how much room is left, and is degraded where work is refused', async () => {
  const { store, told } = openTold()
  const house = await startTestGateway({ store, config: { store: { maxBytes: MAX } } })
  const client = house.client()
  await client.connect()
  const ask = async (usedBytes: number): Promise<readonly unknown[]> => {
    told.usedBytes = usedBytes
    const { payload } = await client.request('health', {})
    const space = payload['space'] as { level: string } | undefined
    return [payload['status'], space?.level]
  }

  const said = [await ask(0), await ask(MAX * 0.8), await ask(MAX)]
  const { payload } = await client.request('sessions.list', {})
  await house.stop()

  assert.equal(said, [
    ['healthy', undefined],
    ['healthy', 'low'],
    ['degraded', 'scarce'],
  ])
  assert.equal(payload['sessions'], [], 'reads go on')
})

test('SP3 what was erased does not count any more, though the file does not shrink', async () => {
  const store = await openJournal(temporaryDirectory())
  const large = body('x'.repeat(2 ** 20))
  const empty = store.stats()
  await store.append({ ...draft('run:a', 0), bodies: [large] })
  const full = store.stats()
  await store.erase([large.ref])
  const erased = store.stats()
  await store.close()

  assert.ok(full.usedBytes - empty.usedBytes >= 2 ** 20)
  assert.ok(erased.usedBytes < empty.usedBytes + 2 ** 16, String(erased.usedBytes))
  assert.ok(erased.fileBytes >= full.fileBytes)
  assert.ok(full.usedBytes <= full.fileBytes)
})

test.run()
