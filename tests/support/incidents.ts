/** Two stories that went wrong, told to a kernel in memory: what incident files are cut from. */
import { cutBundle, type ExportOptions } from '../../actors/bundle-export.ts'
import { type BundleParts } from '../../actors/bundle.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { BodyDraft, Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { body } from '../store/contract.ts'
import { openFakeClock } from './clock.ts'
import { directFrom, received } from './facts.ts'
import { openTestKernel, type TestKernel } from './kernel.ts'
import { openTestServices } from './services.ts'
import { until } from './wait.ts'

/** The identity that the stories' records carry: no code of today has it. */
export const STORY_CODE = '0123456789abcdef'

const IRC: StreamId = 'channel:irc'
const CORRELATION = '5b0c5b0c5b0c5b0c5b0c5b0c5b0c5b0c'
export const NOON = Date.UTC(2026, 10, 22, 10, 30)

/** A story's journal, and the range of what went wrong in it. */
export interface Story {
  readonly store: Store
  readonly from: number
  readonly to: number
}

function openStory(
  store: Store,
  policy: Record<string, unknown>,
): {
  house: TestKernel
  boot: () => Promise<void>
} {
  const services = openTestServices(openFakeClock(NOON))
  const house = openTestKernel({ store, services, code: STORY_CODE })
  const boot = async (): Promise<void> => {
    await house.tell('gateway:main', { type: 'gateway.booted', epoch: 1, version: '0.1.0' })
    await house.tell(IRC, { type: 'channel.enabled', channel: 'irc', policy })
    await until(() => house.given.length === 1, 'the opening of the channel')
    house.given[0]?.answer({ type: 'effect.done', facts: {} })
    await until(() => house.kernel.registry.snapshot(IRC).value === 'online', 'the channel online')
  }
  return { house, boot }
}

function isDelivery({ kernel }: TestKernel, messageId: string, value: string): boolean {
  return kernel.registry.snapshot(`delivery:reply-run-${messageId}`).value === value
}

async function hear(
  { kernel }: TestKernel,
  messageId: string,
  senderId: string,
  text: BodyDraft,
): Promise<void> {
  const wrote = { ...directFrom(senderId), ref: text.ref, bytes: text.bytes.length }
  const event = received(messageId, { ...wrote, mentioned: false })
  const cause = `ext:irc:${messageId}`
  await kernel.registry.deliver(IRC, { event, cause, correlationId: CORRELATION, bodies: [text] })
}

/** A reply never came: the process died while the message was being delivered. */
export async function replyLost(store: Store = openMemory()): Promise<Story> {
  const { house, boot } = openStory(store, {
    dmPolicy: 'open',
    allowFrom: ['*'],
    groupPolicy: 'disabled',
    rooms: {},
  })
  const { services, given } = house
  await boot()
  await services.clock.advance(30_000)
  const from = store.head().position + 1
  await hear(house, '502', 'ann', body('when do you call? +49 171 2345678', 2))
  await until(() => given.length === 2, 'the call for 502')
  await services.clock.advance(2_360)
  const answer = body('I mailed it to ann@example.org, password: hunter2xyz', 3)
  const facts = { ref: answer.ref, inputTokens: 180, outputTokens: 9 }
  given[1]?.answer({ type: 'effect.done', facts, bodies: [answer] })
  // The delivery is marked as started, and never ends.
  await until(() => given.length === 3, 'the delivery to 502')
  await services.clock.advance(138)

  const after = openTestKernel({
    store: { ...store, epoch: () => 2 },
    services: openTestServices(services.clock),
    code: STORY_CODE,
  })
  await after.tell('gateway:main', { type: 'gateway.booted', epoch: 2, version: '0.1.0' })
  await after.kernel.recover('boot:2')
  await until(() => isDelivery(after, '502', 'uncertain'), 'the loss of the delivery to 502')
  await after.services.clock.advance(62_500)
  await hear(after, '503', 'ann', body('are you there?', 4))
  await until(() => after.given.length === 1, 'the call for 503')
  await after.services.clock.advance(900)
  const late = body('Here I am.', 5)
  const lateFacts = { ref: late.ref, inputTokens: 190, outputTokens: 4 }
  after.given[0]?.answer({ type: 'effect.done', facts: lateFacts, bodies: [late] })
  await until(() => after.given.length === 2, 'the delivery to 503')
  after.given[1]?.answer({ type: 'effect.done', facts: { messageId: 'm-1' } })
  await until(() => isDelivery(after, '503', 'sent'), 'the end of the delivery to 503')
  return { store, from, to: store.head().position }
}

/** A message was refused: its sender is not on the list. */
export async function messageRefused(store: Store = openMemory()): Promise<Story> {
  const { house, boot } = openStory(store, {
    dmPolicy: 'allowlist',
    allowFrom: ['ann'],
    groupPolicy: 'disabled',
    rooms: {},
  })
  const { services, given } = house
  await boot()
  const from = 1
  await services.clock.advance(5_000)
  await hear(house, '600', 'bob', body('please pay to DE89 3704 0044 0532 0130 00', 6))
  await services.clock.advance(5_000)
  await hear(house, '601', 'ann', body('hello', 7))
  await until(() => given.length === 2, 'the call for 601')
  given[1]?.answer({ type: 'effect.failed', class: 'auth', retryable: false })
  await until(() => house.records().at(-1)?.event.type === 'run.finished', 'the end of the run')
  return { store, from, to: store.head().position }
}

/** Cuts a story into an incident file. */
export function bundleOf(story: Story, changes: Partial<ExportOptions> = {}): BundleParts {
  return cutBundle(story.store, {
    id: 'inc-1',
    title: 'a story',
    severity: 3,
    notes: [],
    from: story.from,
    to: story.to,
    tier: 'full',
    actors: null,
    code: STORY_CODE,
    tool: '0.1.0',
    madeAt: NOON + 3_600_000,
    ...changes,
  })
}
