/** Random events of nodes, of what they are asked, and of commands that wait for a person. */
import * as fc from 'fast-check'

/** Events of a node's actor. */
export function nodeEvents(requestId: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  return [
    fc.record({
      type: fc.constant('node.connected'),
      nodeId: fc.constant('n'),
      connectionId: fc.constantFrom('c1', 'c2'),
      requestId,
      displayName: fc.constant('box'),
      platform: fc.constant('linux'),
      version: fc.constant('1'),
      clientId: fc.constant('node-host'),
      surface: fc.record({
        caps: fc.subarray(['system', 'camera']),
        commands: fc.subarray(['system.run', 'system.which']),
      }),
    }),
    fc.record({
      type: fc.constant('node.disconnected'),
      connectionId: fc.constantFrom('c1', 'c2'),
    }),
    fc.record({
      type: fc.constantFrom('surface.approved', 'surface.rejected'),
      requestId,
      by: fc.constant('d'),
    }),
    fc.record({
      type: fc.constant('node.renamed'),
      name: fc.string({ maxLength: 8 }),
      by: fc.constant('d'),
    }),
    fc.constant({ type: 'node.removed', by: 'd' }),
  ]
}

/** Events of an invocation's actor. */
export function invocationEvents(ref: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  return [
    fc.record({
      type: fc.constant('invocation.requested'),
      invocationId: fc.constant('i'),
      nodeId: fc.constant('n'),
      command: fc.constant('system.which'),
      ref,
      timeoutMs: fc.nat(9_000),
    }),
    fc.record({
      type: fc.constant('effect.done'),
      effect: fc.constant('1.e0'),
      name: fc.constant('node.call'),
      attempt: fc.constant(1),
      ref,
    }),
    fc.record({
      type: fc.constant('effect.failed'),
      effect: fc.constant('1.e0'),
      name: fc.constant('node.call'),
      attempt: fc.constant(1),
      class: fc.constantFrom('timeout', 'disconnected'),
      retryable: fc.constant(false),
      retryAfterMs: fc.constant(null),
      random: fc.constant(0.5),
      sent: fc.constantFrom('no', 'maybe'),
    }),
    fc.record({
      type: fc.constant('effect.lost'),
      effect: fc.constant('1.e0'),
      name: fc.constant('node.call'),
      attempt: fc.constant(1),
      started: fc.boolean(),
    }),
  ]
}

/** Events of an approval's actor. */
export function approvalEvents(ref: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  return [
    fc.record({
      type: fc.constant('exec.requested'),
      approvalId: fc.constant('a'),
      ref,
      textRef: ref,
      deviceId: fc.constantFrom('d', 'e'),
      sessionKey: fc.constantFrom('', 'agent:main:main'),
      mayAlways: fc.boolean(),
      expiresAt: fc.nat(900_000),
    }),
    fc.constant({
      type: 'exec.requested',
      approvalId: 'a',
      ref: 'b:01',
      textRef: 'b:02',
      deviceId: '',
      sessionKey: '',
      mayAlways: true,
      expiresAt: 900_000,
      callId: 'c',
      grant: granted,
    }),
    fc.record({
      type: fc.constant('exec.allowed'),
      always: fc.boolean(),
      by: fc.constant('d'),
    }),
    fc.constant({ type: 'exec.denied', by: 'd' }),
    fc.record({
      type: fc.constant('exec.answered'),
      decision: fc.constantFrom('allow-once', 'allow-always', 'deny'),
      by: fc.constantFrom('ann', 'bob'),
      channel: fc.constant('irc'),
      reply: fc.constant({ deliveryId: 'told-1', channel: 'irc', target: 'ann' }),
    }),
    fc.record({ type: fc.constant('exec.expired'), reason: fc.constantFrom('time', 'no-route') }),
    fc.record({ type: fc.constant('exec.cancelled'), deviceId: fc.constantFrom('d', 'e') }),
  ]
}

/** What `always` would grant. */
const granted = {
  grantId: 'g',
  keyId: 'k',
  tool: 'exec',
  source: 'built-in',
  agentId: 'main',
  place: { channel: 'irc', room: null, sender: 'ann' },
}

/** Events of a grant's actor. */
export function grantEvents(ref: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  return [
    fc.record({
      type: fc.constant('grant.given'),
      ...Object.fromEntries(
        Object.entries(granted).map(([name, fact]) => [name, fc.constant(fact)]),
      ),
      approvalId: fc.constantFrom('a', 'b'),
      sessionKey: fc.constant('agent:main:main'),
      ref,
      textRef: ref,
      by: fc.constant('ann'),
      channel: fc.constant('irc'),
    }),
    fc.constant({ type: 'grant.revoked', by: 'd' }),
  ]
}

/** Events of a job's actor. */
export function cronEvents(ref: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  const facts = fc.record({
    ref,
    schedule: fc.constantFrom(
      { kind: 'every', everyMs: 60_000, anchorMs: 0 },
      { kind: 'cron', expr: '0 9 * * *', tz: null },
      { kind: 'at', atMs: 5_000 },
    ),
    sessionKey: fc.constant('agent:main:main'),
    fresh: fc.boolean(),
    route: fc.constantFrom(null, { channel: 'irc', target: 'ann' }),
    wakeMode: fc.constant('now'),
    enabled: fc.boolean(),
    deleteAfterRun: fc.boolean(),
  })
  const outcome = { effect: fc.constant('1.e0'), attempt: fc.integer({ min: 1, max: 3 }) }
  const name = fc.constantFrom('cron.plan', 'cron.run')
  return [
    fc.record({
      type: fc.constant('job.created'),
      jobId: fc.constant('j'),
      facts,
      by: fc.constant('d'),
    }),
    fc.record({ type: fc.constant('job.updated'), facts, by: fc.constant('d') }),
    fc.constantFrom({ type: 'job.removed', by: 'd' }, { type: 'job.called', by: 'd' }),
    fc.record({ type: fc.constant('job.due'), dueAt: fc.constantFrom(5_000, 60_000) }),
    fc.record({
      type: fc.constant('effect.done'),
      ...outcome,
      name: fc.constant('cron.plan'),
      nextAt: fc.constantFrom(5_000, 60_000, null),
      zone: fc.constant('Europe/Berlin'),
      offsetMinutes: fc.constant(120),
    }),
    fc.record({
      type: fc.constant('effect.done'),
      ...outcome,
      name: fc.constant('cron.run'),
      runKey: fc.constant('cron:j:5000'),
      status: fc.constantFrom('ok', 'error'),
      runId: fc.constant('r'),
      fault: fc.constantFrom('', 'rate'),
      replyRef: ref,
      startedAt: fc.nat(9_000),
    }),
    fc.record({
      type: fc.constant('effect.failed'),
      ...outcome,
      name,
      class: fc.constant('internal'),
      retryable: fc.constant(false),
      retryAfterMs: fc.constant(null),
      random: fc.constant(0.5),
    }),
    fc.record({ type: fc.constant('effect.lost'), ...outcome, name, started: fc.boolean() }),
  ]
}

/** Events of the actor of a tool's call. */
export function callEvents(ref: fc.Arbitrary<string>): fc.Arbitrary<unknown>[] {
  const name = fc.constantFrom('tool.judge', 'tool.call')
  const head = { effect: fc.constant('1.e0'), name, attempt: fc.integer({ min: 1, max: 3 }) }
  return [
    fc.record({
      type: fc.constant('call.requested'),
      callId: fc.constant('call_1'),
      runId: fc.constant('run-1'),
      sessionKey: fc.constant('agent:main:main'),
      name: fc.constantFrom('read', 'exec'),
      ref,
      asked: fc.constant({ channel: null, room: null, sender: null, at: 0 }),
    }),
    fc.record({
      type: fc.constant('effect.done'),
      ...head,
      verdict: fc.constantFrom('allow', 'ask', 'deny'),
      rule: fc.constant('tools.allow'),
      source: fc.constant('built-in'),
      timeoutMs: fc.nat(9_000),
      ref,
      bytes: fc.nat(99),
      askRef: ref,
      askTextRef: ref,
    }),
    fc.record({
      type: fc.constant('effect.done'),
      ...head,
      verdict: fc.constant('ask'),
      askRef: ref,
      askTextRef: ref,
      notice: fc.record({ ref, channel: fc.constant('irc'), target: fc.constant('ann') }),
    }),
    fc.record({
      type: fc.constant('effect.failed'),
      ...head,
      class: fc.constantFrom('gone', 'internal'),
      retryable: fc.constant(false),
      retryAfterMs: fc.constant(null),
      random: fc.constant(0.5),
      sent: fc.constantFrom('no', 'maybe'),
    }),
    fc.record({ type: fc.constant('effect.lost'), ...head, started: fc.boolean() }),
    fc.record({
      type: fc.constant('approval.ended'),
      approvalId: fc.constantFrom('call_1', 'call_2'),
      decision: fc.constantFrom('allowed', 'denied', 'expired', 'cancelled'),
      by: fc.constant('d'),
    }),
    fc.constantFrom({ type: 'call.due' }, { type: 'run.aborted', by: 'run' }),
  ]
}
