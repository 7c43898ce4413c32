/** A talk on IRC over a test kernel: two people write, and are answered. */
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { body } from '../store/contract.ts'
import { settle } from './clock.ts'
import { directFrom, received } from './facts.ts'
import { openTestKernel, type TestKernel } from './kernel.ts'

/** A message on IRC, answered, and the answer delivered. Refs are of the texts given. */
async function converse(house: TestKernel, sender: string, n: number): Promise<void> {
  const { kernel, given } = house
  const asked = body(`${sender} asks ${n}`, n)
  const answer = body(`answer to ${sender} ${n}`, n)
  const wrote = { ...directFrom(sender), ref: asked.ref, bytes: 9 }
  const event = received(`m${n}`, { ...wrote, runId: `r${n}` })
  const correlationId = String(n).padStart(32, '0')
  const message = { event, cause: `ext:irc:m${n}`, correlationId, bodies: [asked] }
  await kernel.registry.deliver('channel:irc', message)
  await settle()
  const facts = { ref: answer.ref, inputTokens: 1, outputTokens: 1 }
  given
    .find(({ name, params }) => name === 'model.call' && params['runId'] === `r${n}`)!
    .answer({
      type: 'effect.done',
      facts,
      bodies: [answer],
    })
  await settle()
  given
    .find(({ name, params }) => name === 'message.deliver' && params['ref'] === answer.ref)!
    .answer({ type: 'effect.done', facts: { messageId: null } })
  await settle()
}

/** Ann asks twice and bob once. */
export async function openTalk(): Promise<TestKernel> {
  const house = openTestKernel()
  const policy = { dmPolicy: 'open', allowFrom: [], groupPolicy: 'open', rooms: {} }
  await house.tell('channel:irc', { type: 'channel.enabled', channel: 'irc', policy })
  await converse(house, 'ann', 1)
  await converse(house, 'bob', 2)
  await converse(house, 'ann', 3)
  return house
}

/** Appends the record of an erasure. */
export const tellIn =
  ({ tell }: TestKernel) =>
  (event: JournalEvent): Promise<JournalRecord> =>
    tell('gateway:main', event)

/** The refs of what was asked and answered, in order of their names. */
export const textsOf = (...numbers: readonly [string, number][]): string[] =>
  numbers
    .flatMap(([who, n]) => [body(`${who} asks ${n}`, n).ref, body(`answer to ${who} ${n}`, n).ref])
    .toSorted()
