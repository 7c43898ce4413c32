/** Erasure: whose bodies go, whose stay, and that nothing else changes. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { readText } from '../../actors/bodies.ts'
import { eraseHistory, type EraseRequest, type EraseScope, parseScope } from '../../actors/erase.ts'
import { collectRefs as search } from '../../actors/erase-search.ts'
import { replayStream } from '../../actors/stream.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { StoreReader } from '../../store/contract.ts'
import { cases } from '../store/cases.ts'
import { body, refusal } from '../store/contract.ts'
import { requested } from '../support/facts.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTalk, tellIn, textsOf } from '../support/talk.ts'

const erase = cases('erase')
const collectRefs = async (store: StoreReader, scope: EraseScope): Promise<ReadonlySet<string>> =>
  (await search(store, scope)).refs
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const request = (scope: EraseScope, dryRun = false): EraseRequest => ({
  scope,
  reason: 'asked to',
  by: 'phone',
  dryRun,
})
const ann: EraseScope = { kind: 'subject', channel: 'irc', sender: 'ann' }

erase('a subject is what they wrote and the answers to it, and nobody else', async () => {
  const { store } = await openTalk()

  assert.equal([...(await collectRefs(store, ann))].toSorted(), textsOf(['ann', 1], ['ann', 3]))
  const bob = { ...ann, sender: 'bob' }
  assert.equal([...(await collectRefs(store, bob))].toSorted(), textsOf(['bob', 2]))
  assert.equal([...(await collectRefs(store, { ...ann, channel: 'mail' }))], [])
})

erase('a session is all that it, its runs and its deliveries name', async () => {
  const house = await openTalk()
  const note = body('filed', 8)
  await house.kernel.registry.deliver('delivery:d1', {
    event: requested('d1', {
      target: 'bob',
      ref: note.ref,
      fileIn: 'agent:main:irc:direct:bob',
    }),
    cause: 'req:1',
    correlationId: 'd'.repeat(32),
    bodies: [note],
  })
  const scope = parseScope({ session: 'agent:main:irc:direct:bob' })

  const found = [...(await collectRefs(house.store, scope))].toSorted()
  assert.equal(found, [...textsOf(['bob', 2]), note.ref].toSorted())
})

erase('what somebody’s runs asked of tools, and of a person about it, is theirs', async () => {
  const house = await openTalk()
  const asked = { channel: 'irc', room: null, sender: 'bob', at: 0 }
  const ofCall = [1, 2, 3, 4].map((n) => body(`of a call ${n}`, n).ref)
  const [args, ask, shown, question] = ofCall
  const head = { callId: 'c1', runId: 'r2', sessionKey: 'agent:main:irc:direct:bob', asked }
  await house.tell('call:c1', { type: 'call.requested', ...head, name: 'exec', ref: args })
  await house.tell('call:c1', {
    type: 'effect.done',
    effect: '1.e0',
    name: 'tool.judge',
    attempt: 1,
    verdict: 'ask',
    askRef: ask,
    askTextRef: shown,
    notice: { ref: question, channel: 'irc', target: 'owner' },
  })

  const found = [...(await collectRefs(house.store, { ...ann, sender: 'bob' }))].toSorted()

  assert.equal(found, [...textsOf(['bob', 2]), ...ofCall].toSorted())
  assert.equal(
    [...(await collectRefs(house.store, ann))].toSorted(),
    textsOf(['ann', 1], ['ann', 3]),
  )
})

erase('S13 texts go; records, hashes, root and states stay', async () => {
  const house = await openTalk()
  const { store, records } = house
  const before = { records: records(), head: store.tree.head(), hash: hex(store.head().hash) }
  const session: StreamId = 'session:agent:main:irc:direct:ann'
  const state = replayStream(store, session, 'none').hash

  const report = await eraseHistory(store, request(ann), tellIn(house))

  const size = before.records.length
  assert.equal([report.scope, report.bodies, report.recordsChanged], ['subject:irc:ann', 4, 0])
  assert.is(report.position, size + 1)
  assert.ok(report.bytes > 40)
  for (const ref of textsOf(['ann', 1], ['ann', 3])) {
    assert.is(store.bodyState(ref), 'erased')
    assert.is(store.body(ref), null)
    assert.equal(await refusal(() => readText(store, ref), 'HISTORY_PRUNED'), {
      ref,
      erased: true,
    })
  }
  assert.is(readText(store, body('bob asks 2', 2).ref), 'bob asks 2')
  assert.equal(records().slice(0, size), before.records)
  assert.is(hex(store.link(size)!.hash), before.hash)
  assert.is(hex(store.tree.root(size)), hex(before.head.root))
  assert.is(replayStream(store, session, 'none').hash, state)
  assert.equal(records().at(-1)!.event, {
    type: 'history.erased',
    scope: 'subject:irc:ann',
    bodies: 4,
    reason: 'asked to',
    by: 'phone',
  })
  assert.is(records().at(-1)!.ignored, null)
})

erase(
  'a dry run changes nothing, and a second erasure is recorded as having found none',
  async () => {
    const house = await openTalk()
    const size = house.store.head().position

    const dry = await eraseHistory(house.store, request(ann, true), tellIn(house))
    assert.equal([dry.bodies, dry.dryRun, house.store.head().position], [4, true, size])
    assert.is(house.store.bodyState(body('ann asks 1', 1).ref), 'there')
    await eraseHistory(house.store, request(ann), tellIn(house))
    const again = await eraseHistory(house.store, request(ann), tellIn(house))
    assert.equal([again.bodies, again.bytes, again.position], [0, 0, size + 2])
  },
)

erase('a scope that nobody has is refused, and leaves no record', async () => {
  const house = await openTalk()
  const size = house.store.head().position

  const nobody = request({ ...ann, sender: 'carl' })
  await refusal(() => eraseHistory(house.store, nobody, tellIn(house)), 'NOT_FOUND')
  assert.is(house.store.head().position, size)
  for (const bad of [{}, { subject: 'irc:ann', session: 'main' }, { subject: 'irc' }]) {
    await refusal(() => parseScope(bad), 'INVALID_REQUEST')
  }
  await refusal(() => parseScope({ subject: ':ann' }), 'INVALID_REQUEST')
  assert.equal(parseScope({ subject: 'irc:a:b' }), { ...ann, sender: 'a:b' })
})

erase('W21 history.erase over the wire; the session goes on with what is left', async () => {
  const house = await startTestGateway({ config: { agents: { defaults: { model: 'echo' } } } })
  const client = house.client()
  await client.connect()
  const ask = async (message: string): Promise<string> => {
    const { payload } = await client.request('agent', { message, sessionKey: 'talk' })
    const { runId } = payload
    const done = await client.event('agent.done', (told) => told['runId'] === runId)
    assert.is(done.payload['status'], 'done')
    return String(payload['sessionKey'])
  }
  const session = await ask('a secret of mine')

  const dry = await client.request('history.erase', { session, dryRun: true })
  const done = await client.request('history.erase', { session, reason: 'wished' })
  await ask('and now?')

  assert.equal([dry.payload['bodies'], dry.payload['position']], [2, undefined])
  assert.equal([done.payload['bodies'], done.payload['recordsChanged']], [2, 0])
  const bad = await client.request('history.erase', { reason: 'x' })
  assert.is(bad.error?.code, 'INVALID_REQUEST')
  const none = await client.request('history.erase', { subject: 'irc:nobody' })
  assert.is(none.error?.code, 'NOT_FOUND')
  const long = await client.request('history.erase', { session, reason: 'x'.repeat(65) })
  assert.is(long.error?.details?.['path'], 'reason')
  await house.stop()
})

erase.run()
