/** One messaging account: its link and its policy. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ChannelPolicy, judge } from '../../machines/rules/policy.ts'
import { addMove, firstNameOf, placeOf } from '../../machines/rules/moves.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { received } from '../support/facts.ts'
import { given } from '../support/given.ts'

const channel = suite('channel')

const open: ChannelPolicy = { dmPolicy: 'open', allowFrom: [], groupPolicy: 'allowlist', rooms: {} }
const enabled = (policy = open): JournalEvent => ({
  type: 'channel.enabled',
  channel: 'irc',
  policy,
})
const outcome = (type: string, attempt: number): JournalEvent => ({
  type,
  effect: '1.e0',
  name: 'channel.open',
  attempt,
  class: 'refused',
  retryable: true,
  retryAfterMs: null,
  random: 0,
})
const dropped: JournalEvent = { type: 'link.dropped', reason: 'reset', random: 0 }

channel('C1 enabling dials, a link makes it online, a drop waits and dials again', () => {
  const dial = given('channel', []).when(enabled())
  assert.equal([dial.value, dial.effects.map(({ name }) => name)], ['starting', ['channel.open']])
  assert.is(given('channel', [enabled()]).when(outcome('effect.done', 1)).value, 'online')

  const down = given('channel', [enabled(), outcome('effect.done', 1)]).when(dropped)
  assert.equal([down.value, down.waits[0]?.dueAt], ['backingOff', 2_000 + limits.channelBackoffMs])
  const again = given('channel', [enabled(), outcome('effect.done', 1), dropped]).when({
    type: 'retry.due',
  })
  assert.equal([again.value, again.effects[0]?.params['attempt']], ['starting', 2])
})

channel('C1 the outcome of another effect does not make it online', () => {
  const closed = { ...outcome('effect.done', 1), name: 'channel.close' }

  assert.is(given('channel', [enabled()]).when(closed).value, 'starting')
})

channel('C2 dialling that fails waits longer each time, up to a minute, for ever', () => {
  const events: JournalEvent[] = [enabled()]
  const waits: number[] = []
  for (let attempt = 1; attempt <= 12; attempt += 1) {
    const down = given('channel', events).when(outcome('effect.failed', attempt))
    waits.push((down.waits[0]?.dueAt ?? 0) - events.length * 1_000)
    events.push(outcome('effect.failed', attempt), { type: 'retry.due' })
  }

  assert.equal(waits.slice(0, 4), [1_000, 2_000, 4_000, 8_000])
  assert.is(waits.at(-1), limits.channelBackoffMsMax)
})

channel('CH1 what can never work fails with its reason, and waits for nothing', () => {
  const refused = { ...outcome('effect.failed', 1), class: 'wrong token', retryable: false }
  const online = [enabled(), outcome('effect.done', 1)]

  for (const [before, event] of [
    [[enabled()], refused],
    [[enabled()], { ...dropped, reason: 'wrong token', final: true }],
    [online, { ...dropped, reason: 'wrong token', final: true }],
  ] as [JournalEvent[], JournalEvent][]) {
    const { value, context, waits, effects } = given('channel', before).when(event)
    assert.equal([value, context['fault'], waits, effects], ['failed', 'wrong token', [], []])
  }
  const again = given('channel', [enabled(), refused]).when(enabled())
  assert.equal([again.value, again.effects[0]?.name], ['starting', 'channel.open'])
})

channel('CH1 an outcome of another attempt fails nothing', () => {
  const late = { ...outcome('effect.failed', 7), retryable: false }

  assert.is(given('channel', [enabled()]).when(late).value, 'starting')
})

channel('CH2 the other side may ask for a longer wait', () => {
  const asked = given('channel', [enabled()]).when({
    ...outcome('effect.failed', 1),
    retryAfterMs: 17_000,
  })
  const cut = given('channel', [enabled(), outcome('effect.done', 1)]).when({
    ...dropped,
    retryAfterMs: 18_000,
  })

  assert.equal([asked.waits[0]?.dueAt, cut.waits[0]?.dueAt], [1_000 + 17_000, 2_000 + 18_000])
})

channel('CU1 PR8 a message and the cursor behind it are one record, also a refused one', () => {
  const brought = received('m1', { account: '77', cursor: '41' })
  const closed = enabled({ ...open, dmPolicy: 'disabled' })

  for (const policy of [enabled(), closed]) {
    const { context } = given('channel', [policy]).when(brought)
    assert.equal(context['cursor'], { account: '77', value: '41', at: 1_000 })
  }
  const moved = given('channel', [enabled(), brought]).when({
    type: 'cursor.moved',
    account: '77',
    cursor: '44',
  })
  assert.equal(moved.context['cursor'], { account: '77', value: '44', at: 2_000 })
  const without = given('channel', [enabled(), brought]).when(received('m2'))
  assert.is((without.context['cursor'] as { value: string }).value, '41')
})

channel('C3 a new boot dials from any state', () => {
  for (const before of [[], [outcome('effect.done', 1)], [outcome('effect.failed', 1)]]) {
    const { value, effects } = given('channel', [enabled(), ...before]).when(enabled())
    assert.equal([value, effects[0]?.params['attempt']], ['starting', 1])
  }
})

channel(
  'C4 PR29 an admitted message goes to its session with its route; a refused one names its rule',
  () => {
    const admitted = given('channel', [enabled()]).when(received('m1', { target: 'Ann' }))
    assert.is(admitted.sends[0]?.to, 'session:agent:main:irc:direct:ann')
    assert.equal(admitted.sends[0]?.event['route'], { channel: 'irc', target: 'Ann' })

    const refused = given('channel', [enabled({ ...open, dmPolicy: 'disabled' })]).when(
      received('m1'),
    )
    assert.equal(
      [refused.sends, refused.context['rule'], refused.ignored],
      [[], 'dm.disabled', null],
    )
  },
)

channel('D-25 a message for a full session is refused at the door, by a rule of its own', () => {
  const last = given('channel', [enabled()]).when(
    received('m1', { pending: limits.sessionQueueMax }),
  )
  const over = given('channel', [enabled()]).when(
    received('m1', { pending: limits.sessionQueueMax + 1 }),
  )

  assert.is(last.sends.length, 1)
  assert.equal([over.sends, over.context['rule'], over.ignored], [[], 'session.full', null])
})

const queue = { mode: 'steer', debounceMs: 0, cap: 2, drop: 'new' } as const

channel(
  'QM13 who is refused for a full session is told so, where old messages do not make room',
  () => {
    const full = { pending: 3, queue }
    const over = given('channel', [enabled()]).when(received('m1', full))
    const roomy = given('channel', [enabled()]).when(
      received('m1', { pending: 3, queue: { ...queue, drop: 'summarize' } }),
    )
    const stop = { name: 'stop', value: null, known: true }
    const stopped = given('channel', [enabled()]).when(received('m1', { ...full, directive: stop }))

    assert.equal(
      [over.context['rule'], over.sends[0]?.to],
      ['session.full', 'delivery:full-run-m1'],
    )
    assert.equal(over.sends[0]?.event['phrase'], { id: 'queue.full', facts: { cap: 2 } })
    assert.is(roomy.sends[0]?.event.type, 'message.accepted')
    assert.is(stopped.sends[0]?.event.type, 'session.aborted')
  },
)

const directive = (name: string, value: string | null = null, known = true) => ({
  directive: { name, value, known },
})

channel('DV3 each directive asks its session for one thing, whichever generation it is in', () => {
  const ask = (written: Record<string, unknown>) =>
    given('channel', [enabled()]).when(received('m1', written)).sends
  const told = { deliveryId: 'told-run-m1', channel: 'irc', target: 'ann' }
  const types = ['new', 'stop', 'status', 'queue', 'think', 'model'].map((name) => {
    const [send] = ask(directive(name))
    assert.equal(send?.event['reply'], told)
    assert.is(send?.event['generation'], undefined)
    return `${name} ${send?.event.type}`
  })

  assert.equal(types, [
    'new session.reset',
    'stop session.aborted',
    'status session.asked',
    'queue session.asked',
    'think session.asked',
    'model session.asked',
  ])
  assert.equal(ask(directive('think', 'high'))[0]?.event['changes'], { thinking: 'high' })
  assert.equal(ask(directive('queue', 'default'))[0]?.event['changes'], { queue: null })
  assert.is(ask(directive('model', 'x', false))[0]?.to, 'delivery:told-run-m1')
})

channel('DV4 a directive of somebody who may not write does nothing', () => {
  const closed = enabled({ ...open, dmPolicy: 'disabled' })
  const { sends, context } = given('channel', [closed]).when(received('m1', directive('stop')))

  assert.equal([sends, context['rule']], [[], 'dm.disabled'])
})

channel('C5 policy decides by stable id, room and mention, and names its rule', () => {
  const policy = (changes: Partial<ChannelPolicy>): ChannelPolicy => ({ ...open, ...changes })
  const dm = { peer: 'direct', senderId: 'ann', roomId: 'ann', mentioned: true } as const
  const room = { peer: 'channel', senderId: 'ann', roomId: '#home', mentioned: false } as const
  const home = (rules: { requireMention: boolean; allowFrom: string[] }) =>
    policy({ rooms: { '#home': rules } })
  const cases: [ChannelPolicy, Parameters<typeof judge>[1], boolean, string][] = [
    [policy({}), dm, true, 'dm.open'],
    [policy({ dmPolicy: 'pairing' }), dm, false, 'dm.pairing'],
    [policy({ dmPolicy: 'pairing', allowFrom: ['ann'] }), dm, true, 'dm.allowFrom'],
    [policy({ dmPolicy: 'allowlist', allowFrom: ['bob'] }), dm, false, 'dm.allowlist'],
    [policy({}), room, false, 'group.notListed'],
    [policy({ groupPolicy: 'disabled' }), room, false, 'group.disabled'],
    [policy({ groupPolicy: 'open' }), room, false, 'group.notMentioned'],
    [policy({ groupPolicy: 'open' }), { ...room, mentioned: true }, true, 'group.open'],
    [home({ requireMention: true, allowFrom: ['*'] }), room, false, 'group.notMentioned'],
    [
      home({ requireMention: true, allowFrom: ['*'] }),
      { ...room, mentioned: true },
      true,
      'group.listed',
    ],
    [home({ requireMention: false, allowFrom: ['bob'] }), room, false, 'group.allowFrom'],
    [home({ requireMention: false, allowFrom: [] }), room, true, 'group.listed'],
  ]

  for (const [rules, subject, admitted, rule] of cases)
    assert.equal(judge(rules, subject), { admitted, rule })
})

channel('C9 a room named like a member of every object is judged like the rest', () => {
  for (const roomId of ['constructor', '__proto__', 'toString']) {
    const subject = { peer: 'channel' as const, senderId: 'ann', roomId, mentioned: true }

    assert.equal(judge(open, subject), { admitted: false, rule: 'group.notListed' })
  }
})

channel('TG21 moves are kept in bounds, and lead to where a room was last', () => {
  const twice = addMove(addMove([], { from: 'a', room: 'b' }), { from: 'b', room: 'c' })
  assert.equal([placeOf(twice, 'a'), placeOf(twice, 'b'), placeOf(twice, 'x')], ['c', 'c', 'x'])
  assert.equal([firstNameOf(twice, 'c'), firstNameOf(undefined, 'c')], ['a', 'c'])
  // Told again, and told backwards by somebody who is wrong: no circle.
  assert.equal(addMove(twice, { from: 'b', room: 'c' }).length, 2)
  const back = addMove(addMove([], { from: 'a', room: 'b' }), { from: 'b', room: 'a' })
  assert.equal([placeOf(back, 'b'), placeOf(back, 'a')], ['a', 'a'])
  let many = twice
  for (let n = 0; n < 200; n += 1) many = addMove(many, { from: `f${n}`, room: `t${n}` })
  assert.is(many.length, limits.roomsMovedMax)
  assert.is(placeOf(many, 'f199'), 't199')
})

channel('TG21 a room that has moved is under its old rules, unless its new id has some', () => {
  const moved: JournalEvent = { type: 'room.moved', from: '-1', room: '-2' }
  const rule = (rooms: ChannelPolicy['rooms']): unknown =>
    given('channel', [enabled({ ...open, rooms }), moved]).when(
      received('m1', { peer: 'group', roomId: '-2', mentioned: false }),
    ).context['rule']

  const lax = { requireMention: false, allowFrom: ['*'] }
  const strict = { requireMention: true, allowFrom: ['*'] }
  assert.is(rule({ '-1': lax }), 'group.listed')
  assert.is(rule({ '-1': lax, '-2': strict }), 'group.notMentioned')
  assert.is(rule({ '-3': lax }), 'group.notListed')
})

channel.run()
