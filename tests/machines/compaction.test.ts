/** Long histories: when a summary is asked for, what stays, and that nothing loops or is parted. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { promptEntries } from '../../machines/rules/prompt.ts'
import { pruneResults } from '../../machines/rules/prune.ts'
import { beginsWith, leftOutOf, rangeOf, summaryCut } from '../../machines/rules/history.ts'
import type { SessionContext } from '../../machines/session.ts'
import type { HistoryEntry } from '../../machines/session-events.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { accepted } from '../support/facts.ts'
import { given } from '../support/given.ts'

const compaction = cases('compaction')

const NO_FACTS: Record<string, unknown> = {}

const plan = { fallbacks: ['b/two'], callsMax: 20, compactAt: 1_000 }

/** A question of 200 tokens, and its answer of 200 more. */
function asked(runId: string, changes: Record<string, unknown> = {}): JournalEvent {
  return accepted(runId, { model: 'a/one', bytes: 800, plan, ...changes })
}

function answered(runId: string, changes: Record<string, unknown> = {}): JournalEvent {
  const usage = { inputTokens: 0, outputTokens: 0 }
  const end = { type: 'run.finished', runId, status: 'done', fault: '', ref: `b:a-${runId}` }
  return { ...end, ...usage, bytes: 800, ...changes }
}

/** Two turns, 800 tokens: the next question is the one that is too much. */
const long = [asked('r1'), answered('r1'), asked('r2'), answered('r2')]

function summarised(status = 'done', compactionId = 'r3'): JournalEvent {
  const end = { compactionId, status, fault: status === 'done' ? '' : 'auth', count: 4, hash: '' }
  return { type: 'compaction.finished', ...end, ref: 'b:summary', bytes: 40 }
}

function rolesOf(context: Readonly<Record<string, unknown>>): string[] {
  return (context as unknown as SessionContext).history.map(({ role, runId }) => `${role} ${runId}`)
}

compaction('CP1 a run whose prompt would be too long waits for a summary', () => {
  const { value, sends, context } = given('session', long).when(asked('r3'))
  const short = given('session', long.slice(0, 2)).when(asked('r3'))

  assert.is(value, 'running')
  assert.equal(
    sends.map(({ to, event }) => [to, event.type]),
    [['compaction:r3', 'compaction.requested']],
  )
  const { model, fallbacks, count, hash } = sends[0]?.event ?? NO_FACTS
  assert.equal([model, fallbacks, count], ['a/one', ['b/two'], 4])
  const { history } = context as unknown as SessionContext
  assert.ok(beginsWith(history, { count: 4, hash: String(hash) }))
  assert.is(short.sends[0]?.event.type, 'run.requested')
  assert.not.ok('compaction' in short.context)
})

compaction('CP2 PR30 the summary stands for what it covers, and the run begins', () => {
  const { sends, context } = given('session', [...long, asked('r3')]).when(summarised())

  assert.equal(rolesOf(context), ['summary r3', 'user r3'])
  assert.equal(
    sends.map(({ to, event }) => [to, event.type, event['leftOut']]),
    [['run:r3', 'run.requested', undefined]],
  )
})

compaction('CP3 where it fails the run goes on without its oldest, and says so', () => {
  const { sends, context } = given('session', [...long, asked('r3')]).when(summarised('failed'))

  assert.equal(rolesOf(context).length, 5)
  assert.equal([sends[0]?.to, sends[0]?.event['leftOut']], ['run:r3', 2])
})

compaction('CP4 PR30 no summary is asked for again soon: the run is cut instead', () => {
  const failed = [...long, asked('r3'), summarised('failed'), answered('r3')]
  const soon = given('session', failed).when(asked('r4'))
  const pause = Array.from({ length: limits.compactEveryMs / 1_000 }, () => ({ type: 'nothing' }))
  const late = given('session', [...failed, ...pause]).when(asked('r4'))

  assert.equal([soon.sends.length, soon.sends[0]?.to], [1, 'run:r4'])
  assert.ok(Number(soon.sends[0]?.event['leftOut']) > 0)
  assert.is(late.sends[0]?.to, 'compaction:r4')
})

compaction('CP5 a run that is let go meanwhile leaves its summary to the next', () => {
  const waiting = [...long, asked('r3'), asked('r4')]
  const abort = { type: 'session.aborted', sessionKey: 'agent:main:main', runId: 'r3', by: 'd' }
  const next = given('session', waiting).when(abort)
  const resumed = given('session', [...waiting, abort]).when(summarised())

  assert.equal(
    next.sends.map(({ to }) => to),
    ['run:r3'],
  )
  assert.equal(
    resumed.sends.map(({ to }) => to),
    ['run:r4'],
  )
})

compaction('CP6 a late or foreign end is refused; a reset forgets what was asked', () => {
  const foreign = given('session', [...long, asked('r3')]).when(summarised('done', 'other'))
  const twice = given('session', [...long, asked('r3'), summarised()]).when(summarised())
  const reset = { type: 'session.reset', sessionKey: 'agent:main:main', generation: 1, by: 'd' }
  const after = given('session', [...long, asked('r3'), reset])

  assert.equal([foreign.ignored, twice.ignored], ['refused', 'refused'])
  assert.is(after.when(summarised()).ignored, 'refused')
  assert.is(after.when(asked('r4')).context['compaction'], null)
})

compaction('CP7 what a provider has told counts more than bytes', () => {
  const told = answered('r1', { inputTokens: 900, outputTokens: 90 })
  const dear = given('session', [asked('r1'), told]).when(asked('r2'))
  const cheap = [...long.slice(0, 3), answered('r2', { inputTokens: 9, outputTokens: 9 })]

  assert.equal([dear.sends[0]?.to, dear.sends[0]?.event['count']], ['compaction:r2', 2])
  assert.is(given('session', cheap).when(asked('r3')).sends[0]?.to, 'run:r3')
})

compaction('CP8 by hand: once at a time, and only where there is enough', () => {
  const wish = {
    type: 'compaction.asked',
    sessionKey: 'agent:main:main',
    compactionId: 'c1',
    model: 'a/one',
    fallbacks: [],
    by: 'd',
  }
  const begun = given('session', long).when(wish)
  const again = given('session', [...long, wish]).when({ ...wish, compactionId: 'c2' })
  const empty = given('session', long.slice(0, 2)).when(wish)
  const done = given('session', [...long, wish]).when(summarised('done', 'c1'))

  assert.equal([begun.value, begun.sends[0]?.to], ['idle', 'compaction:c1'])
  assert.equal([again.ignored, empty.ignored], ['refused', 'refused'])
  assert.is(rolesOf(done.context)[0], 'summary c1')
  assert.equal(done.sends, [])
})

compaction(
  'CP12 by hand: not beside a run that leaves some out; a shifted cut parts no pair',
  () => {
    const wish = { type: 'compaction.asked', sessionKey: 'agent:main:main', compactionId: 'c1' }
    const byHand = { ...wish, model: 'a/one', fallbacks: [], by: 'd' }
    const cutting = [...long, asked('r3'), summarised('failed')]
    const beside = given('session', cutting).when(byHand)
    const after = given('session', [...cutting, answered('r3')]).when(byHand)
    const short = given('session', [...long, asked('r3', { plan: { ...plan, compactAt: 9_000 } })])
    const history = entries('u a t a u').map((entry) =>
      entry.ref === 'b:2' ? { ...entry, role: 'tool' as const } : entry,
    )
    const [, , , , last] = history

    assert.equal([beside.ignored, after.ignored], ['refused', null])
    assert.is(short.when(byHand).ignored, null)
    // It was cut before a question; what stood in front of it has left the history since.
    const recipe = { runId: last!.runId, leftOut: 2 }
    assert.equal(promptEntries({ history }, {}, recipe), [last])
  },
)

function entries(words: string): HistoryEntry[] {
  return words.split(' ').map((word, index) => {
    const role = word === 'u' ? 'user' : word === 's' ? 'summary' : 'assistant'
    return { bytes: 400, ref: `b:${index}`, role, runId: `r${index}` }
  })
}

compaction('CP9 PR9 every cut is before a question', () => {
  const history = entries('u a a u a a a u a u')

  for (let tokens = 0; tokens <= 1_000; tokens += 50) {
    for (const cut of [summaryCut(history, tokens), leftOutOf(history, tokens)]) {
      assert.ok(cut === 0 || history[cut]?.role === 'user', `${tokens}: ${cut}`)
      assert.ok(cut < history.length)
    }
  }
  assert.is(leftOutOf(history, 0), history.length - 1)
  assert.equal(beginsWith(history, rangeOf(history, 3)), true)
  assert.equal(beginsWith(history.slice(1), rangeOf(history, 3)), false)
})

compaction('CP10 a summary is never left out, and never slides out of the history', () => {
  const history = entries('s u a u a u')
  const session = { history } as unknown as SessionContext
  const shown = promptEntries(session, {}, { runId: 'r5', leftOut: 3 })
  const kept = given('session', [...long, asked('r3'), summarised(), answered('r3')])
  const full = kept.when(asked('r4', { messagesMax: 3 }))

  assert.equal(
    shown.map(({ ref }) => ref),
    ['b:0', 'b:3', 'b:4', 'b:5'],
  )
  assert.equal(rolesOf(full.context), ['summary r3', 'assistant r3', 'user r4'])
})

const request: JournalEvent = {
  type: 'compaction.requested',
  compactionId: 'c1',
  sessionKey: 'agent:main:main',
  model: 'a/one',
  fallbacks: ['b/two'],
  count: 4,
  hash: 'aa',
}

function failed(attempt: number, faultClass: string, retryable = false): JournalEvent {
  const head = { type: 'effect.failed', effect: '1.e0', name: 'history.summarize', attempt }
  return { ...head, class: faultClass, retryable, retryAfterMs: null, random: 0 }
}

compaction('CP11 a summary is tried again, then of the next model, then given up', () => {
  const due = { type: 'retry.due' }
  const again = given('compaction', [request]).when(failed(1, 'rate', true))
  const next = given('compaction', [request]).when(failed(1, 'auth'))
  const out = given('compaction', [request, failed(1, 'auth')]).when(failed(2, 'auth'))
  const done = given('compaction', [request, failed(1, 'rate', true), due]).when({
    type: 'effect.done',
    effect: '1.e0',
    name: 'history.summarize',
    attempt: 2,
    ref: 'b:s',
    bytes: 9,
    inputTokens: 1,
    outputTokens: 1,
  })

  assert.is(again.value, 'waiting')
  assert.is(next.effects[0]?.params['model'], 'b/two')
  assert.equal([out.value, out.sends[0]?.event['status']], ['failed', 'failed'])
  const { status, ref, count, hash } = done.sends[0]?.event ?? NO_FACTS
  assert.equal([done.value, status, ref, count, hash], ['done', 'done', 'b:s', 4, 'aa'])
})

compaction('CP11 calls that were lost count towards all that a summary may take', () => {
  const fallbacks = ['b/two', 'c/three', 'd/four', 'e/five', 'f/six', 'g/seven', 'h/eight']
  const last = limits.compactCallsMax
  const refused = Array.from({ length: last - 1 }, (_, index) => failed(index + 1, 'auth'))
  const calling = given('compaction', [{ ...request, fallbacks }, ...refused])
  const head = { type: 'effect.lost', effect: '1.e0', name: 'history.summarize', started: false }

  assert.is(calling.when({ ...head, attempt: last }).value, 'failed')
})

compaction(
  'CP12 PR9 old long results of tools are cut, with their calls; the last stay whole',
  () => {
    const text = `begin${'x'.repeat(limits.pruneResultCharsMax)}end`
    const turn = [
      { role: 'user', text },
      { role: 'assistant', text },
      { role: 'tool', text },
    ]
    const messages = Array.from({ length: 5 }, () => turn).flat()

    const pruned = pruneResults(messages)

    assert.is(pruned.length, messages.length)
    const lengths = pruned.map(({ role, text: left }) => [role, left.length < text.length])
    const isCut = lengths.filter(([role]) => role === 'tool').map(([, cut]) => cut)
    assert.equal(isCut, [true, true, false, false, false])
    assert.ok(lengths.every(([role, cut]) => role === 'tool' || cut === false))
    assert.match(pruned[2]?.text ?? '', /^begin[^]*characters left out[^]*end$/)
    assert.equal(pruneResults(pruned), pruned)
  },
)

compaction.run()
