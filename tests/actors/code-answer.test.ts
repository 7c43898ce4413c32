/** Answers of other code: every field is judged, and a lie is refused by its name. Rule R-7. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import {
  checkDifferences,
  checkExplored,
  checkNeeded,
  checkRerun,
  parseAnswer,
} from '../../actors/code-answer.ts'
import { readCodeTree } from '../../actors/code-files.ts'
import type { Answer } from '../../actors/code-wire.ts'
import { openHistory } from '../../actors/history.ts'
import { openRunner, replayHistory } from '../../actors/other-code.ts'
import { systemClock } from '../../actors/services.ts'
import { exploreSampled } from '../../machines/history/explore.ts'
import { CONTROL, type Rerun, rerunSegment } from '../../machines/history/fork.ts'
import type { Difference } from '../../machines/history/replay.ts'
import { pack } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { faultOf, refusal } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'
import { ourCode, patchMachines, recordTraffic } from '../support/traffic.ts'

const test = cases('code answer')
const traffic = await recordTraffic()
const history = openHistory(traffic.store)
const segment = traffic.segment(0, 40)
const rerun = rerunSegment(segment, ourCode(), CONTROL)
const house = { own: ourCode(), loadCode: () => Promise.resolve(null), clock: systemClock }

const difference: Difference = {
  class: 'STATE',
  now: {
    ignored: null,
    value: 'elsewhere',
    stateHash: 'ab',
    effects: [{ name: 'a.b', params: { ref: 'x' } }],
    sends: [{ to: 'run:r1', event: { type: 'run.requested' } }],
    armed: [{ id: 'w', dueAt: 5, event: { type: 'wait.over' } }],
    cancelled: ['v'],
  },
  state: { value: 'elsewhere', status: 'active', context: { deep: [1] } },
  error: null,
}
const violation = {
  crashAt: 3,
  invariant: 'reply.lost',
  stream: 'run:r1',
  detail: 'it is lost',
} as const

const ANSWERS: readonly Answer[] = [
  { t: 'need', streams: [{ stream: 'run:r1', version: 3 }] },
  { t: 'taken', differences: [null, difference] },
  {
    t: 'forked',
    rerun: {
      ...rerun,
      records: rerun.records.slice(-3),
      faults: [{ stream: 'run:r1', position: 1, error: 'no' }],
      made: [1],
      rules: [[1, 'why']],
    },
  },
  {
    t: 'explored',
    exploration: { points: 1, violations: [violation] },
    samples: [{ violation, records: rerun.records.slice(0, 2) }],
  },
  { t: 'fault', code: 'NOT_FOUND', message: 'no' },
]

/** What a guest may fill as it likes: its own facts. */
const FREE = /\.(?:facts|params|event|context|state\.value)(?:\.|$)/

/** Every place in an answer whose shape is prescribed, as keys. */
function* placesIn(value: unknown, keys: readonly string[] = []): Generator<readonly string[]> {
  if (FREE.test(`.${keys.join('.')}`) && keys.at(-1) !== 'event') return
  if (keys.length > 0) yield keys
  if (typeof value !== 'object' || value === null || keys.at(-1) === 'event') return
  for (const [key, member] of Object.entries(value)) yield* placesIn(member, [...keys, key])
}

function changed(value: unknown, [key = '', ...rest]: readonly string[], into: unknown): unknown {
  const copy: unknown = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  const member: unknown = Reflect.get(value as object, key)
  Reflect.set(copy as object, key, rest.length === 0 ? into : changed(member, rest, into))
  return copy
}

test('R-7 what the engine says is read as it is', () => {
  for (const answer of [...ANSWERS, { t: 'loaded' }, { t: 'seeded' }]) {
    assert.equal(parseAnswer('c', pack(answer)), JSON.parse(JSON.stringify(answer)))
  }
})

test('R-7 each field of another kind is refused, and named', async () => {
  let places = 0
  for (const answer of ANSWERS) {
    for (const keys of placesIn(answer)) {
      const was: unknown = keys.reduce<unknown>((at, key) => Reflect.get(at as object, key), answer)
      for (const wrong of typeof was === 'object' && was !== null ? [7, 'x'] : [{}, [[]]]) {
        const said = pack(changed(answer, keys, wrong))
        const details = await refusal(() => parseAnswer('c', said), 'RECORD_FORMAT', keys.join('.'))

        const place = `code c: answer.${keys.join('.')}`
        assert.ok(
          String(details['place']).startsWith(place),
          `${place}: ${String(details['place'])}`,
        )
        places += 1
      }
    }
  }
  assert.ok(places > 200, String(places))
})

test('R-7 fields that nobody asked for, bounds and bombs are refused', async () => {
  const [need, , , explored] = ANSWERS
  const bad: readonly [string, unknown][] = [
    ['more', { ...need, more: 1 }],
    [
      'streams',
      { t: 'need', streams: Array.from({ length: limits.bundleRecordsMax + 1 }, () => 0) },
    ],
    ['streams.0.version', changed(need, ['streams', '0', 'version'], -1)],
    ['streams.0.stream', changed(need, ['streams', '0', 'stream'], 'nobody')],
    ['exploration.points', changed(explored, ['exploration', 'points'], 1.5)],
    [
      'differences.0.now.dueAt',
      { t: 'taken', differences: [{ ...difference, now: { dueAt: 1 } }] },
    ],
    ['t', { t: 'other' }],
    ['t', 7],
  ]
  for (const [place, answer] of bad) {
    const fault = await faultOf(() => parseAnswer('c', pack(answer)), place)
    assert.is(fault.code, 'RECORD_FORMAT', place)
    assert.match(fault.message, 'code c: answer')
  }
  const live = changed(ANSWERS[2], ['rerun', 'counts', 'live'], 1)
  const details = await refusal(() => parseAnswer('c', pack(live)), 'RECORD_FORMAT')
  assert.is(details['place'], 'code c: answer.rerun.counts.live')
  const bomb = Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]) // A list of 4 thousand million.
  await refusal(() => parseAnswer('c', bomb), 'RECORD_FORMAT')
  await refusal(() => parseAnswer('c', 'text'), 'RECORD_FORMAT')
  const large = new Uint8Array(limits.codeMessageBytesMax + 1)
  await refusal(() => parseAnswer('c', large), 'PAYLOAD_TOO_LARGE')
})

test('R-7 an answer is about what was asked', async () => {
  const records = traffic.records().slice(0, 2)
  const [first] = records as [JournalRecord]
  const own = { stream: first.stream, version: first.version - 1 }
  const far = { ...own, version: first.version + 5 }
  checkNeeded('c', [own], records)
  for (const streams of [[far], [own, own], [{ stream: 'run:none' as const, version: 0 }]]) {
    await refusal(() => checkNeeded('c', streams, records), 'RECORD_FORMAT')
  }

  assert.equal(checkDifferences('c', [null, difference], records), [null, difference])
  await refusal(() => checkDifferences('c', [null], records), 'RECORD_FORMAT')
  for (const lie of [
    { ...difference, class: 'context' as const },
    { ...difference, class: 'ERROR' as const },
    { ...difference, state: null },
    { ...difference, error: 'no' },
  ]) {
    await refusal(() => checkDifferences('c', [null, lie], records), 'RECORD_FORMAT')
  }
})

test('R-7 reruns and explorations stay on their stretch', async () => {
  assert.is(checkRerun('c', rerun, segment), rerun)
  const [one, two, ...more] = rerun.records as [JournalRecord, JournalRecord, ...JournalRecord[]]
  const lies: readonly Partial<Rerun>[] = [
    { records: [two, one, ...more] },
    { records: rerun.records.slice(1) },
    { records: rerun.records.map((each) => ({ ...each, version: 9 })) },
    { made: [100_000] },
  ]
  for (const lie of lies) {
    await refusal(() => checkRerun('c', { ...rerun, ...lie }, segment), 'RECORD_FORMAT')
  }
  const plan = { segment, budget: 5 }
  const { exploration, samples } = exploreSampled(segment, ourCode(), plan)
  const said = { exploration, samples: samples.map((each) => ({ ...each, ...each.segment })) }
  assert.equal(checkExplored('c', said, plan).samples.length, samples.length)
  const many = { ...said, exploration: { ...exploration, points: 1_000 } }
  await refusal(() => checkExplored('c', many, plan), 'RECORD_FORMAT')
  const outside = { ...violation, crashAt: 1_000_000 }
  const far = { ...said, exploration: { ...exploration, violations: [outside] } }
  await refusal(() => checkExplored('c', far, plan), 'RECORD_FORMAT')
  const sample = { violation, records: [two, one] }
  await refusal(() => checkExplored('c', { ...said, samples: [sample] }, plan), 'RECORD_FORMAT')
})

test('R-7 guests that hash into numbers, name effects with objects or blow up are told apart', () =>
  withDirectory(async (directory) => {
    const broken: readonly [string, string, readonly [string, string], string][] = [
      ['number', 'step.js', ['return stateHash(', 'return 7 || stateHash('], 'now.stateHash'],
      [
        'object',
        'step.js',
        [
          'export function formatValue(snapshot) {',
          'export function formatValue(snapshot) { return { a: 1 };',
        ],
        'now.value',
      ],
      [
        'huge',
        'step.js',
        ['return stateHash(', "return 'x'.repeat(9999) || stateHash("],
        'now.stateHash',
      ],
    ]
    for (const [name, file, change, field] of broken) {
      const code = readCodeTree(patchMachines(`${directory}/${name}`, file, change))
      const all = { from: 1, to: history.head(), choice: code }

      const fault = await faultOf(() => replayHistory(house, history, all), name)

      assert.equal(
        [fault.code, fault.message.includes(field)],
        ['RECORD_FORMAT', true],
        fault.message,
      )
      const runner = await openRunner(house, code, segment)
      const rerunFault = await faultOf(() => runner.rerun(segment, CONTROL), name)
      await runner.close()
      assert.is(rerunFault.code, 'RECORD_FORMAT')
    }
  }))

test.run()
