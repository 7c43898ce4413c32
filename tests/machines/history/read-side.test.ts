/** The read side: states, differences, causes, findings, bisection, over a recorded scene. */
import '../../../actors/trap.ts'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { bisectStates } from '../../../machines/history/bisect.ts'
import { diffStates, diffValues } from '../../../machines/history/diff.ts'
import { find, type FindingName, type FindOptions } from '../../../machines/history/find.ts'
import { findStream } from '../../../machines/history/find-stream.ts'
import { readGuards } from '../../../machines/history/guards.ts'
import { resolveAddress, resolveRange } from '../../../machines/history/resolve.ts'
import { cutSegment, openSegment } from '../../../machines/history/segment.ts'
import { stateAt, stateBefore } from '../../../machines/history/state.ts'
import { explainRecord, findWriter } from '../../../machines/history/why.ts'
import { kinds } from '../../../machines/kinds.ts'
import { hashSnapshot } from '../../../machines/step.ts'
import { loadOpenWork } from '../../../actors/projector.ts'
import { parseAddress, parseRange } from '../../../protocol/history/address.ts'
import { parsePredicate } from '../../../protocol/history/predicate.ts'
import type { StreamId } from '../../../protocol/ids.ts'
import { cases } from '../../store/cases.ts'
import { refusal } from '../../store/contract.ts'
import { Scene } from '../../support/scene.ts'

const test = cases('history')
const SESSION: StreamId = 'session:agent:main:irc:direct:ann'

async function played(): Promise<Scene> {
  const scene = await Scene.open()
  await scene.write()
  await scene.reply()
  await scene.deliver()
  await scene.pass(60_000)
  await scene.write()
  await scene.reply()
  await scene.die()
  await scene.pass(5_000)
  await scene.restart()
  await scene.write({ senderId: 'eve', roomId: 'eve' })
  return scene
}

test('R10 every actor at every position has the state that was recorded', async () => {
  const { history } = await played()

  for (let position = 1; position <= history.head(); position += 1) {
    for (const stream of history.streams()) {
      const found = stateAt(history, kinds, stream, { position })
      const version = history.versionAt(stream, position)
      assert.is(found?.record.version ?? 0, version)
      if (found === null) continue
      assert.ok(found.verified)
      assert.is(hashSnapshot(found.snapshot), found.record.stateHash)
      assert.ok(found.record.position <= position)
    }
  }
})

test('R10 an actor that has no record yet is absent, and what is in flight is told', async () => {
  const { history } = await played()
  const [request] = [...history.stream('run:run-1', 1)]
  const position = request?.position ?? 0

  assert.is(stateAt(history, kinds, 'run:run-1', { position: position - 1 }), null)
  const found = stateAt(history, kinds, 'run:run-1', { position })
  assert.equal(
    found?.inFlight.map(({ address, name, kind }) => [address, name, kind]),
    [[`${position}.e0`, 'model.call', 'effect']],
  )
  const later = stateAt(history, kinds, 'run:run-1', { position: history.head() })
  assert.equal([later?.inFlight, later?.snapshot.value], [[], 'done'])
  const session = stateAt(history, kinds, SESSION, { position: position - 1 })
  assert.equal(
    session?.inFlight.map(({ kind, to }) => [kind, to]),
    [['send', 'run:run-1']],
  )
})

test('R10 microsteps are numbered from one, and others are refused', async () => {
  const { history } = await played()
  const [request] = [...history.stream('run:run-1', 1)]
  const at = (microstep: number) =>
    stateAt(history, kinds, 'run:run-1', { position: request?.position ?? 0, microstep })

  assert.is(at(1)?.snapshot.value, 'calling')
  await refusal(() => at(2), 'NOT_FOUND')
})

test('H3.4 a difference names the record behind each change', async () => {
  const { history } = await played()
  const [accepted, finished] = [...history.stream(SESSION, 1)]
  const found = diffStates(history, kinds, SESSION, {
    from: (accepted?.position ?? 0) - 1,
    to: finished?.position ?? 0,
  })

  assert.is(found.absent, 'from')
  assert.equal(found.values, ['idle', 'running', 'idle'])
  const by = Object.fromEntries(found.changes.map(({ path, by }) => [path, by.position]))
  assert.is(by['/turn'], accepted?.position)
  assert.is(by['/history/1'], finished?.position)
  const none = diffStates(history, kinds, SESSION, { from: 1, to: 1 })
  assert.equal([none.absent, none.changes], ['both', []])
})

const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('a', 'b', null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('x', 'y', 'z'), tie('value'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).value

test('H3.4 the operations of a difference, applied in order, give the second value (RFC 6902)', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      let document: unknown = { root: structuredClone(before) }
      for (const { op, path, value } of diffValues({ root: before }, { root: after })) {
        document = apply(document, op, path.split('/').slice(1), value)
      }
      assert.equal(document, { root: after })
    }),
    { numRuns: 1_000 },
  )
})

function apply(document: unknown, op: string, keys: string[], value: unknown): unknown {
  const copy = structuredClone(document)
  let at = copy as Record<string, unknown>
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>
  const last = keys.at(-1) ?? ''
  if (Array.isArray(at)) {
    const index = Number(last)
    if (op === 'add') at.splice(index, 0, value)
    else if (op === 'remove') at.splice(index, 1)
    else at[index] = value
  } else if (op === 'remove') delete at[last]
  else at[last] = value
  return copy
}

test('K4 a chain of causes is whole, and ends outside', async () => {
  const scene = await played()
  const sent = scene.newest('delivery.requested')
  const { steps, root, pruned } = explainRecord(scene.history, kinds, sent.position, 'e0')

  assert.equal(
    steps.map(({ record }) => record.event.type),
    [
      'delivery.requested',
      'run.finished',
      'effect.done',
      'run.requested',
      'message.accepted',
      'message.received',
    ],
  )
  assert.equal([root, pruned], ['ext:irc:m2', null])
  assert.equal(
    steps.at(-1)?.guards.map(({ guard, passed }) => [guard, passed]),
    [['message.admitted', true]],
  )
})

test('R10 a guard that refused tells what it looked at', async () => {
  const scene = await played()
  const refused = scene.newest('message.received')
  const { snapshot } = stateBefore(scene.history, kinds, refused.stream, refused.version)
  const { stream, event, at } = refused
  const [reading] = readGuards(kinds, { stream, snapshot, event, at })

  assert.equal([reading?.guard, reading?.passed], ['message.admitted', false])
  assert.is(reading?.inputs['event.senderId'], 'eve')
  assert.is(reading?.inputs['context.policy.dmPolicy'], 'allowlist')
})

test('H3.4 the writer of a value is found, and what nothing wrote is said so', async () => {
  const { history } = await played()
  const position = history.head()
  const written = findWriter(history, kinds, SESSION, { position, path: '/turn' })

  assert.equal([written.was, written.is, written.record.event.type], [1, 2, 'message.accepted'])
  await refusal(() => findWriter(history, kinds, SESSION, { position, path: '/none' }), 'NOT_FOUND')
  // Bounded, it says that it did not look further: not that nothing is there.
  const bounded = { position, path: '/none', recordsMax: 1 }
  await refusal(() => findWriter(history, kinds, SESSION, bounded), 'USAGE')
})

test('H3.4 what is stuck, lost, ignored, slow, doubled or missing is found', async () => {
  const scene = await played()
  const late = { type: 'effect.done', effect: '1.e0', name: 'model.call', attempt: 9 }
  await scene.kernel.tell('run:run-2', late)
  await scene.write({ messageId: 'm1' })
  const options: FindOptions = {
    from: 1,
    to: scene.history.head(),
    now: scene.clock.now() + 600_000,
    alive: true,
    slowMs: 5_000,
    gapMs: 30_000,
    work: loadOpenWork(scene.store),
  }
  const found = (name: FindingName, changes: Partial<FindOptions> = {}) =>
    [...find(name, scene.history, { ...options, ...changes })].map(
      ({ stream, says }) => `${stream} ${says}`,
    )

  assert.equal(
    found('stuck').map((line) => line.split(' ')[0]),
    ['delivery:reply-run-2', 'run:run-4'],
  )
  assert.match(found('stuck')[0] ?? '', /uncertain .* nothing that could come/)
  assert.match(found('stuck', { alive: false })[1] ?? '', /model\.call .*\(lost\)/)
  assert.match(found('lost').join(), /message\.deliver .* may or may not have happened/)
  assert.match(found('lost', { alive: false }).join(), /model\.call .* its process has ended/)
  assert.equal(
    found('ignored').map((line) => line.split(' ').slice(0, 4).join(' ')),
    ['run:run-2 effect.done was unhandled'],
  )
  assert.match(found('slow').join(), /message\.deliver #\d+\.e0 took 5\.0 s/)
  assert.match(found('duplicates').join(), /the message of #\d+ came again/)
  assert.match(
    found('gaps').join('\n'),
    /nothing happened for 60 s[^]*epoch 2 began without a stop of epoch 1/,
  )
  assert.equal(found('stuck', { to: 3 }), [])
})

test('H3.4 what stands because another does is not stuck: the one that must move is told', async () => {
  const scene = await Scene.open()
  const stuck = (changes: Partial<FindOptions> = {}): StreamId[] => {
    const { history, clock, store } = scene
    const work = loadOpenWork(store)
    const [to, now] = [history.head(), clock.now() + 600_000]
    const options = { from: 1, to, now, alive: true, slowMs: 5_000, gapMs: 30_000, work }
    return [...find('stuck', history, { ...options, ...changes })].map(({ stream }) => stream)
  }
  const done = (facts: Record<string, unknown>) => ({ type: 'effect.done' as const, facts })
  const usage = { inputTokens: 1, outputTokens: 1 }
  await scene.write()
  const calls = [{ callId: 'c1', name: 'exec', ref: 'b:args' }]
  await scene.answer('model.call', done({ ref: 'b:said', ...usage, calls }))

  assert.equal(stuck({ now: scene.clock.now() }), [], 'a call is judged')
  assert.equal(stuck(), ['call:c1'])
  await scene.answer('tool.judge', done({ verdict: 'ask', rule: 'r', source: 's', askMs: 900_000 }))
  assert.equal(stuck(), [], 'a person is waited for')
  assert.equal(stuck({ now: scene.clock.now() + 1_000_000 }), ['approval:c1'])
  await scene.kernel.tell('approval:c1', { type: 'exec.allowed', always: false, by: 'owner' })
  await scene.tried('tool.call')
  assert.equal(stuck({ now: scene.clock.now() + 1_000_000 }), ['call:c1'])
  await scene.answer('tool.call', done({ ref: 'b:result', bytes: 1 }))
  assert.equal(stuck(), ['run:run-1'])
  await scene.reply()
  await scene.deliver()
  assert.equal(stuck(), [])
})

test('H3.4 a session that waits for its summary stands because of that', async () => {
  const scene = await Scene.open()
  const plan = { fallbacks: [], callsMax: 9, compactAt: 100 }
  for (const turn of [1, 2]) {
    await scene.write({ plan, bytes: 400 })
    if (turn === 1) await scene.reply()
  }
  const { history, clock, store } = scene
  const [to, now, work] = [history.head(), clock.now() + 600_000, loadOpenWork(store)]
  const options = { from: 1, to, now, alive: true, slowMs: 5_000, gapMs: 30_000, work }
  const found = (changes: Partial<FindOptions>) =>
    [...find('stuck', history, { ...options, ...changes })].map(({ stream }) => stream)

  assert.equal(found({ now: clock.now() }), [])
  assert.equal(
    found({}).filter((stream) => !stream.startsWith('delivery:')),
    ['compaction:run-2'],
  )
})

test('H3.4 bisection finds the first record behind which a predicate holds', async () => {
  const { history } = await played()
  const predicate = parsePredicate('context.turn > 1')
  const whole = { from: 1, to: history.head(), predicate }
  const found = bisectStates(history, kinds, SESSION, { ...whole, scan: false })
  const scanned = bisectStates(history, kinds, SESSION, { ...whole, scan: true })

  assert.is(found.first.position, scanned.first.position)
  assert.equal([found.first.event.type, found.monotone], ['message.accepted', true])
  const running = { ...whole, predicate: parsePredicate('value == "running"'), scan: false }
  await refusal(() => bisectStates(history, kinds, SESSION, running), 'NOT_FOUND')
  const first = bisectStates(history, kinds, SESSION, { ...running, scan: true })
  assert.is(first.first.version, 1)
})

test('H3.3 P37 addresses resolve to positions; a clock that stepped back is told', async () => {
  const scene = await played()
  const { history } = scene
  const frame = { now: scene.clock.now(), utc: true, date: null }
  const where = (text: string) => resolveAddress(history, parseAddress(text, frame))
  const boot = [...history.range(1, history.head())].filter(
    ({ event }) => event.type === 'gateway.booted',
  )

  assert.is(where('boot:2').position, boot[1]?.position)
  assert.is(where('head~1').position, history.head() - 1)
  assert.is(where(`#${boot[1]?.position}~1`).position, boot[0]?.position)
  assert.is(where('last(type=gateway.booted)').position, boot[1]?.position)
  assert.is(where('2020-01-01').position, 0)
  const crash = new Date((boot[1]?.at ?? 0) - 1).toISOString()
  assert.is(where(crash).position, (boot[1]?.position ?? 0) - 1)
  const minute = resolveRange(history, parseRange(`${crash}..`, frame))
  assert.is(minute.from, boot[1]?.position)
  await refusal(() => where('#999'), 'NOT_FOUND')
  await refusal(() => where('boot:9'), 'NOT_FOUND')
  await refusal(() => where('note:nothing'), 'NOT_FOUND')
  await refusal(() => resolveRange(history, parseRange('#9..#3', frame)), 'USAGE')

  const shifted = { ...history, ...steppedBack(history, boot[1]?.position ?? 0) }
  const between = new Date((boot[0]?.at ?? 0) + 30_000).toISOString()
  const twice = resolveAddress(shifted, parseAddress(between, frame))
  assert.is(twice.position, history.head())
  assert.is(twice.others.length, 1)
  assert.ok((twice.others[0] ?? 0) < (boot[1]?.position ?? 0))
})

// The second process began with a clock a minute behind.
function steppedBack(history: Scene['history'], from: number): Partial<Scene['history']> {
  const shift = <R extends { position: number; at: number }>(record: R): R =>
    record.position < from ? record : { ...record, at: record.at - 60_000 }
  return {
    read: (position) => {
      const record = history.read(position)
      return record === null ? null : shift(record)
    },
    *range(first, last) {
      for (const record of history.range(first, last)) yield shift(record)
    },
  }
}

test('H3.3 an actor is found by whole name, beginning or end; never guessed', async () => {
  const { history } = await played()

  assert.is(findStream(history, { session: 'agent:main:irc:direct:ann' }), SESSION)
  assert.is(findStream(history, { session: '…direct:ann' }), SESSION)
  assert.is(findStream(history, { actor: 'reply-run-1' }), 'delivery:reply-run-1')
  const { candidates } = await refusal(() => findStream(history, { actor: 'run:' }), 'USAGE')
  assert.equal(candidates, ['run:run-1', 'run:run-2'])
  await refusal(() => findStream(history, { actor: 'nobody' }), 'NOT_FOUND')
  await refusal(() => findStream(history, {}), 'USAGE')
})

test('K10 a segment read as history gives the states of the journal it was cut from', async () => {
  const { history } = await played()
  const head = history.head()
  for (const from of [1, 5, 12, head]) {
    const segment = openSegment(cutSegment(history, kinds, { from, to: head, code: 'test' }))
    for (let position = from; position <= head; position += 1) {
      const record = history.read(position)
      if (record === null) continue
      const found = stateAt(segment, kinds, record.stream, { position })
      assert.is(found?.folded.hash, record.stateHash, `#${position} from #${from}`)
    }
  }
})

test('H3.4 what was compacted away is HISTORY_PRUNED, never another state', async () => {
  const scene = await played()
  const { kernel } = scene.kernel
  const { removed } = await kernel.compact(SESSION)
  assert.ok(removed > 0)
  const { history } = scene

  await refusal(() => stateAt(history, kinds, SESSION, { position: 6 }), 'HISTORY_PRUNED')
  const now = stateAt(history, kinds, SESSION, { position: history.head() })
  assert.ok(now?.verified)
  const sent = scene.newest('delivery.requested')
  assert.type(explainRecord(history, kinds, sent.position).pruned, 'number')
})

test.run()
