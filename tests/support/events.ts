/** Arbitrary events for each kind of actor: those its machine knows, and some that it does not. */
import {
  approvalEvents,
  callEvents,
  cronEvents,
  grantEvents,
  invocationEvents,
  nodeEvents,
} from './node-events.ts'
import fc from 'fast-check'
import { STREAM_KINDS, type StreamId, type StreamKind, streamId } from '../../protocol/ids.ts'
import { talkEvents } from './events-talk.ts'
import type { JournalEvent } from '../../protocol/record.ts'

const runId = fc.constantFrom('run-1', 'run-2', 'run-3')
const attempt = fc.integer({ min: 1, max: 4 })
const ref = fc.constantFrom('b:01', 'b:02', 'b:03')
const route = fc.option(
  fc.record({ channel: fc.constant('irc'), target: fc.constantFrom('ann', '#home') }),
)

const effectName = fc.constantFrom(
  'model.call',
  'message.deliver',
  'channel.open',
  'channel.close',
  'alert.post',
  'code.tell',
)

const done = fc.record({
  type: fc.constant('effect.done'),
  effect: fc.constant('1.e0'),
  name: effectName,
  attempt,
  ref,
  inputTokens: fc.nat(9),
  outputTokens: fc.nat(9),
})
const failed = fc.record({
  type: fc.constant('effect.failed'),
  effect: fc.constant('1.e0'),
  name: effectName,
  attempt,
  class: fc.constantFrom('rate', 'network', 'auth'),
  retryable: fc.boolean(),
  retryAfterMs: fc.option(fc.nat(5_000)),
  random: fc.constantFrom(0, 0.25, 0.75),
  sent: fc.constantFrom('no', 'maybe'),
})
const lost = fc.record({
  type: fc.constant('effect.lost'),
  effect: fc.constant('1.e0'),
  name: effectName,
  attempt,
  started: fc.boolean(),
})
const retryDue = fc.constant({ type: 'retry.due' })
const unknown = fc.constant({ type: 'nobody.knows' })
const thinking = fc.constantFrom('off', 'high')

const policy = fc.record({
  dmPolicy: fc.constantFrom('open', 'allowlist', 'disabled', 'pairing'),
  allowFrom: fc.constantFrom([], ['ann'], ['*']),
  groupPolicy: fc.constantFrom('open', 'allowlist', 'disabled'),
  rooms: fc.constantFrom({}, { '#home': { requireMention: true, allowFrom: ['*'] } }),
})

const received = fc.record({
  type: fc.constant('message.received'),
  channel: fc.constant('irc'),
  messageId: fc.string({ maxLength: 8 }),
  peer: fc.constantFrom('direct', 'channel'),
  senderId: fc.constantFrom('ann', 'bob'),
  roomId: fc.constantFrom('ann', '#home', '#other'),
  target: fc.constantFrom('ann', '#home'),
  mentioned: fc.boolean(),
  ref,
  bytes: fc.nat(99),
  pending: fc.nat(25),
  sessionKey: fc.constant('agent:main:irc:direct:ann'),
  runId,
  model: fc.constant('echo'),
  thinking,
  messagesMax: fc.constant(400),
  codeDigest: fc.constantFrom('aa', 'bb'),
})

// What a platform with accounts and a cursor adds.
const receivedByCursor = received.map((event) => ({ ...event, account: '77', cursor: '5' }))

const judged = fc.record({
  type: fc.constantFrom('sender.approved', 'sender.rejected'),
  senderId: fc.constantFrom('ann', 'bob'),
  digest: fc.constantFrom('aa', 'bb', ''),
  by: fc.constant('d'),
})

const requestId = fc.constantFrom('q1', 'q2')
const subscribe = fc.option(fc.constantFrom([], ['agent'], ['tick', 'chat']))

const byKind: Readonly<Record<StreamKind, fc.Arbitrary<unknown>[]>> = {
  node: nodeEvents(requestId),
  invocation: invocationEvents(ref),
  approval: approvalEvents(ref),
  grant: grantEvents(ref),
  call: callEvents(ref),
  cron: cronEvents(ref),
  compaction: [
    fc.record({
      type: fc.constant('compaction.requested'),
      compactionId: runId,
      sessionKey: fc.constant('agent:main:main'),
      model: fc.constant('a/b'),
      fallbacks: fc.constantFrom([], ['c/d']),
      count: fc.nat(9),
      hash: fc.constant('aa'),
    }),
    fc.constant({ type: 'retry.due' }),
  ],
  gateway: [
    fc.record({ type: fc.constant('gateway.booted'), epoch: fc.nat(9), version: fc.constant('1') }),
    fc.record({
      type: fc.constant('gateway.booted'),
      epoch: fc.nat(9),
      version: fc.constant('1'),
      watched: fc.constant(true),
    }),
    fc.constantFrom({ type: 'channels.released', by: 'd' }, { type: 'hold.due' }),
    fc.record({ type: fc.constant('host.slept'), ms: fc.nat(9_000) }),
    fc.record({
      type: fc.constantFrom('tailscale.claimed', 'tailscale.reset'),
      mode: fc.constantFrom('serve', 'funnel'),
    }),
    fc.constant({ type: 'gateway.stopped', reason: 'test' }),
    fc.constant({ type: 'history.erased', scope: 'session:a', bodies: 1, reason: '', by: 'me' }),
    fc.record({
      type: fc.constant('connections.refused'),
      address: fc.constant('::1'),
      count: fc.nat(9),
      code: fc.constant('TIMEOUT'),
    }),
    fc.record({
      type: fc.constant('stream.quarantined'),
      stream: fc.constantFrom('run:1', 'run:2'),
      code: fc.constant('INTERNAL'),
    }),
  ],
  connection: [
    fc.record({
      type: fc.constant('connection.opened'),
      deviceId: fc.constant('d'),
      role: fc.constant('client'),
      scopes: fc.constant(['operator.read']),
      subscribe,
      resumeFrom: fc.option(fc.nat(9)),
    }),
    fc.constant({ type: 'connection.readied' }),
    fc.record({ type: fc.constant('connection.subscribed'), subscribe }),
    fc.constant({ type: 'connection.closed', code: 1000, reason: '' }),
  ],
  pairing: [
    fc.record({
      type: fc.constant('challenge.issued'),
      nonceHash: fc.constantFrom('n1', 'n2'),
      address: fc.constant('10.0.0.7'),
      issuedAt: fc.constant(1),
    }),
    fc.record({
      type: fc.constant('challenge.answered'),
      deviceId: fc.constant('d'),
      publicKey: fc.constant('key'),
      nonceHash: fc.constantFrom('n1', 'n2'),
      role: fc.constantFrom('client', 'node'),
      scopes: fc.option(fc.constant(['operator.read'])),
    }),
    fc.record({
      type: fc.constant('approval.requested'),
      requestId,
      codeHash: fc.constant('cc'),
      address: fc.constant('10.0.0.7'),
      origin: fc.option(fc.constant('http://a')),
      forwarded: fc.boolean(),
      expiresAt: fc.integer({ min: 1, max: 900_000 }),
    }),
    fc.record({ type: fc.constant('approval.rejected'), requestId, by: fc.constant('owner') }),
    fc.record({ type: fc.constant('approval.expired'), requestId, reason: fc.constant('time') }),
    fc.constant({ type: 'code.missed' }),
    fc.record({ type: fc.constant('token.issued'), tokenHash: fc.constantFrom('cc', 'dd') }),
    fc.record({
      type: fc.constant('device.rotated'),
      tokenHash: fc.constant('ee'),
      scopes: fc.constant(['operator.read']),
      by: fc.constant('owner'),
    }),
    fc.record({
      type: fc.constant('scopes.refused'),
      missing: fc.constant(['operator.admin']),
      hour: fc.nat(600_000),
    }),
    fc.record({
      type: fc.constant('device.approved'),
      deviceId: fc.constant('d'),
      role: fc.constantFrom('client', 'node'),
      scopes: fc.constant([]),
      tokenHash: fc.constantFrom('aa', 'bb'),
      rule: fc.constant('loopback.direct'),
      evidence: fc.constant({ address: '::1', origin: null, forwarded: false, secret: 'none' }),
    }),
    fc.record({ type: fc.constant('device.seen'), hour: fc.nat(600_000) }),
    fc.constant({ type: 'device.renamed', label: 'phone', by: 'owner' }),
    fc.constant({ type: 'token.renewed', tokenHash: 'ff' }),
    fc.record({
      type: fc.constant('upgrade.requested'),
      requestId,
      codeHash: fc.constant('cc'),
      scopes: fc.constant(['operator.write']),
      address: fc.constant('10.0.0.7'),
      origin: fc.option(fc.constant('http://a')),
      forwarded: fc.boolean(),
      expiresAt: fc.integer({ min: 1, max: 900_000 }),
    }),
    fc.record({
      type: fc.constant('upgrade.approved'),
      requestId,
      scopes: fc.constant(['operator.write']),
      rule: fc.constant('operator.id'),
      by: fc.constant('owner'),
    }),
    fc.record({ type: fc.constant('upgrade.rejected'), requestId, by: fc.constant('owner') }),
    fc.record({ type: fc.constant('upgrade.expired'), requestId, reason: fc.constant('time') }),
    fc.constant({ type: 'device.revoked', by: 'owner' }),
  ],
  config: [
    fc.record({
      type: fc.constant('config.proposed'),
      change: fc.constantFrom('c1', 'c2'),
      via: fc.constantFrom('apply', 'file'),
      by: fc.constant('d'),
      base: fc.constant('aa'),
      hash: fc.constantFrom('bb', 'cc'),
      before: ref,
      after: ref,
      paths: fc.nat(9),
      hot: fc.boolean(),
      delayMs: fc.nat(5_000),
      wake: fc.option(
        fc.record({
          sessionKey: fc.constant('agent:main:main'),
          runId,
          ref,
          model: fc.constant('echo'),
          messagesMax: fc.constant(400),
        }),
      ),
    }),
    fc.record({
      type: fc.constant('config.booted'),
      hash: fc.constantFrom('bb', 'cc'),
      reason: fc.constantFrom('', 'b:01'),
      runId,
    }),
    fc.record({
      type: fc.constantFrom('effect.done', 'effect.failed', 'effect.lost'),
      effect: fc.constant('1.e0'),
      name: fc.constantFrom('config.check', 'config.write', 'gateway.restart'),
      attempt: fc.constant(1),
      valid: fc.boolean(),
      reason: fc.constantFrom('', 'b:02'),
      class: fc.constant('internal'),
      started: fc.boolean(),
    }),
    fc.constant({ type: 'restart.due' }),
  ],
  ...talkEvents({ runId, ref, route, thinking, outcomes: [done, failed, lost, retryDue], attempt }),
  channel: [
    fc.record({ type: fc.constant('channel.enabled'), channel: fc.constant('irc'), policy }),
    fc.constant({ type: 'channel.disabled' }),
    received,
    receivedByCursor,
    fc.record({
      type: fc.constant('cursor.moved'),
      account: fc.constantFrom('77', '78'),
      cursor: fc.constantFrom('6', '7'),
    }),
    fc.record({
      type: fc.constant('room.moved'),
      from: fc.constantFrom('#home', '-1', '-2'),
      room: fc.constantFrom('-1', '-2', '-3'),
    }),
    fc.record({
      type: fc.constant('messages.lost'),
      count: fc.nat(3),
      reason: fc.constant('full'),
    }),
    fc.constant({ type: 'link.dropped', reason: 'gone', random: 0, final: true }),
    fc.record({ type: fc.constant('code.missed'), by: fc.constant('d') }),
    judged,
    done,
    failed,
    lost,
    retryDue,
    fc.record({
      type: fc.constant('link.dropped'),
      reason: fc.constant('reset'),
      random: fc.constantFrom(0, 0.5),
    }),
  ],
  alert: [
    fc.record({
      type: fc.constantFrom('trouble.noticed', 'trouble.ended'),
      key: fc.constantFrom('disk', 'channel:irc'),
      alertId: fc.constantFrom('a-1', 'a-2'),
      ref: fc.constantFrom('b:01', ''),
      route: fc.record({
        webhook: fc.boolean(),
        channel: fc.constantFrom('irc', null),
        target: fc.constantFrom('ann', null),
        cooldownMs: fc.constantFrom(0, 60_000),
      }),
    }),
    done,
    failed,
    lost,
    retryDue,
  ],
}

/** Any event that an actor of a kind may be sent. */
export function anyEventOf(kind: StreamKind): fc.Arbitrary<JournalEvent> {
  return fc.oneof(...byKind[kind], unknown) as fc.Arbitrary<JournalEvent>
}

/** Any event, to any of so many actors of a kind. */
export function anyMessage(
  streamsOfAKind: number,
): fc.Arbitrary<{ stream: StreamId; event: JournalEvent }> {
  return fc
    .tuple(fc.constantFrom(...STREAM_KINDS), fc.nat(streamsOfAKind - 1))
    .chain(([kind, n]) =>
      anyEventOf(kind).map((event) => ({ stream: streamId(kind, `random-${n}`), event })),
    )
}
