/** What clients are told of records that name less than others. */
import * as assert from 'uvu/assert'
import { noticesOf } from '../../protocol/notices.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'

const test = cases('notices')

const noticesFor = (event: JournalEvent) =>
  noticesOf({
    kind: 'event',
    ignored: null,
    stream: 'session:agent:main:main',
    position: 7,
    at: 1,
    sends: [],
    event,
  } as unknown as JournalRecord)

const told = (event: JournalEvent): unknown => noticesFor(event)[0]?.payload

const reset: JournalEvent = { type: 'session.reset', sessionKey: 'agent:main:main', reason: 'new' }

test('DV12 a reset that means whichever session is there tells no id, one that names it does', () => {
  assert.equal(told(reset), { key: 'agent:main:main', reason: 'reset', position: 7, ts: 1 })
  const named = told({ ...reset, generation: 2 }) as { sessionId?: string }
  assert.match(named.sessionId ?? '', /^[\da-f-]{36}$/)
})

test('QM14 the end of a merged message names the run that answered it', () => {
  const event = {
    type: 'run.finished',
    runId: 'r1',
    status: 'done',
    fault: '',
    ref: 'b:1',
    inputTokens: 1,
    outputTokens: 2,
    merged: [{ runId: 'r2', runKey: 'theirs' }],
  }
  const [, merged] = noticesFor(event)
  const { runId, runKey, into, status } = merged?.payload ?? {}
  assert.equal(
    [merged?.event, runId, runKey, into, status],
    ['agent.done', 'r2', 'theirs', 'r1', 'done'],
  )
})

test.run()
