/** Two stories that went wrong, told to a kernel in memory: what incident files are cut from. */
import { cutBundle, type ExportOptions } from '../../actors/bundle-export.ts'
import { type BundleParts } from '../../actors/bundle.ts'
import { bodyRef } from '../../protocol/codec.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import type { BodyDraft, Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { openFakeClock, settle } from './clock.ts'
import { openTestKernel, type TestKernel } from './kernel.ts'
import { openTestServices } from './services.ts'

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

function body(text: string, seed: number): BodyDraft {
  const salt = new Uint8Array(16).fill(seed)
  const bytes = new TextEncoder().encode(text)
  return { ref: bodyRef(salt, bytes), salt, bytes }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await settle(1)
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
    await until(() => house.given.length === 1)
    house.given[0]?.answer({ type: 'effect.done', facts: {} })
    await until(() => house.kernel.registry.snapshot(IRC).value === 'online')
  }
  return { house, boot }
}

function received(messageId: string, senderId: string, text: BodyDraft): JournalEvent {
  return {
    type: 'message.received',
    channel: 'irc',
    messageId,
    peer: 'direct',
    senderId,
    roomId: senderId,
    target: senderId,
    mentioned: false,
    ref: text.ref,
    bytes: text.bytes.length,
    sessionKey: `agent:main:irc:direct:${senderId}`,
    pending: 0,
    runId: `run-${messageId}`,
    model: 'echo',
    thinking: 'off',
    messagesMax: 400,
  }
}

function deliveryOf(messageId: string): StreamId {
  return `delivery:reply-run-${messageId}`
}

async function hear(
  { kernel }: TestKernel,
  messageId: string,
  senderId: string,
  text: BodyDraft,
): Promise<void> {
  const event = received(messageId, senderId, text)
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
  await until(() => given.length === 2)
  await services.clock.advance(2_360)
  const answer = body('I mailed it to ann@example.org, password: hunter2xyz', 3)
  const facts = { ref: answer.ref, inputTokens: 180, outputTokens: 9 }
  given[1]?.answer({ type: 'effect.done', facts, bodies: [answer] })
  await until(() => given.length === 3) // The delivery is marked as started, and never ends.
  await services.clock.advance(138)

  const after = openTestKernel({
    store: { ...store, epoch: () => 2 },
    services: openTestServices(services.clock),
    code: STORY_CODE,
  })
  await after.tell('gateway:main', { type: 'gateway.booted', epoch: 2, version: '0.1.0' })
  await after.kernel.recover('boot:2')
  await until(() => after.kernel.registry.snapshot(deliveryOf('502')).value === 'uncertain')
  await after.services.clock.advance(62_500)
  await hear(after, '503', 'ann', body('are you there?', 4))
  await until(() => after.given.length === 1)
  await after.services.clock.advance(900)
  const late = body('Here I am.', 5)
  const lateFacts = { ref: late.ref, inputTokens: 190, outputTokens: 4 }
  after.given[0]?.answer({ type: 'effect.done', facts: lateFacts, bodies: [late] })
  await until(() => after.given.length === 2)
  after.given[1]?.answer({ type: 'effect.done', facts: { messageId: 'm-1' } })
  await until(() => after.kernel.registry.snapshot(deliveryOf('503')).value === 'sent')
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
  await until(() => given.length === 2)
  given[1]?.answer({ type: 'effect.failed', class: 'auth', retryable: false })
  await until(() => house.records().at(-1)?.event.type === 'run.finished')
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
