/** Addresses, filters, predicates and pointers: the words in which history is asked (3.3). */
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type Address, parseAddress, parseRange } from '../../../protocol/history/address.ts'
import { globOf, parseFilter, passes } from '../../../protocol/history/filter.ts'
import {
  followPointer,
  formatPointer,
  NOTHING,
  parsePointer,
} from '../../../protocol/history/pointer.ts'
import { parsePredicate } from '../../../protocol/history/predicate.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { JournalRecord } from '../../../protocol/record.ts'
import { cases } from '../../store/cases.ts'
import { refusal } from '../../store/contract.ts'
import { leastMs } from '../../support/timing.ts'

const test = cases('history words')

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0)
const frame = { now: NOW, utc: true, date: null }
const read = (text: string): Address => parseAddress(text, frame)
const at = (text: string, over: Partial<typeof frame> = {}): number | null => {
  const address = parseAddress(text, { ...frame, ...over })
  return address.kind === 'time' ? address.at : null
}

test('H3.3 positions carry microstep, output and steps back', () => {
  const plain = { kind: 'position', position: 1842, microstep: null, output: null, back: 0 }
  assert.equal(read('#1842'), plain)
  assert.equal(read('1842'), plain)
  assert.equal(read('#1842.1'), { ...plain, microstep: 1 })
  assert.equal(read('#1842.e0'), { ...plain, output: 'e0' })
  assert.equal(read('#1842~2'), { ...plain, back: 2 })
})

test('H3.3 times are instants, bare times of a day, or spans before now', () => {
  assert.is(at('2026-11-22T10:30:31Z'), Date.UTC(2026, 10, 22, 10, 30, 31))
  assert.is(at('2026-11-22T10:30:31.002+02:00'), Date.UTC(2026, 10, 22, 8, 30, 31, 2))
  assert.is(at('2026-11-21'), Date.UTC(2026, 10, 21))
  assert.is(at('10:30'), Date.UTC(2026, 10, 22, 10, 30))
  assert.is(at('10:30:31', { date: '2025-01-02' as never }), Date.UTC(2025, 0, 2, 10, 30, 31))
  assert.is(at('-5m'), NOW - 300_000)
  assert.is(at('-2h'), NOW - 7_200_000)
  assert.is(at('-1d'), NOW - 86_400_000)
  const local = at('10:30', { utc: false }) ?? 0
  assert.is(new Date(local).getHours(), 10)
})

test('H3.3 the other forms, and ranges with open ends', () => {
  assert.equal(read('start'), { kind: 'start' })
  assert.equal(read('head~3'), { kind: 'head', back: 3 })
  assert.equal(read('boot:7'), { kind: 'boot', epoch: 7 })
  assert.equal(read('note:stuck'), { kind: 'mark', of: 'note', name: 'stuck' })
  assert.equal(read('inc:42/A'), { kind: 'mark', of: 'inc', name: '42/A' })
  assert.equal(read('@try-retry#12'), { kind: 'fork', name: 'try-retry', position: 12 })
  assert.is(read('last(type=effect.failed value=waiting)').kind, 'match')
  assert.equal(parseRange('#3..', frame), { from: read('#3'), to: read('head') })
  assert.equal(parseRange('..#3', frame), { from: read('start'), to: read('#3') })
  assert.equal(parseRange('10:30..10:34', frame), { from: read('10:30'), to: read('10:34') })
  assert.equal(parseRange('#3', frame), { from: read('#3'), to: read('#3') })
})

test('H3.3 what is no address is refused and named', async () => {
  const bad = [
    '',
    '#',
    '#x',
    '10:99',
    '2026-13-40',
    'head~',
    'boot:',
    '-5y',
    '@',
    'first(',
    '#1.e',
    '1..2',
  ]
  for (const text of bad) {
    const details = await refusal(() => parseAddress(text, frame), 'USAGE')
    assert.equal(details, {}, text)
  }
})

test('H3.3 no text whatever gives anything but an address or a refusal', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        parseRange(text, frame)
        parsePredicate(text)
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'USAGE', String(error))
      }
    }),
    { numRuns: 2_000 },
  )
})

const record = {
  position: 9,
  stream: 'delivery:reply-1',
  version: 2,
  kind: 'event',
  event: { type: 'effect.failed', name: 'message.deliver', channel: 'irc' },
  cause: '8.e0',
  correlationId: 'abcd',
  at: 0,
  epoch: 3,
  code: '7c35',
  ignored: null,
  value: 'waiting',
  stateHash: '',
  effects: [],
  sends: [],
  armed: [],
  cancelled: [],
} as unknown as JournalRecord

test('H3.3 a filter takes what all its terms take', () => {
  const facts = { latencyMs: () => 5_100 }
  const takes = (...words: string[]): boolean => passes(parseFilter(words), record, facts)

  assert.ok(takes())
  assert.ok(takes('stream=delivery:*', 'type=effect.*', 'value=waiting'))
  assert.ok(takes('actor=delivery:* sv=waiting kind=message.deliver boot=3'))
  assert.ok(takes('cause=#8', 'cause=8.e0', 'from=irc', 'ms>5000', 'corr=ab*', 'code=7c35'))
  assert.not(takes('ignored'))
  assert.not(takes('type!=effect.*'))
  assert.not(takes('ms>6000'))
  assert.not(takes('type=effect'))
  assert.ok(passes(parseFilter(['ignored=refused']), { ...record, ignored: 'refused' }, facts))
  // A star in a text is the only thing that a pattern knows.
  assert.not(takes('stream=delivery:.*'))
})

test('H3.3 a star stands for anything, also for nothing, and for no letter twice', () => {
  const fits = (pattern: string, text: string): boolean => globOf(pattern).test(text)

  for (const [pattern, text] of [
    ['*', ''],
    ['**', 'a'],
    ['a*b*c', 'a-b-b-c'],
    ['a*', 'a\nb'],
    ['*b', 'aab'],
    ['*ab*ab', 'ab-ab'],
    ['', ''],
  ] as const) {
    assert.ok(fits(pattern, text), `${pattern} takes ${text}`)
  }
  for (const [pattern, text] of [
    ['a*a', 'a'],
    ['*ab*ab', 'aab'],
    ['a*b*c', 'a-c-b'],
    ['', 'a'],
    ['a', 'ab'],
    ['a.c', 'abc'],
  ] as const) {
    assert.not(fits(pattern, text), `${pattern} refuses ${text}`)
  }
})

test('S58 a filter of many stars is answered at once', () => {
  const glob = globOf(`${'*a'.repeat(300)}*b`)
  const ms = leastMs(() => assert.not(glob.test(`session:${'a'.repeat(1_000)}`)))

  assert.ok(ms < 100, `${ms} ms`)
})

test('H3.3 a filter word that is no term is refused with the keys', async () => {
  for (const word of ['colour=red', 'type', 'Type=x', '=x', `type=${'x'.repeat(800)}`]) {
    await refusal(() => parseFilter([word]), 'USAGE')
  }
})

const subject = {
  value: 'sending',
  status: 'active',
  context: { queue: [{ runId: 'r1' }], attempt: 2, fault: 'rate', 'a b': 1 },
  stream: 'run:1',
  position: 7,
  version: 3,
}

test('H3.3 predicates compare, combine and look into the context', () => {
  const holds = (text: string): boolean => parsePredicate(text)(subject)

  assert.ok(holds('context.queue.length > 0 && value == "sending"'))
  assert.ok(holds(`context.queue[0].runId == 'r1'`))
  assert.ok(holds('context["a b"] === 1'))
  assert.ok(holds('!(context.attempt < 2) && (value == "x" || context.fault != "auth")'))
  assert.ok(holds('position >= 7 && version <= 3 && context.attempt > -1'))
  assert.ok(holds('context.none == null'))
  assert.not(holds('context.attempt'))
  assert.not(holds('value < 3'))
  // Members of the prototype are no members.
  assert.not(holds('context.constructor != null'))
  assert.not(holds('context.__proto__ != null'))
})

test('H3.3 a predicate that cannot be read is refused with the place', async () => {
  const bad = [
    '',
    'value ==',
    'valeu == 1',
    '(value == 1',
    'value == 1)',
    'a()',
    'value = 1',
    '`x`',
    'context.',
  ]
  for (const text of bad) await refusal(() => parsePredicate(text), 'USAGE')
  await refusal(() => parsePredicate(`${'('.repeat(40)}value${')'.repeat(40)}`), 'USAGE')
  await refusal(() => parsePredicate('value == 1 && '.repeat(100)), 'USAGE')
})

test('H3.4 pointers lead through own members only', async () => {
  assert.is(followPointer(subject.context, parsePointer('/queue/0/runId')), 'r1')
  assert.is(followPointer(subject.context, parsePointer('/constructor')), NOTHING)
  assert.is(followPointer(subject.context, parsePointer('/queue/9')), NOTHING)
  assert.is(followPointer({ 'a/b': { '~': 1 } }, parsePointer(formatPointer(['a/b', '~']))), 1)
  await refusal(() => parsePointer('queue'), 'USAGE')
})

test.run()
