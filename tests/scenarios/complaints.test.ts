/**
 * What users of such gateways complain of, as people in a channel would see it: messages that were
 * dropped, answers that were lost, doubled, late, or somewhere else. Rows of the design's list of
 * complaints; the other rows are held where their nouns are (`tests/README.md`).
 */
import * as assert from 'uvu/assert'
import { readText } from '../../actors/bodies.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { boot, type House, open, openHouse } from '../support/channel-house.ts'
import { settle } from '../support/clock.ts'
import { readRecords } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'

const test = cases('complaints')

const ANN = { senderId: 'ann', roomId: 'ann', replyTarget: 'Ann' }
const BEN = { senderId: 'ben', roomId: 'ben', replyTarget: 'Ben' }

interface Lives {
  readonly begin: () => Promise<House>
  readonly line: { up: boolean } // whether the channel's link comes up
}

/** Lives over one journal; each ends as `crash` says. */
function lives(): Lives {
  const store = openMemory()
  const services = openTestServices()
  const line = { up: true }
  let epoch = 0
  const begin = async (): Promise<House> => {
    const opened = (): Promise<void> =>
      line.up ? Promise.resolve() : Promise.reject(new Error('no line'))
    const house = openHouse(store, opened, open, { services })
    epoch += 1
    await boot(house, epoch)
    return house
  }
  return { begin, line }
}

/** Ends a life with all that it has in hand; no checkpoint is written. */
function crash({ kernel }: House): void {
  kernel.outbox.stop()
}

async function say(house: House, text: string, who: object = ANN): Promise<void> {
  await house.hear({ messageId: `m-${text}`, text, ...who })
  await settle()
}

async function answer({ calls }: House, text: string): Promise<void> {
  calls.shift()?.answer(text)
  await settle()
}

function ends({ kernel }: House): string[] {
  return readRecords(kernel.store)
    .filter(({ event }) => event.type === 'message.accepted')
    .map(({ event }) => String(kernel.registry.snapshot(`run:${String(event['runId'])}`).value))
}

/** What was said, and to whom. */
function answers({ kernel: { store } }: House): string[] {
  return readRecords(store)
    .filter(({ event }) => event.type === 'delivery.requested' && event['ref'] !== '')
    .map(({ event }) => `${String(event['target'])}: ${readText(store, String(event['ref']))}`)
}

test('PR1 PR2 what runs and what waits is answered behind a crash, once, and at once', async () => {
  const { begin } = lives()
  const first = await begin()
  for (const text of ['one', 'two', 'three']) await say(first, text)
  assert.equal([first.calls.length, ends(first)], [1, ['calling', 'new', 'new']])
  crash(first)

  const second = await begin()
  const at = second.services.clock.now()
  assert.is(second.calls.length, 1)
  await answer(second, 'to all three')

  assert.equal(second.delivered, ['to all three'])
  assert.equal(ends(second), ['done', 'merged', 'merged'])
  assert.is(second.services.clock.now(), at, 'no time-out has to pass')
})

test('PR1 a message that the platform brings again is answered once', async () => {
  const { begin } = lives()
  const first = await begin()
  await say(first, 'one')
  crash(first)
  const second = await begin()
  await say(second, 'one')
  await answer(second, 'here')

  assert.equal([second.calls.length, second.delivered, ends(second)], [0, ['here'], ['done']])
})

test('PR3 PR5 an answer that could not leave is sent by the next life, and by none after it', async () => {
  const { begin, line } = lives()
  const first = await begin()
  await say(first, 'one')
  line.up = false
  for (const host of first.hosts) host.dropped('gone')
  await answer(first, 'the answer')
  assert.equal(first.delivered, [])
  crash(first)

  line.up = true
  const second = await begin()
  crash(second)
  const third = await begin()

  assert.equal([second.delivered, second.calls.length], [['the answer'], 0])
  assert.equal([third.delivered, third.calls.length], [[], 0])
})

test('PR14 a run that hangs is let go by /stop, and the session is free at once', async () => {
  const { begin } = lives()
  const house = await begin()
  await say(house, 'hang')
  await say(house, '/stop')
  await say(house, 'next')
  const [, next] = house.calls

  next?.answer('here')
  await settle()

  assert.equal(ends(house), ['aborted', 'done'])
  assert.is(house.delivered.at(-1), 'here')
})

test('PR17 a run that is taken up again and a new message make one run at a time', async () => {
  const { begin } = lives()
  const first = await begin()
  await say(first, 'one')
  crash(first)
  const second = await begin()
  await say(second, 'two')

  assert.is(second.calls.length, 1)
  await answer(second, 'to one')
  assert.is(second.calls.length, 1)
  await answer(second, 'to two')

  assert.equal(
    [second.delivered, ends(second)],
    [
      ['to one', 'to two'],
      ['done', 'done'],
    ],
  )
})

test('PR19 what a run says behind /stop is posted nowhere, also by the next life', async () => {
  const { begin } = lives()
  const first = await begin()
  await say(first, 'one')
  await say(first, '/stop')
  await answer(first, 'too late')
  crash(first)
  const second = await begin()

  assert.equal([answers(first), second.calls.length, ends(second)], [[], 0, ['aborted']])
})

test('PR29 in one session each is answered where they asked, also behind a crash', async () => {
  const { begin } = lives()
  const first = await begin()
  await say(first, 'one')
  await say(first, 'two', BEN)
  await say(first, 'three')
  crash(first)
  const second = await begin()
  for (const text of ['first', 'second', 'third']) await answer(second, text)

  assert.equal(answers(second), ['Ann: first', 'Ben: second'])
  assert.equal(ends(second), ['done', 'done', 'merged'])
  assert.equal(second.targets, ['Ann', 'Ben'], 'where it went, not only where it was to go')
})

test.run()
