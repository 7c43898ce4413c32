/** Retention: what goes, what is pinned, and that nothing else is changed. Rules RT1–RT6. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import type { Archive } from '../../actors/archive.ts'
import {
  applyRetention,
  type Held,
  planRetention,
  type RetentionPlan,
  startRetention,
} from '../../actors/retention.ts'
import { POLICIES, PRESETS, type RetentionPolicy } from '../../machines/rules/retention.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { body } from '../store/contract.ts'
import { settle } from '../support/clock.ts'
import { directFrom, received } from '../support/facts.ts'
import type { TestKernel } from '../support/kernel.ts'
import { openTalk, textsOf } from '../support/talk.ts'

const test = cases('retention')
const DAY_MS = 24 * 3_600_000
const ALL = textsOf(['ann', 1], ['bob', 2], ['ann', 3])
const how = { by: 'test', correlationId: '00', archive: null }

function plan(
  { store, kernel, services }: TestKernel,
  policy: RetentionPolicy,
  days: number,
  held: readonly Held[] = [],
): Promise<RetentionPlan> {
  const now = services.clock.now() + days * DAY_MS
  return planRetention(store, kernel.work, { policy, now, held })
}

// Keeps everything, nowhere.
const NONE: Archive = {
  directory: '',
  bytes: () => 0,
  plan: () => ({ directory: '', files: 0, records: 0 }),
  keep: ({ version }, streams) =>
    Promise.resolve({ files: [], through: new Map(streams.map((each) => [each, version(each)])) }),
}

const statesOf = ({ store }: TestKernel): string[] => ALL.map((ref) => store.bodyState(ref))

test('RT1 the default removes nothing, however old', async () => {
  const house = await openTalk()

  const { refs, streams } = await plan(house, POLICIES.forever, 36_500)

  assert.equal([refs, streams], [[], []])
})

test('RT1 each preset takes texts and ended actors at its own age, and not a day before', async () => {
  const house = await openTalk()
  const at = async (policy: RetentionPolicy, days: number): Promise<[number, number]> => {
    const { refs, streams } = await plan(house, policy, days)
    return [refs.length, streams.length]
  }

  for (const preset of PRESETS) {
    const policy = POLICIES[preset]
    const [texts, ended] = [policy.textsMs, policy.endedMs].map((ms) => (ms ?? 0) / DAY_MS)
    if (texts === undefined || ended === undefined || texts === 0) continue
    assert.equal(await at(policy, texts - 1), [0, 0], preset)
    assert.equal(await at(policy, texts), [6, ended === texts ? 6 : 0], preset)
    if (ended > 0) assert.equal((await at(policy, ended))[1], 6, `${preset}: 3 runs, 3 deliveries`)
  }
})

test('RT2 what goes leaves hashes, root and states; it is a record, and goes once', async () => {
  const house = await openTalk()
  const { store, kernel, services, records } = house
  const { root, size } = store.tree.head()
  const now = services.clock.now() + 40 * DAY_MS
  const wish = { policy: POLICIES.lean, now, held: [] }
  const found = await planRetention(store, kernel.work, wish)

  const report = await applyRetention(kernel, wish, found, how)
  const again = await planRetention(store, kernel.work, wish)

  assert.equal([report.bodies, report.streams, report.records], [6, 6, found.records])
  assert.ok(statesOf(house).every((state) => state === 'erased'))
  assert.equal(Buffer.from(store.tree.root(size)), Buffer.from(root))
  const newest = kernel.registry.snapshot('gateway:main').context
  assert.is(newest.pruned, report.bodies + report.records)
  const { event } = records().at(-1) ?? {}
  assert.equal(
    [event?.type, event?.['policy'], event?.['bodies'], event?.['by']],
    ['history.pruned', 'lean', 6, 'test'],
  )
  assert.equal([again.refs, again.streams], [[], []])
  const nothing = await applyRetention(kernel, wish, again, how)
  assert.is(nothing.position, null, 'no record of nothing')
})

test('RT3 texts of open work are pinned, and actors that have not ended', async () => {
  const house = await openTalk()
  const { kernel } = house
  const asked = body('still open', 9)
  const event = received('m9', { ...directFrom('bob'), ref: asked.ref, runId: 'r9' })
  const message = { event, cause: 'ext:irc:m9', correlationId: '09', bodies: [asked] }
  await kernel.registry.deliver('channel:irc', message)
  await settle()

  const { refs, streams } = await plan(house, POLICIES.lean, 400)

  assert.not.ok(streams.includes('run:r9'))
  assert.is(streams.length, 6)
  assert.ok(refs.length >= 6)
})

test('RT4 what lies in the range of an incident stays whole', async () => {
  const house = await openTalk()
  const head = house.store.head().position

  const whole = await plan(house, POLICIES.lean, 400, [{ from: 1, to: head }])
  const partly = await plan(house, POLICIES.lean, 400, [{ from: 1, to: Math.floor(head / 3) }])

  assert.equal([whole.refs, whole.streams], [[], []])
  assert.is(whole.pinned, 6 + 6)
  assert.ok(partly.refs.length > 0 && partly.refs.length < 6, String(partly.refs.length))
})

test('RT5 texts whose records were compacted away still go', async () => {
  const house = await openTalk()
  for (const stream of ['run:r1', 'run:r2', 'run:r3'] as const) await house.kernel.compact(stream)

  const { refs } = await plan(house, POLICIES.balanced, 365)

  assert.is(refs.length, 6)
})

test('RT6 a gateway keeps its policy: soon after the start, then once a day', async () => {
  const house = await openTalk()
  const { kernel, services, records } = house
  const { clock } = services
  let policy = POLICIES.forever
  const stop = startRetention({
    kernel,
    services,
    policy: () => policy,
    held: () => [],
    archive: NONE,
  })
  const pruned = () => records().filter(({ event }) => event.type === 'history.pruned').length

  await clock.advance(10 * DAY_MS)
  await settle()
  const before = pruned()
  policy = POLICIES.lean
  await clock.advance(limits.retentionEveryMs)
  await settle()
  const after = pruned()
  await clock.advance(limits.retentionEveryMs * 3)
  await settle()
  const idle = pruned()
  stop()

  assert.equal([before, after, idle], [0, 1, 1])
  assert.ok(statesOf(house).every((state) => state === 'erased'))
})

test('RT4 RT6 what an incident holds is asked each day, and stays while it is held', async () => {
  const house = await openTalk()
  const { kernel, services, records } = house
  const { clock } = services
  let held: readonly Held[] = [{ from: 1, to: house.store.head().position }]
  const policy = () => POLICIES.lean
  await clock.advance(400 * DAY_MS)
  const stop = startRetention({ kernel, services, policy, held: () => held, archive: NONE })
  const pruned = () => records().filter(({ event }) => event.type === 'history.pruned').length

  await clock.advance(2 * limits.retentionEveryMs)
  await settle()
  const before = [pruned(), new Set(statesOf(house))]
  held = []
  await clock.advance(limits.retentionEveryMs)
  await settle()
  stop()

  assert.equal(before, [0, new Set(['there'])])
  assert.equal([pruned(), new Set(statesOf(house))], [1, new Set(['erased'])])
})

test.run()
