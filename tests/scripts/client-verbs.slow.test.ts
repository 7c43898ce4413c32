/**
 * Verbs that talk to the gateway, against a stand-in that answers the wire's shapes.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import type { Ended } from '../support/process.ts'
import { type Follow, type Json, type Script, StandIn } from '../support/stand-in.ts'

const verbs = suite('client verbs')

/** Runs a test with a stand-in and a way to call verbs that find it. */
async function withStandIn(
  script: Script,
  run: (
    call: (...args: readonly string[]) => Promise<Ended>,
    standIn: StandIn,
    stateDir: string,
  ) => Promise<void>,
): Promise<void> {
  const standIn = await StandIn.start(script)
  try {
    await withDirectory((stateDir) =>
      run((...args) => cli(stateDir, [...args, '--port', String(standIn.port)]), standIn, stateDir),
    )
  } finally {
    await standIn.stop()
  }
}

/** The secrets that a `connect` showed. */
function shownIn(params: Json | undefined): unknown[] {
  const auth = (params?.['auth'] ?? {}) as Json
  return [auth['token'], auth['password'], auth['deviceToken']].filter((each) => each !== undefined)
}

function linesOf({ stdout }: Ended): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

verbs('C1 health shows what the gateway says, and reads without subscribing', async () => {
  await withStandIn({}, async (call, standIn) => {
    const text = await call('health')
    const json = await call('health', '--json')

    assert.is(text.code, 0)
    assert.match(
      text.stdout,
      /status +healthy\nuptime +1 min\nsessions +2\nagents +0\nchannel irc +connected\n/,
    )
    assert.is(JSON.parse(json.stdout).channels.irc, 'connected')
    assert.equal(standIn.params('connect')[0]?.['subscribe'], [])
    assert.match(standIn.asked[1]!.id, /^health#\d+$/)
  })
})

verbs('C2 health exits with 1 when a probe fails or the gateway is not well', async () => {
  const probes = {
    journal: { ok: true, ms: 2 },
    irc: { ok: false, ms: 2_000, detail: 'no \u001b[31manswer' },
  }
  const sick = { status: 'degraded', uptime: 1, sessions: 0, agents: 0, channels: {} }
  await withStandIn(
    { answers: { health: { ...sick, status: 'healthy', probes } } },
    async (call, standIn) => {
      const { code, stdout } = await call('health', '--probe')

      assert.is(code, 1)
      assert.match(stdout, /probe journal +ok  2 ms\nprobe irc +FAILED  2000 ms  no answer\n/)
      assert.equal(standIn.params('health'), [{ probe: true }])
    },
  )
  await withStandIn({ answers: { health: sick } }, async (call) => {
    assert.is((await call('health')).code, 1)
  })
})

verbs('C2 health says in words what waits for a person, and why a channel is down', async () => {
  const well = { status: 'healthy', uptime: 1, sessions: 0, agents: 0 }
  const channels = { telegram: 'failed', irc: 'connected' }
  const reasons = { telegram: 'telegram: 401 Unauthorized' }
  const health = { ...well, channels, reasons, deliveries: { uncertain: 1, dead: 2 } }
  await withStandIn({ answers: { health } }, async (call) => {
    const { stdout } = await call('health')

    assert.match(
      stdout,
      /deliveries +1 may or may not have been sent, 2 not sent: .* deliveries list\n/,
    )
    assert.match(stdout, /channel telegram +failed: telegram: 401 Unauthorized\n/)
    assert.match(stdout, /channel irc +connected\n/)
  })
  const none = { ...well, channels: {}, deliveries: { uncertain: 0, dead: 1 } }
  await withStandIn({ answers: { health: none } }, async (call) => {
    assert.match((await call('health')).stdout, /deliveries +1 not sent: /)
  })
})

verbs('DL8 deliveries says why each waits, and what became of it', async () => {
  const row = { channel: 'irc', target: 'ann', changedAt: 0, text: 'hi \u001b[31m' }
  const rows = [
    { ...row, deliveryId: 'd1', state: 'uncertain', fault: 'lost' },
    { ...row, deliveryId: 'd2', state: 'dead', fault: 'irc: no such nick' },
    { ...row, deliveryId: 'd3', state: 'waiting', fault: 'busy' },
  ]
  const list = { deliveries: rows, total: 3 }
  const answers = { 'deliveries.list': list, 'deliveries.resolve': {}, 'deliveries.resubmit': {} }
  await withStandIn({ answers }, async (call, standIn) => {
    const { stdout } = await call('deliveries', 'list')
    const sent = await call('deliveries', 'resolve', 'd1', '--as', 'sent')
    const unsent = await call('deliveries', 'resolve', 'd1', '--as', 'not-sent')
    const again = await call('deliveries', 'resubmit', 'd2')

    assert.match(stdout, /d1 +uncertain +ann on irc .* the gateway ended meanwhile +"hi/)
    assert.match(stdout, /d2 +dead .* irc: no such nick /)
    assert.not.ok(stdout.includes('d3') || stdout.includes('\u001b'))
    assert.is(sent.stdout, 'd1 was sent: that is noted\n')
    assert.is(unsent.stdout, 'd1 was not sent: resubmit it, or dismiss it\n')
    assert.is(again.stdout, 'd2 goes out again\n')
    assert.equal(
      standIn.params('deliveries.resolve').map(({ sent: was }) => was),
      [true, false],
    )
  })
})

const DELTAS: Follow = [
  ['agent', { runId: 'r1', sessionKey: 'agent:main:main', status: 'started', attempt: 1 }],
  ['agent.delta', { runId: 'r0', index: 0, text: 'of another run' }],
  ['agent.delta', { runId: 'r1', index: 0, text: 'Hel\u001b[31m' }],
  ['agent.delta', { runId: 'r1', index: 1, text: 'lo' }],
]
const ACCEPTED = { runId: 'r1', sessionKey: 'agent:main:main', status: 'accepted', position: 11 }
const DONE: Follow = [['agent.done', { runId: 'r1', status: 'done', text: 'Hel\u001b[31mlo' }]]

verbs('C3 agent prints the answer as it streams, of its own run only', async () => {
  const script = { answers: { agent: ACCEPTED }, follows: { agent: [...DELTAS, ...DONE] } }
  await withStandIn(script, async (call, standIn) => {
    const args = ['--message', '-hi', '--session', 'main', '--thinking', 'high', '--key', 'k1']
    const { code, stdout } = await call('agent', ...args)

    assert.is(code, 0)
    assert.is(stdout, 'Hello\n')
    assert.equal(standIn.params('agent'), [
      { message: '-hi', sessionKey: 'main', thinking: 'high', idempotencyKey: 'k1' },
    ])
  })
})

verbs('C4 a retry voids what was streamed, and the last answer stands whole', async () => {
  const retried: Follow = [
    ...DELTAS,
    ['agent', { runId: 'r1', status: 'retrying', attempt: 2 }],
    ['agent.delta', { runId: 'r1', index: 0, text: 'Good ' }],
    ['agent.done', { runId: 'r1', status: 'done', text: 'Good day' }],
  ]
  await withStandIn({ answers: { agent: ACCEPTED }, follows: { agent: retried } }, async (call) => {
    const { code, stdout, stderr } = await call('agent', '--message', 'hi')

    assert.is(code, 0)
    assert.is(stdout, 'Hello\nGood day\n')
    assert.match(stderr, /void/)
  })
})

verbs('C5 an answer that did not stream, or streamed otherwise, is printed whole', async () => {
  const silent: Follow = [['agent.done', { runId: 'r1', status: 'done', text: 'All at once' }]]
  await withStandIn({ answers: { agent: ACCEPTED }, follows: { agent: silent } }, async (call) => {
    assert.is((await call('agent', '--message', 'hi')).stdout, 'All at once\n')
  })
  const other: Follow = [...DELTAS, ['agent.done', { runId: 'r1', status: 'done', text: 'Other' }]]
  await withStandIn({ answers: { agent: ACCEPTED }, follows: { agent: other } }, async (call) => {
    assert.is((await call('agent', '--message', 'hi')).stdout, 'Hello\nOther\n')
  })
})

verbs('C6 a failed or aborted run exits with 1 and says why', async () => {
  const error = { code: 'UNAVAILABLE', message: 'the model gave no answer' }
  for (const status of ['failed', 'aborted']) {
    const follows = { agent: [['agent.done', { runId: 'r1', status, text: '', error }]] as Follow }
    await withStandIn({ answers: { agent: ACCEPTED }, follows }, async (call) => {
      const { code, stdout, stderr } = await call('agent', '--message', 'hi')

      assert.is(code, 1)
      assert.is(stdout, '')
      assert.match(stderr, new RegExp(`${status}: the model gave no answer`))
    })
  }
})

verbs('C7 agent --json writes each event and then the result, one object a line', async () => {
  const script = { answers: { agent: ACCEPTED }, follows: { agent: [...DELTAS, ...DONE] } }
  await withStandIn(script, async (call) => {
    const lines = linesOf(await call('agent', '--message', 'hi', '--json'))

    assert.equal(
      lines.map(({ event, type }) => event ?? type),
      ['agent', 'agent.delta', 'agent.delta', 'agent.done', 'result'],
    )
    const { ok, text, runId, sessionKey } = lines.at(-1)!
    assert.equal(
      { ok, text, runId, sessionKey },
      { ok: true, text: 'Hel\u001b[31mlo', runId: 'r1', sessionKey: 'agent:main:main' },
    )
  })
})

verbs('C8 a connection that ends in the middle is an error, not an answer', async () => {
  const script = { answers: { agent: ACCEPTED }, follows: { agent: DELTAS }, hangUpAfter: 'agent' }
  await withStandIn(script, async (call) => {
    const { code, stderr } = await call('agent', '--message', 'hi')

    assert.is(code, 1)
    assert.match(stderr, /the connection to ws:.* ended \(1001 gone\)/)
  })
})

verbs('C9 a key that was used before gets its old answer out of the journal', async () => {
  const answers = { agent: { ...ACCEPTED, position: 7 } }
  await withStandIn({ answers, position: 10, resumed: DONE }, async (call, standIn) => {
    const { code, stdout } = await call('agent', '--message', 'hi', '--key', 'k1')

    assert.is(code, 0)
    assert.is(stdout, 'Hello\n')
    assert.is(standIn.params('connect')[1]?.['resumeFrom'], 6)
    assert.is(standIn.params('agent').length, 1)
  })
})

const SENT = { deliveryId: 'd1', channel: 'irc', target: '#home', status: 'accepted', position: 11 }
const SEND = ['send', '--channel', 'irc', '--target', '#home', '--message', 'hello'] as const

verbs('C10 send tells what became of the message', async () => {
  const outcomes = [
    ['sent', 0, /^sent to #home on irc\n$/],
    ['failed', 1, /not sent to #home on irc: no such room/],
    ['uncertain', 1, /may or may not have it: no such room/],
  ] as const
  for (const [status, expected, pattern] of outcomes) {
    const error = status === 'sent' ? {} : { error: { message: 'no such room' } }
    const follow: Follow = [
      ['delivery', { deliveryId: 'd0', status: 'failed' }],
      ['delivery', { deliveryId: 'd1', status: 'retrying', error: { message: 'busy' } }],
      ['delivery', { deliveryId: 'd1', status, ...error }],
    ]
    await withStandIn(
      { answers: { send: SENT }, follows: { send: follow } },
      async (call, standIn) => {
        const { code, stdout, stderr } = await call(...SEND)
        const json = await call(...SEND, '--json', '--key', 'k1')

        assert.is(code, expected)
        assert.match(stdout + stderr, pattern)
        assert.is(linesOf(json)[0]?.['status'], status)
        assert.is(json.code, expected)
        assert.is(standIn.params('send')[1]?.['idempotencyKey'], 'k1')
        assert.equal(standIn.params('connect')[0]?.['subscribe'], ['delivery'])
      },
    )
  }
})

verbs('C11 what the gateway refuses is told with its code', async () => {
  const faults = { send: { code: 'CHANNEL_UNKNOWN', message: 'no channel is named irc' } }
  await withStandIn({ faults }, async (call) => {
    const text = await call(...SEND)
    const json = await call(...SEND, '--json')

    assert.is(text.code, 1)
    assert.match(text.stderr, 'openclaw: no channel is named irc')
    assert.equal(JSON.parse(json.stdout), {
      ok: false,
      error: { code: 'CHANNEL_UNKNOWN', message: 'no channel is named irc' },
    })
  })
})

verbs('C12 sessions are a table for people and rows for programs', async () => {
  const row = {
    key: 'agent:main:irc:direct:bob\u001b[2J',
    channel: 'irc',
    peer: 'bob',
    model: null,
    created: '2026-01-01T00:00:00Z',
    lastMessageAt: '2026-02-01T10:30:00Z',
    messageCount: 42,
  }
  await withStandIn({ answers: { 'sessions.list': { sessions: [row] } } }, async (call) => {
    const text = await call('sessions')
    const json = await call('sessions', 'list', '--json')

    assert.match(text.stdout, /^KEY +CHANNEL +PEER +MODEL +MESSAGES +LAST MESSAGE\n/)
    assert.match(
      text.stdout,
      /\nagent:main:irc:direct:bob +irc +bob +- +42 +2026-02-01T10:30:00Z\n$/,
    )
    assert.equal(JSON.parse(json.stdout), { sessions: [row] })
  })
})

verbs('C13 the command line is one device, its token kept for the owner only', async () => {
  await withStandIn({}, async (call, standIn, stateDir) => {
    await call('health')
    await call('health')

    const path = join(stateDir, 'client.json')
    const [first, second] = standIn.params('connect')
    assert.is(statSync(path).mode & 0o777, 0o600)
    assert.is(first?.['deviceId'], second?.['deviceId'])
    assert.equal(shownIn(first), [])
    assert.equal(shownIn(second), ['issued-1'])
    assert.match(String(first?.['deviceId']), /^[\da-f]{64}$/)
    assert.match(readFileSync(path, 'utf8'), '"deviceToken":"issued-3"')
    for (const { auth } of [first, second] as { auth: Record<string, string> }[]) {
      assert.is(auth['challenge'], 'n')
      assert.match(auth['challengeResponse'] ?? '', /^[\w-]{86}$/)
      assert.match(auth['publicKey'] ?? '', /^[\w-]{43}$/)
    }
  })
})

verbs(
  'C14 a token that the gateway has forgotten is given up, a damaged file replaced',
  async () => {
    await withStandIn({ forgetful: true }, async (call, standIn, stateDir) => {
      const path = join(stateDir, 'client.json')
      writeFileSync(path, '{"deviceId":"cli-1","deviceToken":"old"}')
      const forgotten = await call('health')
      writeFileSync(path, '{"deviceId":')
      const damaged = await call('health')

      assert.equal([forgotten.code, damaged.code], [0, 0])
      const [shown, given, fresh] = standIn.params('connect')
      assert.equal(shown?.['auth'], { deviceToken: 'old' })
      assert.equal([given?.['deviceId'], given?.['auth']], ['cli-1', {}])
      assert.is.not(fresh?.['deviceId'], 'cli-1')
    })
  },
)

verbs(
  'C15 a wrong token is refused with a hint, the right one from the flag is shown',
  async () => {
    await withStandIn({ token: 'right' }, async (call) => {
      const wrong = await call('health', '--token', 'wrong')
      const right = await call('health', '--token', 'right')

      assert.is(wrong.code, 1)
      assert.match(wrong.stderr, /the token is wrong\n.*--token TOKEN/)
      assert.is(right.code, 0)
    })
  },
)

verbs.run()
