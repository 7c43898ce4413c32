/** Forks: control runs, edits, answers, and that nothing of it is done. Rules K10, F-1 to F-5. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { openHistory } from '../../../actors/history.ts'
import { openBranch } from '../../../machines/history/branch.ts'
import { type Edit, parseEdit } from '../../../machines/history/edits.ts'
import {
  assertControl,
  checkControl,
  CONTROL,
  type ForkResult,
  type Rerun,
  rerunSegment,
  sumFork,
} from '../../../machines/history/fork.ts'
import type { RerunPlan } from '../../../machines/history/plan.ts'
import { replayRange } from '../../../machines/history/replay.ts'
import { cases } from '../../store/cases.ts'
import { refusal } from '../../store/contract.ts'
import { ourCode, recordTraffic } from '../../support/traffic.ts'

const test = cases('fork')
const traffic = await recordTraffic()
const history = openHistory(traffic.store)
const head = history.head()
const WHAT_IF: RerunPlan = { ...CONTROL, onMiss: 'stub' }

function edits(...flags: [Edit['t'], string][]): Edit[] {
  return flags.map(([flag, text]) => parseEdit(flag, text))
}

function fork(at: number, plan: Partial<RerunPlan>): { result: ForkResult; branch: Rerun } {
  const segment = traffic.segment(at)
  const control = rerunSegment(segment, ourCode(), CONTROL)
  const branch = rerunSegment(segment, ourCode(), { ...WHAT_IF, ...plan })
  return { result: sumFork(history, segment, { control, branch, about: null }), branch }
}

function endOf({ outcomes }: ForkResult, target: string): string | undefined {
  return outcomes.find((outcome) => outcome.target === target)?.branch
}

test('F-1 without an edit a fork is the record, wherever it is cut', () => {
  for (let at = 0; at < head; at += 1) {
    const segment = traffic.segment(at)
    const control = rerunSegment(segment, ourCode(), CONTROL)

    assert.equal(
      checkControl(segment, control),
      {
        identical: true,
        records: head - at,
        first: null,
      },
      `cut at #${at}`,
    )
  }
})

test('F-1 a stretch that ends early is the record too: what is in flight stays in flight', () => {
  for (let to = 1; to < head; to += 1) {
    const segment = traffic.segment(0, to)

    assert.ok(
      checkControl(segment, rerunSegment(segment, ourCode(), CONTROL)).identical,
      `to #${to}`,
    )
  }
})

test('F-1 a control run that differs is no ground for a what-if', async () => {
  const segment = traffic.segment(0)
  const records = segment.records.map((record) =>
    record.position === 9 ? { ...record, value: 'elsewhere' } : record,
  )
  const other = { ...segment, records }
  const control = rerunSegment(other, ourCode(), CONTROL)

  assert.is(checkControl(other, control).first, 9)
  await refusal(() => assertControl(other, control), 'REPLAY_DIVERGED')
})

test('F-2 a skipped message gets no answer, and the others theirs', () => {
  const first = traffic.find(({ event }) => event['messageId'] === 'm4')
  const { result } = fork(first - 1, { edits: edits(['skip', `#${first}`]) })

  const m5 = traffic.find(({ event }) => event['messageId'] === 'm5')
  assert.is(result.firstDivergence, first)
  assert.is(endOf(result, `reply-to:#${first}`), 'absent')
  assert.match(endOf(result, `reply-to:#${m5}`) ?? '', /^sent/)
})

test('F-2 an edited fact goes through to what it causes', () => {
  const position = traffic.find(({ event }) => event['messageId'] === 'm1')
  const { branch, result } = fork(position - 1, {
    edits: edits(['edit', `#${position}.facts.model="other"`]),
  })

  const call = branch.records.find(({ effects }) =>
    effects.some(({ name }) => name === 'model.call'),
  )
  assert.is(call?.effects[0]?.params['model'], 'other')
  assert.is(result.firstDivergence, position)
  assert.ok(result.effects.stub >= 1, 'a call that was never made has no recorded answer')
  assert.is(result.effects.live, 0)
})

test('F-2 a delayed message is answered as much later, by the recorded answer', () => {
  const position = traffic.find(({ event }) => event['messageId'] === 'm1')
  const { branch, result } = fork(position - 1, { edits: edits(['delay', `#${position} +7s`]) })

  const sent = (records: Rerun['records']): number =>
    records.find(({ stream, value }) => stream === 'delivery:reply-run-m1' && value === 'sent')
      ?.at ?? 0
  assert.is(sent(branch.records) - sent(traffic.records()), 7_000)
  assert.is(result.effects.stub, 0)
})

test('F-2 an answer of ours takes the place of the recorded one', () => {
  const request = traffic.find(
    ({ stream, effects }) => stream === 'run:run-m1' && effects.length > 0,
  )
  const failed = '{"type":"effect.failed","class":"auth","retryable":false}'
  const { result } = fork(request, { edits: edits(['answer', `#${request}.e0=${failed}`]) })

  const m1 = traffic.find(({ event }) => event['messageId'] === 'm1')
  assert.match(endOf(result, `reply-to:#${m1}`) ?? '', /^failed/)
})

test('F-2 an inserted event comes from outside and is simulated to its end', () => {
  const event = '{"deliveryId":"new","channel":"irc","target":"ann","ref":"b:1","fileIn":null}'
  const { branch, result } = fork(4, {
    edits: edits(['insert', `after:#5 delivery:new delivery.requested ${event}`]),
  })

  const own = branch.records.filter(({ stream }) => stream === 'delivery:new')
  assert.equal(
    own.map(({ kind, value }) => [kind, value]),
    [
      ['event', 'attempting'],
      ['started', 'attempting'],
      ['event', 'sent'],
    ],
  )
  assert.is(result.outcomes.find(({ target }) => target.startsWith('@send'))?.branch, 'sent(stub)')
})

test('F-3 what was lost stays lost, unless it is asked otherwise', () => {
  const m3 = traffic.find(({ event }) => event['messageId'] === 'm3')
  const end = (onLost: RerunPlan['onLost']): string | undefined =>
    endOf(fork(m3 - 1, { onLost }).result, `reply-to:#${m3}`)

  assert.is(end('lose'), 'uncertain')
  assert.is(end('ok'), 'sent(stub)')
  assert.is(end('fail'), 'failed(stub)')
})

test('F-3 a lost effect ends as it is asked, wherever before its loss the cut is', () => {
  const m3 = traffic.find(({ event }) => event['messageId'] === 'm3')
  const lost = traffic.find(({ event }) => event.type === 'effect.lost')

  for (let at = m3 - 1; at < lost; at += 1) {
    const { result } = fork(at, { onLost: 'ok' })

    assert.is(endOf(result, `reply-to:#${m3}`), 'sent(stub)', `cut at #${at}`)
  }
})

test('F-3 without stubs an effect that was never recorded ends the fork', async () => {
  const position = traffic.find(({ event }) => event['messageId'] === 'm1')
  const plan = { onMiss: 'error' as const, edits: edits(['edit', `#${position}.facts.model="x"`]) }

  await refusal(() => fork(position - 1, plan), 'NOT_FOUND')
})

test('F-4 edits that have nothing to change are refused', async () => {
  const bad: [Edit['t'], string][] = [
    ['skip', '#2'], // Before the cut.
    ['skip', '#4000'],
    ['delay', '#4000 +1s'],
    ['edit', '#30.facts.nothing.here=1'],
    ['answer', '#30.e7={}'],
    ['insert', 'after:#4000 delivery:x delivery.requested'],
  ]
  for (const flag of bad) {
    await refusal(() => fork(10, { edits: edits(flag) }), 'USAGE', flag.join(' '))
  }
})

test('F-4 edits that cannot be read are refused', async () => {
  const bad: [Edit['t'], string][] = [
    ['skip', 'eleven'],
    ['delay', '#11 500'],
    ['edit', '#8.facts.cmd=new'],
    ['edit', '#8.facts.type="x"'],
    ['edit', '#8.facts.__proto__.x=1'],
    ['edit', '#8.data.x=1'],
    ['insert', 'after:#1 delivery:x t [1]'],
    ['answer', '#8={}'],
    ['answer', '#8.e0=7'],
  ]
  for (const [flag, text] of bad) {
    await refusal(() => parseEdit(flag, text), 'USAGE', text)
  }
  await refusal(() => parseEdit('insert', 'after:#1 nobody:x t {}'), 'INVALID_REQUEST')
})

test('F-5 a fork reads as history: the parent up to the cut, then its own', () => {
  const position = traffic.find(({ event }) => event['messageId'] === 'm4')
  const at = position - 1
  const { branch } = fork(at, { edits: edits(['skip', `#${position}`]) })
  const read = openBranch(history, { at, records: branch.records })

  assert.is(read.head(), at + branch.records.length)
  assert.equal(
    [...read.range(1, read.head())].map((record) => record.position),
    Array.from({ length: read.head() }, (_, index) => index + 1),
  )
  assert.is(read.read(at)?.stateHash, history.read(at)?.stateHash)
  for (const stream of read.streams()) {
    const versions = [...read.stream(stream, 1)].map(({ version }) => version)
    assert.equal(
      versions,
      versions.map((_, index) => index + 1),
      stream,
    )
    assert.is(read.version(stream), versions.length)
    assert.is(
      read.positionOf(stream, versions.length),
      [...read.stream(stream, 1)].at(-1)?.position,
    )
  }
  assert.is(replayRange(read, ourCode(), { from: 1, to: read.head() }).first, null)
})

test.run()
