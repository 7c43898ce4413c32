/** An approval given in a channel, in a file for others: under pseudonyms it replays as it was. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { readBundle, writeBundle } from '../../actors/bundle.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatValue } from '../../machines/step.ts'
import { canonical } from '../../protocol/codec.ts'
import { streamKind } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { body } from '../store/contract.ts'
import { settle } from '../support/clock.ts'
import { directFrom, received } from '../support/facts.ts'
import { bundleOf, STORY_CODE } from '../support/incidents.ts'
import { openTestKernel } from '../support/kernel.ts'

const bundle = cases('incident files of approvals')

const GRANT_ID = '0123456789abcdef0123456789abcdef'

/** Ann is asked about a call of hers, eve answers in vain, ann allows it always, and once more. */
async function allowAlways() {
  const house = openTestKernel({ code: STORY_CODE })
  const { tell, given, store } = house
  const policy = { dmPolicy: 'open', allowFrom: ['ann'], groupPolicy: 'open', rooms: {} }
  await tell('channel:irc', { type: 'channel.enabled', channel: 'irc', policy })
  const asked = { channel: 'irc', room: null, sender: 'ann', at: 0 }
  const args = body('rm -rf build', 1)
  await tell('call:call_1a2b3c4d', {
    type: 'call.requested',
    callId: 'call_1a2b3c4d',
    runId: 'r1',
    sessionKey: 'agent:main:irc:direct:ann',
    name: 'exec',
    ref: args.ref,
    asked,
  })
  await settle()
  const [whole, shown, question] = [2, 3, 4].map((n) => body(`of ann ${n}`, n))
  const place = { channel: 'irc', room: null, sender: 'ann' }
  const of = { tool: 'exec', source: 'built-in', agentId: 'main', place }
  given
    .find(({ name }) => name === 'tool.judge')!
    .answer({
      type: 'effect.done',
      facts: {
        verdict: 'ask',
        rule: 'tools.ask: exec',
        source: 'built-in',
        timeoutMs: 9_000,
        askRef: whole!.ref,
        askTextRef: shown!.ref,
        askMs: 60_000,
        mayAlways: true,
        grant: { grantId: GRANT_ID, keyId: '0123456789abcdef', ...of },
        notice: { ref: question!.ref, channel: 'irc', target: 'ann' },
      },
      bodies: [args, whole!, shown!, question!],
    })
  await settle()
  const answer = { approvalId: 'call_1a2b3c4d', decision: 'allow-always' }
  const directive = { name: 'approve', value: '1a2b3c4d', known: true, answer }
  for (const [n, who] of ['eve', 'ann', 'ann'].entries()) {
    const wrote = { ...directFrom(who), directive, rest: false }
    await tell('channel:irc', received(`m${n}`, wrote))
    await settle()
  }
  return { store, from: 1, to: store.head().position, records: house.records() }
}

/** Steps every record again: what its machine makes of it now. */
function stepped(records: readonly JournalRecord[]): string[] {
  const snapshots = new Map<string, ReturnType<typeof foldOne>['snapshot']>()
  return records.flatMap((record) => {
    if (record.kind !== 'event') return []
    const { snapshot, sends } = foldOne(record, snapshots.get(record.stream))
    snapshots.set(record.stream, snapshot)
    return [canonical([record.stream, formatValue(snapshot), sends])]
  })
}

function foldOne({ stream, event, at }: JournalRecord, before = initialOf(stream)) {
  return kinds[streamKind(stream)].stepper.step(before, event, at)
}

function initialOf(stream: string) {
  return kinds[streamKind(stream)].stepper.initial
}

const told = (records: readonly JournalRecord[]): string[] =>
  records
    .filter(({ kind }) => kind === 'event')
    .map(({ stream, value, sends }) => canonical([stream, value, sends]))

bundle(
  'IF10 under pseudonyms who may decide, what they said and what it granted stay',
  async () => {
    const story = await allowAlways()
    const key = Buffer.alloc(32, 7)
    const parts = bundleOf(story, { tier: 'masked', pseudonymKey: key })
    const read = readBundle(writeBundle(parts))
    const { records } = read.segment

    assert.equal(stepped(story.records), told(story.records))
    assert.equal(stepped(records), told(records))
    const values = (all: readonly JournalRecord[]) =>
      all.map(({ event, value }) => [event.type, value])
    assert.equal(values(records), values(story.records))
    assert.ok(values(records).some(([type, value]) => type === 'grant.given' && value === 'given'))
    const names = JSON.stringify(records)
    for (const name of ['"ann"', '"eve"', GRANT_ID, 'call_1a2b3c4d']) {
      assert.not.ok(names.includes(name), name)
    }
    assert.equal(verifyBundle(read, { code: STORY_CODE }).faults, [])
  },
)

bundle.run()
