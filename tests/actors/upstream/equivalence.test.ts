/**
 * One request in either dialect leaves the same records: whatever a person does, the journal tells
 * the same story, up to ids, causes and times.
 */
import '../../../actors/trap.ts'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { SCOPES } from '../../../protocol/auth/scopes.ts'
import type { Store } from '../../../store/contract.ts'
import { cases } from '../../store/cases.ts'
import type { Frame } from '../../support/client.ts'
import { KeyedDevice } from '../../support/device.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { readRecords } from '../../support/kernel.ts'
import { REMOTE } from '../../support/pairing.ts'
import { inUpstream } from '../../support/upstream-client.ts'
import { WITH_TOKEN } from '../../support/upstream.ts'

const equivalence = cases('equivalence')

const OWNER = new KeyedDevice()
const STRANGERS = [new KeyedDevice(), new KeyedDevice()] as const

type Key = 'main' | 'work' | 'agent:main:play'
type Wish =
  | {
      readonly do: 'talk'
      readonly by: 'chat.send' | 'agent'
      readonly key: Key
      readonly n: number
    }
  | { readonly do: 'send' }
  | { readonly do: 'create' | 'label'; readonly key: Key; readonly label: string }
  | { readonly do: 'think'; readonly key: Key; readonly level: 'low' | null }
  | { readonly do: 'flag'; readonly key: Key; readonly pinned: boolean; readonly archived: boolean }
  | { readonly do: 'reset' | 'delete' | 'abort'; readonly key: Key }
  | { readonly do: 'configure'; readonly maxMessages: number; readonly stale: boolean }
  | { readonly do: 'approve' | 'reject' | 'revoke' | 'rotate'; readonly who: 0 | 1 }

const key = fc.constantFrom<Key>('main', 'work', 'agent:main:play')
const label = fc.constantFrom('One', 'Two', '')
const who = fc.constantFrom<0 | 1>(0, 1)
const n = fc.integer({ min: 0, max: 2 }) // A number that comes again is a key that does.
const wish: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({
    do: fc.constant('talk' as const),
    by: fc.constantFrom('chat.send' as const, 'agent' as const),
    key,
    n,
  }),
  fc.constant({ do: 'send' as const }),
  fc.record({ do: fc.constantFrom('create' as const, 'label' as const), key, label }),
  fc.record({
    do: fc.constant('think' as const),
    key,
    level: fc.constantFrom('low' as const, null),
  }),
  fc.record({
    do: fc.constant('flag' as const),
    key,
    pinned: fc.boolean(),
    archived: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('reset' as const, 'delete' as const, 'abort' as const), key }),
  fc.record({
    do: fc.constant('configure' as const),
    maxMessages: fc.integer({ min: 10, max: 12 }),
    stale: fc.boolean(),
  }),
  fc.record({
    do: fc.constantFrom(
      'approve' as const,
      'reject' as const,
      'revoke' as const,
      'rotate' as const,
    ),
    who,
  }),
)

/** What a wish needs to know of the gateway that it is said to. */
interface Known {
  readonly hash: string
  readonly requestId: (who: 0 | 1) => string
}

type Request = readonly [method: string, params: Readonly<Record<string, unknown>>]

/** A wish in the specification's dialect, and in upstream's. */
function say(wanted: Wish, { hash, requestId }: Known): { seed: Request; upstream: Request } {
  const both = (method: string, params: object) => {
    const request: Request = [method, { ...params }]
    return { seed: request, upstream: request }
  }
  switch (wanted.do) {
    case 'talk': {
      const own = `key-${wanted.n}`
      const told = { message: `say ${wanted.n}`, sessionKey: wanted.key, idempotencyKey: own }
      const queue = wanted.by === 'agent' ? {} : { queueMode: 'configured' }
      return { seed: ['agent', { ...told, runKey: own, ...queue }], upstream: [wanted.by, told] }
    }
    case 'send': {
      const told = { channel: 'irc', message: 'hi', idempotencyKey: 's' }
      return {
        seed: ['send', { ...told, target: 'ann' }],
        upstream: ['send', { ...told, to: 'ann' }],
      }
    }
    case 'create':
      return both('sessions.create', { key: wanted.key, label: wanted.label })
    case 'label':
      return both('sessions.patch', { key: wanted.key, label: wanted.label || null })
    case 'think': {
      const { key: named, level } = wanted
      return {
        seed: ['sessions.patch', { key: named, thinking: level }],
        upstream: ['sessions.patch', { key: named, thinkingLevel: level }],
      }
    }
    case 'flag': {
      const { key: named, pinned, archived } = wanted
      return both('sessions.patch', { key: named, pinned, archived })
    }
    case 'reset':
    case 'delete':
    case 'abort':
      return both(`sessions.${wanted.do}`, { key: wanted.key })
    case 'configure': {
      const raw = JSON.stringify({ session: { maxMessages: wanted.maxMessages } })
      return both('config.patch', { raw, baseHash: wanted.stale ? 'old' : hash, note: 'so' })
    }
    default:
      return sayOfDevice(wanted, requestId)
  }
}

function sayOfDevice(
  wanted: Extract<Wish, { who: 0 | 1 }>,
  requestId: Known['requestId'],
): { seed: Request; upstream: Request } {
  const { id: deviceId } = STRANGERS[wanted.who]
  if (wanted.do === 'approve' || wanted.do === 'reject') {
    const asked = { requestId: requestId(wanted.who) }
    return { seed: [`pairing.${wanted.do}`, asked], upstream: [`device.pair.${wanted.do}`, asked] }
  }
  if (wanted.do === 'revoke') {
    return {
      seed: ['device.revoke', { deviceId }],
      upstream: ['device.pair.remove', { deviceId }],
    }
  }
  return {
    seed: ['device.rotate', { deviceId, role: 'client' }],
    upstream: ['device.token.rotate', { deviceId, role: 'operator' }],
  }
}

/** The owner of a gateway, who speaks one dialect. */
interface Owner {
  readonly request: (request: { seed: Request; upstream: Request }) => Promise<Frame>
  /** Resolves when the run under a key has ended, if there is one. */
  readonly ended: (runId: string) => Promise<unknown>
}

/** Two strangers wait; the owner has his wishes. Resolves with what was well, and the story. */
async function live(house: TestGateway, owner: Owner, wishes: readonly Wish[]): Promise<unknown> {
  const ids: string[] = []
  for (const device of STRANGERS) {
    const { error } = await device.connect(house.client(REMOTE))
    ids.push(String(error?.details?.['requestId']))
  }
  const outcomes: boolean[] = []
  for (const wanted of wishes) {
    const hash = (await owner.request({ seed: ['config.get', {}], upstream: ['config.get', {}] }))
      .payload['hash']
    const known = { hash: String(hash), requestId: (index: 0 | 1) => String(ids[index]) }
    const { ok } = await owner.request(say(wanted, known))
    outcomes.push(ok === true)
    if (wanted.do === 'talk') await owner.ended(`key-${wanted.n}`)
  }
  return { outcomes, story: storyOf(house.store) }
}

const TOLD = /^(?:session|run|config|pairing|delivery):/

/** What each stream was told and arrived at, without what is another each time. */
function storyOf(store: Store): unknown {
  const streams = new Map<string, unknown[]>()
  for (const { stream, kind, event, ignored, value, effects, sends } of readRecords(store)) {
    // A run's name is made anew, and says nothing.
    const name = stream.startsWith('run:') ? 'run' : stream
    if (!TOLD.test(stream)) continue
    const told = [
      kind,
      event,
      ignored,
      value,
      effects.map(({ name: wished }) => wished),
      sends.length,
    ]
    streams.set(name, [...(streams.get(name) ?? []), told])
  }
  return [...streams]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, told]) => [name, plain(told, new Map())])
}

const OWN_NAMES = new Set([OWNER, ...STRANGERS].flatMap(({ id, publicKey }) => [id, publicKey]))
const MADE = /^(?:b:|id-|[\da-f]{8}-)|^[\da-f]{16,}$|^[\w-]{40,}$|^(?:req|ext|\d+)[:.]/

/** Puts a number in the place of each id, in order, and nothing in that of times. */
function plain(value: unknown, seen: Map<string, string>): unknown {
  if (typeof value === 'number') return value > 1e11 ? 'time' : value
  if (typeof value === 'string') {
    if (OWN_NAMES.has(value) || !MADE.test(value)) return value
    const name = seen.get(value) ?? `id ${seen.size}`
    seen.set(value, name)
    return name
  }
  if (Array.isArray(value)) return value.map((each) => plain(each, seen))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !ANOTHER.has(name))
      .map(([name, member]) => [name, plain(member, seen)]),
  )
}

// How long it took; and the digest of a request, which names its method: a key is good for one.
const ANOTHER: ReadonlySet<string> = new Set(['durationMs', 'latencyMs', 'digest', 'random'])

async function inSeed(wishes: readonly Wish[]): Promise<unknown> {
  const house = await startTestGateway({ config: WITH_TOKEN })
  try {
    const client = house.client()
    const hello = await OWNER.connect(client, {
      params: { scopes: SCOPES },
      auth: { token: 'tok' },
    })
    assert.is(hello.ok, true, JSON.stringify(hello))
    return await live(
      house,
      {
        request: ({ seed: [method, params] }) => client.request(method, params),
        ended: (runId) => client.request('agent.wait', { runId, timeoutMs: 9_000 }),
      },
      wishes,
    )
  } finally {
    await house.stop()
  }
}

async function inOther(wishes: readonly Wish[]): Promise<unknown> {
  let told: unknown
  await inUpstream(async (world) => {
    const client = await world.enter({ device: OWNER, scopes: SCOPES })
    told = await live(
      world,
      {
        request: ({ upstream: [method, params] }) => client.ask(method, params),
        ended: (runId) => client.ask('agent.wait', { runId, timeoutMs: 9_000 }),
      },
      wishes,
    )
  })
  return told
}

equivalence('UE1 whatever is wished in either dialect, the journals tell the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wish, { minLength: 4, maxLength: 10 }), async (wishes) => {
      const [seed, upstream] = await Promise.all([inSeed(wishes), inOther(wishes)])

      assert.equal(upstream, seed)
    }),
    { numRuns: 15, endOnFailure: false, interruptAfterTimeLimit: 60_000 },
  )
})

equivalence('UE2 each wish once, one after the other', async () => {
  const keys = { key: 'work' } as const
  const wishes: Wish[] = [
    { do: 'create', ...keys, label: 'Work' },
    { do: 'talk', by: 'chat.send', ...keys, n: 0 },
    { do: 'talk', by: 'agent', key: 'main', n: 1 },
    { do: 'talk', by: 'agent', key: 'main', n: 1 },
    { do: 'talk', by: 'chat.send', key: 'work', n: 1 },
    { do: 'send' },
    { do: 'label', ...keys, label: '' },
    { do: 'think', ...keys, level: 'low' },
    { do: 'flag', ...keys, pinned: true, archived: false },
    { do: 'abort', ...keys },
    { do: 'reset', ...keys },
    { do: 'delete', ...keys },
    { do: 'configure', maxMessages: 11, stale: false },
    { do: 'configure', maxMessages: 12, stale: true },
    { do: 'approve', who: 0 },
    { do: 'rotate', who: 0 },
    { do: 'revoke', who: 0 },
    { do: 'reject', who: 1 },
  ]
  const [seed, upstream] = await Promise.all([inSeed(wishes), inOther(wishes)])

  assert.equal(upstream, seed)
  const { outcomes } = seed as { outcomes: boolean[] }
  assert.equal(
    wishes.filter((_, index) => outcomes[index] === false).map((wanted) => wanted.do),
    ['talk', 'send', 'configure'],
  )
})

equivalence.run()
