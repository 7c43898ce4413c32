/** Canaries: personal text in every place that a record has, and in no file of a lowered tier. IF10 */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { type Bundle, readBundle, writeBundle } from '../../actors/bundle.ts'
import { cutBundle, type ExportOptions, redactBundle } from '../../actors/bundle-export.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { foldStream } from '../../machines/history/fold.ts'
import { replayRange } from '../../machines/history/replay.ts'
import { kinds } from '../../machines/kinds.ts'
import { coverOf, Pseudonyms } from '../../protocol/history/pseudonyms.ts'
import { STREAM_KINDS, streamId, type StreamId, type StreamKind } from '../../protocol/ids.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { directSessionKey } from '../../protocol/session-key.ts'
import type { BodyDraft, Store } from '../../store/contract.ts'
import { cases } from '../store/cases.ts'
import { body, refusal } from '../store/contract.ts'
import { settle } from '../support/clock.ts'
import { accepted, approved, received, requested } from '../support/facts.ts'
import { given } from '../support/given.ts'
import { openTestKernel } from '../support/kernel.ts'
import { recordRandom } from '../support/random-traffic.ts'
import { ourCode, TEST_CODE } from '../support/traffic.ts'

const test = cases('canaries')
const CANARY = /canar|10\.66\.77\.88|\+49 171 9988776/i
const ZORA = 'Zora Canary'
const ROOM = '#canary-room'
const OPEN = { dmPolicy: 'open', allowFrom: ['*'], groupPolicy: 'open', rooms: {} }
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

/** A journal with a canary wherever a record, a state or a body has room for one. */
async function plant(): Promise<Store> {
  const { kernel, store, given } = openTestKernel({ code: TEST_CODE })
  const tell = async (
    stream: StreamId,
    event: JournalEvent,
    { cause = 'ext:irc:canary-cause', bodies = [] as BodyDraft[] } = {},
  ): Promise<void> => {
    const correlationId = 'canary-correlation'
    await kernel.registry.deliver(stream, { event, cause, correlationId, bodies })
    await settle()
  }
  const rooms = { [ROOM]: { requireMention: false, allowFrom: [ZORA, 'canary-friend'] } }
  const policy = { dmPolicy: 'allowlist', allowFrom: [ZORA], groupPolicy: 'allowlist', rooms }
  await tell('channel:irc', { type: 'channel.enabled', channel: 'irc', policy })
  given.shift()?.answer({ type: 'effect.done', facts: { nick: 'canary-nick' } })
  await settle()
  const asked = body(`I am ${ZORA} from ${ROOM}, call +49 171 9988776`, 1)
  const from = { channel: 'irc', account: 'default', peer: ZORA }
  const wrote = {
    senderId: ZORA,
    roomId: ZORA,
    target: ZORA,
    sessionKey: directSessionKey('main', 'per-channel-peer', from),
    ref: asked.ref,
    runId: 'run-canary-1',
    displayName: 'canary display',
  }
  await tell('channel:irc', received('canary-message-1', wrote), { bodies: [asked] })
  const answer = body(`hello ZORA CANARY; canary@example.org`, 2)
  const facts = { ref: answer.ref, inputTokens: 1, outputTokens: 1, toolArguments: 'canary tool' }
  given.shift()?.answer({ type: 'effect.done', facts, bodies: [answer] })
  await settle()
  given.shift()?.answer({
    type: 'effect.failed',
    class: 'canary error text',
    retryable: false,
    sent: 'no',
  })
  await settle()
  const again = { ...wrote, runId: 'run-canary-2', ref: asked.ref }
  await tell('channel:irc', received('canary-message-2', again))
  const inRoom = { peer: 'channel', roomId: ROOM, target: ROOM, runId: 'run-canary-3' }
  await tell('channel:irc', received('canary-message-3', { ...again, ...inRoom }))
  await tell('delivery:canary-delivery', requested('canary-delivery', { target: 'canary-target' }))
  await tell('connection:canary-connection', {
    type: 'connection.opened',
    deviceId: 'canary-device',
    role: 'client',
    scopes: ['operator.read'],
    subscribe: ['canary-topic'],
    resumeFrom: null,
  })
  const closed = { type: 'connection.closed', code: 1000, reason: 'canary close reason' }
  await tell('connection:canary-connection', closed)
  const evidence = {
    address: '10.66.77.88',
    origin: 'http://canary',
    forwarded: false,
    secret: 'none',
  }
  await tell('pairing:canary-device', { ...approved('canary-device'), evidence })
  const erased = { type: 'history.erased', scope: `subject:irc:${ZORA}`, bodies: 1 }
  await tell('gateway:main', { ...erased, reason: 'canary reason', by: 'canary-device' })
  await tell('config:main', {
    type: 'config.proposed',
    change: 'canary-change',
    via: 'patch',
    by: 'canary-device',
    base: 'canary-base',
    hash: 'canary-hash',
    before: 'b:00000000000000000001',
    after: 'b:00000000000000000002',
    paths: 1,
    hot: true,
    delayMs: 0,
    wake: null,
    note: 'canary configuration text',
  })
  return store
}

const note = {
  address: 'note:canary',
  position: 3,
  text: `${ZORA} asked for it: canary@example.org`,
  author: 'canary-author',
  at: 1,
  command: `openclaw incident note '#3' '${ZORA} asked for it: canary@example.org'`,
}

const store = await plant()
const cut = (changes: Partial<ExportOptions> = {}): Bundle =>
  readBundle(
    writeBundle(
      cutBundle(store, {
        id: 'inc-1',
        title: `what ${ZORA} saw`,
        severity: 3,
        notes: [note],
        from: 1,
        to: store.head().position,
        tier: 'skeleton',
        actors: null,
        code: TEST_CODE,
        tool: '0.1.0',
        madeAt: 0,
        pseudonymKey: key(1),
        codeOf: () => Buffer.from('the code itself'),
        ...changes,
      }),
    ),
  )

/** Everything that a value says, its keys and bytes too. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].map(textOf).join('\n')
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, member]) => `${name}\n${textOf(member)}`)
    .join('\n')
}

const saysOf = ({ manifest, segment, chain, bodies, notes, code, proofs }: Bundle): string =>
  textOf({ manifest, segment, chain, bodies, notes, code, proofs })

test('IF10 no canary is in a skeleton or a masked file, exported or redacted', () => {
  const full = cut({ tier: 'full' })
  assert.ok((saysOf(full).match(new RegExp(CANARY, 'gi')) ?? []).length > 100)

  const lowered = {
    skeleton: cut(),
    masked: cut({ tier: 'masked' }),
    some: cut({ actors: [`session:agent:main:irc:direct:*canary*`, 'channel:*'] }),
    redacted: readBundle(writeBundle(redactBundle(full, 'skeleton', key(2)))),
    twice: readBundle(writeBundle(redactBundle(cut({ tier: 'masked' }), 'skeleton', key(3)))),
  }

  for (const [name, read] of Object.entries(lowered)) {
    const found = CANARY.exec(saysOf(read))
    const said = saysOf(read)
    const around = found === null ? '' : said.slice(Math.max(0, found.index - 60), found.index + 30)
    assert.is(found, null, `${name}: ${around}`)
    assert.equal([read.manifest.names, read.proofs], ['pseudonyms', null])
  }
})

test('IF10 a file under pseudonyms is whole in itself and replays like the one with names', () => {
  const full = verifyBundle(cut({ tier: 'full' }), { code: TEST_CODE })
  for (const tier of ['skeleton', 'masked'] as const) {
    const read = cut({ tier })
    const report = verifyBundle(read, { code: TEST_CODE })
    const replayed = replayRange(read.history, ourCode(), { from: 1, to: read.history.head() })

    assert.equal([report.faults, report.pseudonyms], [[], true])
    assert.equal(report.stateHashes, full.stateHashes)
    assert.equal(report.chain, full.chain)
    assert.equal([replayed.first, replayed.same], [null, replayed.records])
  }
})

test('IF10 one person has one pseudonym, in streams too; another file has others', () => {
  const { segment } = cut()
  const messages = segment.records.filter(({ event }) => event.type === 'message.received')
  const [first, second, third] = messages.map(({ event }) => event)
  const session = streamId('session', String(first?.['sessionKey']))
  const folded = foldStream(cut().history, kinds, session)

  assert.match(String(first?.['senderId']), /^p-[0-9a-f]{12}$/)
  assert.equal(first?.['senderId'], second?.['senderId'])
  assert.is.not(first?.['roomId'], third?.['roomId'])
  assert.match(session, `direct:${String(first?.['senderId'])}`)
  assert.is(folded.version > 0, true)
  const other = cut({ pseudonymKey: key(9) }).segment.records
  assert.is.not(
    other.find(({ event }) => event.type === 'message.received')?.event['senderId'],
    first?.['senderId'],
  )
})

test('IF10 hashes by which a name could be tried out are not in the file', () => {
  const full = cut({ tier: 'full' })
  const read = cut()
  const hashes = new Set(full.chain.records.map(({ hash }) => Buffer.from(hash).toString('hex')))
  const states = new Set(full.segment.records.map(({ stateHash }) => stateHash))
  const shared = read.segment.records.filter(({ stateHash }) => states.has(stateHash))

  for (const { hash, previousHash } of read.chain.records) {
    assert.not(hashes.has(Buffer.from(hash).toString('hex')))
    assert.not(hashes.has(Buffer.from(previousHash).toString('hex')))
  }
  assert.not(hashes.has(read.manifest.head.hash))
  // What is left the same says nothing of anybody: states without a text in them.
  for (const { stream, stateHash } of shared) {
    const was = full.segment.records.find((record) => record.stateHash === stateHash)!
    const { snapshot } = foldStream(full.history, kinds, was.stream, { upToVersion: was.version })
    assert.not.match(textOf(snapshot.context), CANARY, stream)
  }
})

test('IF10 texts of a masked file keep what is nobody in particular', () => {
  const masked = cut({ tier: 'masked' })
  const texts = [...masked.bodies.values()].map(({ bytes }) => Buffer.from(bytes).toString())

  assert.ok(
    texts.some((text) => /^I am \*{11} from \*{12}, call \*+$/.test(text)),
    texts.join('|'),
  )
  assert.ok(
    [...masked.bodies.values()].every(({ salt, masked: isMasked }) => salt === null && isMasked),
  )
  assert.match(masked.notes[0]?.address ?? '', /^#3$/)
})

test('IF10 random traffic folds the same under pseudonyms', async () => {
  for (const seed of [1, 2, 3]) {
    const random = await recordRandom(seed)
    const to = random.head().position
    const options = { from: 1, to, id: 'r', title: 'r', severity: 1, notes: [], actors: null }
    const parts = cutBundle(random, {
      ...options,
      tier: 'skeleton',
      code: TEST_CODE,
      tool: '1',
      madeAt: 0,
      pseudonymKey: key(seed),
    })
    const read = readBundle(writeBundle(parts))
    const { first, same, records } = replayRange(read.history, ourCode(), { from: 1, to })

    assert.equal([first, same], [null, records], `seed ${seed}`)
    assert.equal(verifyBundle(read, { code: TEST_CODE }).faults, [])
  }
})

test('IF10 with names kept a file is byte for byte of the journal; a changed one is told', async () => {
  const { pseudonymKey: _, ...kept } = { pseudonymKey: key(1), tier: 'skeleton' as const }
  const parts = cutBundle(store, {
    id: 'inc-1',
    title: 't',
    severity: 3,
    notes: [],
    from: 1,
    to: store.head().position,
    actors: null,
    code: TEST_CODE,
    tool: '1',
    madeAt: 0,
    ...kept,
  })
  assert.equal(parts.chain.records.at(-1)?.hash, store.head().hash)

  const read = cut()
  const { streams } = read.manifest
  const swapped = streams.map(([number, name]): [number, string] => [
    number,
    name.startsWith('session:') ? 'session:agent:main:other' : name,
  ])
  const forged = readBundle(
    writeBundle({ ...read, manifest: { ...read.manifest, streams: swapped } }),
  )
  assert.ok(verifyBundle(forged, { code: TEST_CODE }).faults.length > 0)
  await refusal(() => redactBundle(read, 'full', key(1)), 'USAGE')
})

test('IF10 what machines say by themselves they say under pseudonyms too', () => {
  const names = new Pseudonyms(key(5))
  const cover = (event: JournalEvent) => names.value(event) as JournalEvent
  const route = { channel: 'irc', target: 'Ann' }
  const plan = { fallbacks: [], callsMax: 9 }
  const queue = { mode: 'followup', debounceMs: 0, cap: 1, drop: 'old' }
  const said = (runId: string) => accepted(runId, { ...route, route, plan, queue })
  const ended = { status: 'failed', fault: 'budget', ref: '', inputTokens: 0, outputTokens: 0 }
  const written = (value: string | null, name = 'queue', known = false) =>
    received('m1', { directive: { name, value, known }, queue })
  const head = { runId: 'r1', sessionKey: 'agent:main:main', model: 'a/b', thinking: 'off', plan }
  const asked = { channel: 'irc', room: null, sender: 'Ann', at: 0 }
  const request = { type: 'run.requested', ...head, asked }
  const outcome = { effect: '1.e0', name: 'model.call', attempt: 1 }
  const calls = [{ callId: 'call_1', name: 'exec', ref: 'b:00ff' }]
  const wish = { ...outcome, type: 'effect.done', ref: 'b:00ee', inputTokens: 1, outputTokens: 1 }
  const enabled = { type: 'channel.enabled', channel: 'irc', policy: OPEN }
  const scenes: readonly (readonly [StreamKind, JournalEvent[], JournalEvent])[] = [
    ['session', [said('r1')], { type: 'run.finished', runId: 'r1', ...ended }],
    ['session', [said('r1'), said('r2')], said('r3')],
    ['channel', [enabled], written('loud')],
    ['channel', [enabled], written('off', 'think', true)],
    ['channel', [enabled], received('m1', { pending: 9, queue: { ...queue, drop: 'new' } })],
    ['run', [request, { ...wish, calls }], { type: 'run.aborted', by: 'Ann' }],
    ['run', [{ ...request, plan: { ...plan, callsMax: 1 } }], { ...wish, calls }],
  ]

  for (const [kind, before, event] of scenes) {
    const { sends } = given(kind, before).when(event)
    const under = given(kind, before.map(cover)).when(cover(event))
    assert.ok(sends.length > 0, event.type)
    const covered = sends.map((send) => ({ to: names.stream(send.to), event: cover(send.event) }))
    assert.equal(under.sends, covered)
  }
})

test('IF10 pseudonyms leave words, refs and addresses alone, and cover words, not syllables', () => {
  const names = new Pseudonyms(key(4))

  for (const text of ['direct', 'b:00ff', '12.e0', '', '*']) assert.is(names.text(text), text)
  assert.is(names.text('reply-x'), `reply-${names.text('x')}`)
  assert.is(names.cause('boot:3'), 'boot:3')
  assert.is(names.cause('12.s0'), '12.s0')
  assert.match(names.cause('ext:irc:Ann'), /^ext:irc:p-[0-9a-f]{12}$/)
  assert.is(names.sessionKey('agent:main:main'), 'agent:main:main')
  assert.match(names.stream('oracle:delphi'), /^oracle:p-/)
  for (const kind of STREAM_KINDS) {
    const stream = `${kind}:Ann`
    assert.is(names.value(stream), names.stream(stream), 'a stream is the same one as a fact')
  }
  assert.equal(names.value({ rooms: { home: 1 }, n: 2, b: new Uint8Array(2) }), {
    rooms: { [names.text('home')]: 1 },
    n: 2,
    b: new Uint8Array(2),
  })
  assert.is(coverOf(['ann'])('Ann, annex and (ann)'), '***, annex and (***)')
  assert.is(coverOf(['an', 'a.b'])('an a.b'), 'an ***')
})

test.run()
