/** Events of sessions, runs and deliveries, as fuzzers send them. */
import fc from 'fast-check'

type Any<T> = fc.Arbitrary<T>

interface Parts {
  readonly runId: Any<string>
  readonly ref: Any<string>
  readonly route: Any<unknown>
  readonly thinking: Any<string>
  readonly outcomes: readonly Any<unknown>[] // of any effect, and the end of a wait
  readonly attempt: Any<number>
}

const queue = fc.record({
  mode: fc.constantFrom('steer', 'followup', 'collect', 'interrupt'),
  debounceMs: fc.constantFrom(0, 2_000),
  cap: fc.constantFrom(1, 2, 20),
  drop: fc.constantFrom('old', 'new', 'summarize'),
})
const reply = fc.constant({ deliveryId: 'told-1', channel: 'irc', target: 'ann' })
const expiry = fc.constant({ at: 9_000, reason: 'idle', zone: 'UTC', offsetMinutes: 0 })

/** The events of each kind that people and models talk through. */
export function talkEvents(parts: Parts): {
  readonly session: Any<unknown>[]
  readonly run: Any<unknown>[]
  readonly delivery: Any<unknown>[]
} {
  return {
    session: sessionEvents(parts),
    run: runEvents(parts),
    delivery: deliveryEvents(parts),
  }
}

function sessionEvents({ runId, ref, route, thinking }: Parts): Any<unknown>[] {
  const accepted = fc.record({
    type: fc.constant('message.accepted'),
    sessionKey: fc.constant('agent:main:main'),
    messageId: fc.string({ maxLength: 8 }),
    runId,
    ref,
    channel: fc.option(fc.constant('irc')),
    peer: fc.option(fc.constant('ann')),
    sender: fc.option(fc.constant('ann')),
    route,
    model: fc.constant('echo'),
    thinking,
    messagesMax: fc.integer({ min: 2, max: 6 }),
  })
  const acceptedByName = accepted.map((event) => ({ ...event, runKey: 'mine' }))
  const acceptedByRule = fc
    .tuple(accepted, queue, fc.option(expiry))
    .map(([event, rule, until]) => ({
      ...event,
      queue: rule,
      ...(until === null ? {} : { expiry: until }),
    }))
  return [
    acceptedByRule,
    accepted,
    acceptedByName,
    fc.record({
      type: fc.constant('message.filed'),
      sessionKey: fc.constant('agent:main:main'),
      deliveryId: fc.constant('d-1'),
      ref,
    }),
    fc.record({
      type: fc.constant('message.injected'),
      sessionKey: fc.constant('agent:main:main'),
      messageId: fc.constant('m-1'),
      ref,
      by: fc.constant('d'),
    }),
    fc.record({
      type: fc.constantFrom('session.created', 'session.patched'),
      sessionKey: fc.constant('agent:main:main'),
      generation: fc.nat(2),
      changes: fc.constantFrom({ label: 'home' }, { label: null, pinned: true }, {}),
      by: fc.constant('d'),
    }),
    fc.record({
      type: fc.constantFrom('session.reset', 'session.deleted'),
      sessionKey: fc.constant('agent:main:main'),
      generation: fc.integer({ min: 1, max: 3 }),
      reason: fc.constant('reset'),
      by: fc.constant('d'),
    }),
    fc.record({
      type: fc.constant('session.aborted'),
      sessionKey: fc.constant('agent:main:main'),
      runId: fc.option(runId),
      by: fc.constant('d'),
    }),
    fc.record({
      type: fc.constant('run.finished'),
      runId,
      status: fc.constantFrom('done', 'failed', 'aborted'),
      fault: fc.constantFrom('', 'rate'),
      ref,
      inputTokens: fc.nat(9),
      outputTokens: fc.nat(9),
    }),
    fc.record({
      type: fc.constantFrom('session.reset', 'session.patched', 'session.aborted'),
      sessionKey: fc.constant('agent:main:main'),
      changes: fc.constantFrom({ queue: 'steer' }, { model: null }),
      runId: fc.constant(null),
      reason: fc.constant('new'),
      by: fc.constant('ann'),
      reply,
    }),
    fc.record({
      type: fc.constant('session.asked'),
      sessionKey: fc.constant('agent:main:main'),
      about: fc.constantFrom('status', 'model', 'queue'),
      defaults: fc.constant({ model: 'echo', thinking: 'off', queue: 'steer' }),
      by: fc.constant('ann'),
      reply,
    }),
    fc.constant({ type: 'queue.due' }),
  ]
}

function runEvents({ runId, ref, thinking, outcomes, attempt }: Parts): Any<unknown>[] {
  return [
    fc.record({
      type: fc.constant('run.requested'),
      asked: fc.constant({ channel: null, room: null, sender: null, at: 1 }),
      runId: fc.constant('run-1'),
      sessionKey: fc.constant('agent:main:main'),
      model: fc.constant('echo'),
      thinking,
    }),
    ...outcomes,
    fc.constant({ type: 'run.aborted', by: 'owner' }),
    fc.record({
      type: fc.constant('effect.cancelled'),
      effect: fc.constant('1.e0'),
      name: fc.constant('model.call'),
      attempt,
    }),
    fc.record({ type: fc.constant('run.steered'), runId, ref }),
    fc.constant({ type: 'run.merged', into: 'run-2' }),
  ]
}

function deliveryEvents({ ref, outcomes }: Parts): Any<unknown>[] {
  return [
    fc.record({
      type: fc.constant('delivery.requested'),
      deliveryId: fc.constant('d-1'),
      channel: fc.constant('irc'),
      target: fc.constant('ann'),
      ref,
      fileIn: fc.option(fc.constant('agent:main:main')),
    }),
    ...outcomes,
    fc.record({
      type: fc.constant('delivery.requested'),
      deliveryId: fc.constant('d-1'),
      channel: fc.constant('irc'),
      target: fc.constant('ann'),
      ref: fc.constant(''),
      phrase: fc.constant({ id: 'session.new', facts: {} }),
      fileIn: fc.constant(null),
      expiresAt: fc.constant(9_000),
    }),
    fc.record({
      type: fc.constantFrom('delivery.resolved', 'delivery.resubmitted', 'delivery.dismissed'),
      sent: fc.boolean(),
      expiresAt: fc.constant(99_000),
      by: fc.constant('d'),
    }),
  ]
}
