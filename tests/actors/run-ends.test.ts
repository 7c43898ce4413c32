/** Who waits for the end of a run: from committed records, for a time, and not too many. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { draftText } from '../../actors/bodies.ts'
import { type RunEnd, RunEnds } from '../../actors/run-ends.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { settle } from '../support/clock.ts'
import { accepted } from '../support/facts.ts'
import { openTestKernel, type TestKernel } from '../support/kernel.ts'

const test = cases('run ends')

const KEY = 'agent:main:main'
const SESSION: StreamId = `session:${KEY}`

interface Waiting extends TestKernel {
  readonly ends: RunEnds
}

function open(): Waiting {
  const house = openTestKernel()
  const { kernel, store, services } = house
  const ends = new RunEnds({ store, work: kernel.work, services })
  kernel.listen((record) => ends.committed(record))
  return { ...house, ends }
}

async function answer({ given, services }: Waiting, text: string): Promise<void> {
  const body = draftText(services.chance, text)
  const facts = { ref: body.ref, inputTokens: 3, outputTokens: 4 }
  given.at(-1)?.answer({ type: 'effect.done', facts, bodies: [body] })
  await settle()
}

const aborted = { type: 'session.aborted', sessionKey: KEY, runId: null, by: 'd' }

test('RE1 all who wait hear of one end, and who comes later reads the same', async () => {
  const house = open()
  await house.tell(SESSION, accepted('r1'))
  await settle()
  const waiting = [house.ends.wait('r1', 1_000), house.ends.wait('r1', 2_000)]
  await answer(house, 'hello')

  const [first, second] = await Promise.all(waiting)
  const late = await house.ends.wait('r1', 0)

  const plain = ({ status, text, usage }: RunEnd) => [status, text, usage]
  assert.equal(first, second)
  assert.equal(plain(late), ['ok', 'hello', { inputTokens: 3, outputTokens: 4 }])
  assert.equal(plain(first as RunEnd), plain(late))
})

test('RE2 who has waited long enough is told so, and the run goes on', async () => {
  const house = open()
  await house.tell(SESSION, accepted('r1'))
  await settle()
  const waiting = house.ends.wait('r1', 5_000)

  await house.services.clock.advance(5_000)

  const { status, endedAt } = await waiting
  assert.equal([status, endedAt], ['timeout', null])
  await answer(house, 'hello')
  assert.is((await house.ends.wait('r1', 0)).status, 'ok')
})

test('RE3 a run that was queued and let go never started', async () => {
  const house = open()
  await house.tell(SESSION, accepted('r1'))
  await house.tell(SESSION, accepted('r2'))
  const waiting = house.ends.wait('r2', 1_000)
  await house.tell(SESSION, aborted)
  await settle()

  const end = await waiting
  const late = await house.ends.wait('r2', 0)

  assert.equal([end.status, end.startedAt], ['aborted', null])
  assert.equal([late.status, late.startedAt], ['aborted', null])
})

test('RE4 a run whose answer came too late is aborted for good', async () => {
  const house = open()
  await house.tell(SESSION, accepted('r1'))
  await settle()
  const done = {
    type: 'effect.done',
    effect: house.given.at(-1)?.context.address,
    name: 'model.call',
    attempt: 1,
    ref: 'b:late',
    inputTokens: 1,
    outputTokens: 1,
  }

  const [answered] = await Promise.all([house.tell('run:r1', done), house.tell(SESSION, aborted)])
  await settle()

  assert.is(answered.value, 'done')
  const late = house.records().find(({ event }) => event.type === 'run.finished')
  assert.is.not(late?.ignored, null)
  assert.is((await house.ends.wait('r1', 0)).status, 'aborted')
})

test('RE5 more than so many who wait are told to come again', async () => {
  const house = open()
  await house.tell(SESSION, accepted('r1'))
  const waiting = Array.from({ length: limits.runWaitersMax }, () => house.ends.wait('r1', 1_000))

  const refused: unknown = await house.ends.wait('r1', 1_000).catch((error: unknown) => error)

  assert.ok(refused instanceof GatewayError && refused.code === 'UNAVAILABLE')
  await house.tell(SESSION, aborted)
  await Promise.all(waiting)
  assert.is((await house.ends.wait('r1', 1_000)).status, 'aborted')
})

test.run()
