/** Transcripts: what a page holds when texts are erased, records pruned, and pages large. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { draftText } from '../../actors/bodies.ts'
import {
  messageAdded,
  readTranscript,
  type Transcript,
  type TranscriptMessage,
  type TranscriptRequest,
} from '../../actors/transcript.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { sessionIdOf } from '../../protocol/session-id.ts'
import { cases } from '../store/cases.ts'
import { accepted } from '../support/facts.ts'
import { openTestKernel, type TestKernel } from '../support/kernel.ts'

const test = cases('transcript')

const KEY = 'agent:main:main'
const SESSION: StreamId = `session:${KEY}`

const read = (
  { kernel: { registry }, store }: TestKernel,
  more: Partial<TranscriptRequest> = {},
): Promise<Transcript> =>
  readTranscript({ registry, store, inFlight: () => null }, { key: KEY, ...more })

/** A message of the agent's: the shortest way to one message a record. */
async function say({ kernel, services }: TestKernel, text: string): Promise<string> {
  const body = draftText(services.chance, text)
  const event = { type: 'message.filed', sessionKey: KEY, deliveryId: 'd', ref: body.ref }
  const cause = { cause: 'ext:test', correlationId: '00' }
  await kernel.registry.deliver(SESSION, { event, ...cause, bodies: [body] })
  return body.ref
}

const renewed = (type: 'session.reset' | 'session.deleted', generation: number) => {
  return { type, sessionKey: KEY, generation, reason: 'reset', by: 'd' }
}
const textsIn = ({ messages }: Transcript): string[] => messages.map(({ text }) => text)

test('TR1 a session without a record has no message and wakes nobody', async () => {
  const house = openTestKernel()

  const { messages, total, hasMore, inFlight, sessionId } = await read(house)

  assert.equal([messages, total, hasMore, inFlight], [[], 0, false, null])
  assert.equal([sessionId, house.kernel.registry.awake], [sessionIdOf(KEY, 0), 0])
})

test('TR2 an erased text is told as such and costs its neighbours nothing', async () => {
  const house = openTestKernel()
  const ref = await say(house, 'secret')
  await say(house, 'plain')

  await house.store.erase([ref])

  assert.equal(textsIn(await read(house)), ['[erased]', 'plain'])
})

test('TR3 a text that was never written costs itself only', async () => {
  const house = openTestKernel()
  await house.tell(SESSION, accepted('r1'))
  await say(house, 'plain')

  const { messages } = await read(house)

  assert.equal(
    messages.map(({ text, fault }) => [text, fault]),
    [
      ['', 'NOT_FOUND'],
      ['plain', undefined],
    ],
  )
})

test('TR4 what was compacted away ends the pages; numbers stay what they were', async () => {
  const house = openTestKernel()
  for (const text of ['a', 'b', 'c']) await say(house, text)
  await house.kernel.compact(SESSION)
  await say(house, 'd')

  const { messages, total, hasMore } = await read(house)

  assert.equal(
    messages.map(({ seq, text }) => [seq, text]),
    [
      [3, 'c'],
      [4, 'd'],
    ],
  )
  assert.equal([total, hasMore], [4, false])
})

test('TR5 a page ends early where its texts are large, and the next goes on there', async () => {
  const house = openTestKernel()
  const large = 'x'.repeat(limits.transcriptCharsMax / 2)
  for (let n = 0; n < 5; n += 1) await say(house, large)

  const first = await read(house)
  const second = await read(house, { before: first.nextBefore })

  assert.equal(
    [first, second].map(({ messages }) => messages.map(({ seq }) => seq)),
    [
      [4, 5],
      [2, 3],
    ],
  )
})

test('TR6 each generation has its own messages, also one without any', async () => {
  const house = openTestKernel()
  await say(house, 'first')
  await house.tell(SESSION, renewed('session.reset', 1))
  await house.tell(SESSION, renewed('session.reset', 2))
  await say(house, 'third')
  await house.tell(SESSION, renewed('session.deleted', 3))

  const pages = await Promise.all(
    [0, 1, 2, 3].map((generation) => read(house, { sessionId: sessionIdOf(KEY, generation) })),
  )

  assert.equal(pages.map(textsIn), [['first'], [], ['third'], []])
  assert.equal(
    pages.map(({ total }) => total),
    [1, 0, 1, 0],
  )
})

test('TR7 a long page lets others have their turn', async () => {
  const house = openTestKernel()
  const count = 2 * limits.transcriptSliceRecords
  await Promise.all(Array.from({ length: count }, (_, n) => say(house, `m${n}`)))
  let turns = 0
  let reading = true
  const countTurns = (): void => {
    turns += 1
    if (reading) setImmediate(countTurns)
  }
  setImmediate(countTurns)

  const page = await read(house, { limit: limits.transcriptPageMax })
  reading = false

  assert.is(page.messages.length, count)
  assert.ok(turns >= 1)
})

test('TR8 pages are of at most so many messages, whatever is asked', async () => {
  const house = openTestKernel()
  const count = limits.transcriptPageMax + 1
  await Promise.all(Array.from({ length: count }, () => say(house, 'm')))

  const page = await read(house, { limit: count })

  assert.equal([page.messages.length, page.hasMore], [limits.transcriptPageMax, true])
  assert.is((await read(house)).messages.length, limits.transcriptPageDefault)
})

test('TR9 a record that adds a message is that of the transcript, as it is added', async () => {
  const house = openTestKernel()
  const { kernel, store } = house
  const told: (TranscriptMessage | null)[] = []
  kernel.listen((record) => told.push(messageAdded({ store, work: kernel.work }, record)))
  await say(house, 'a')
  await house.tell(SESSION, renewed('session.reset', 1))
  await say(house, 'b')
  await say(house, 'c')

  const { messages } = await read(house)

  assert.equal(
    told.map((message) => message?.text ?? null),
    ['a', null, 'b', 'c'],
  )
  assert.equal(told.slice(2), messages)
})

test.run()
