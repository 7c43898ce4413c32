/** Names that would like to be obeyed: no verb that prints one lets it through (S46). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { type Script, StandIn } from '../support/stand-in.ts'

const names = suite('hostile names')

const HOSTILE =
  'a\u001b[31mred\u001b]0;title\u0007\u009b2J\u0090x\u0000\b\u007f\u202eevil\u2066\u200f\u2028z\r\nok    all good'

// Everything that a terminal, or the eye, would obey. The verb's own newlines are looked at apart.
const OBEYED =
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/

const row = {
  key: HOSTILE,
  channel: HOSTILE,
  peer: HOSTILE,
  model: HOSTILE,
  created: HOSTILE,
  lastMessageAt: HOSTILE,
  messageCount: 1,
}
const SCRIPT: Script = {
  position: 1,
  answers: {
    health: {
      status: HOSTILE,
      uptime: 1,
      sessions: 1,
      agents: 0,
      channels: { [HOSTILE]: HOSTILE },
      probes: { [HOSTILE]: { ok: true, ms: 1, detail: HOSTILE } },
    },
    'sessions.list': { sessions: [row] },
    send: { deliveryId: 'd1', channel: HOSTILE, target: HOSTILE, status: 'accepted', position: 2 },
    agent: { runId: 'r1', sessionKey: HOSTILE, status: 'accepted', position: 2 },
    'channel.pairing.list': {
      channel: 'irc',
      pending: [{ senderId: HOSTILE, askedAt: 1, expiresAt: 2, rejected: false }],
      approved: [HOSTILE],
    },
    'channel.pairing.approve': { channel: 'irc', senderId: HOSTILE, position: 2 },
  },
  follows: {
    send: [['delivery', { deliveryId: 'd1', status: 'sent', messageId: HOSTILE, position: 3 }]],
    agent: [
      ['agent.delta', { runId: 'r1', sessionKey: 'k', attempt: 1, index: 0, text: HOSTILE }],
      ['agent.done', { runId: 'r1', sessionKey: 'k', status: 'done', text: HOSTILE, position: 3 }],
    ],
  },
}

const VERBS: readonly (readonly string[])[] = [
  ['health'],
  ['health', '--probe'],
  ['status'],
  ['sessions'],
  ['sessions', 'list'],
  ['send', '--channel', 'irc', '--target', 'ann', '--message', 'hi'],
  ['agent', '--message', 'hi'],
  ['pairing', 'list', 'irc'],
  ['pairing', 'approve', 'irc', 'AAAA-AAAA'],
]

for (const verb of VERBS) {
  names(`S46 ${verb.join(' ')} prints nothing that a terminal would obey`, () =>
    withDirectory(async (stateDir) => {
      const standIn = await StandIn.start(SCRIPT)
      const { stdout, stderr } = await cli(stateDir, [...verb, '--port', String(standIn.port)])
      await standIn.stop()

      assert.not.match(stdout, OBEYED)
      assert.not.match(stderr, OBEYED)
      assert.ok((stdout + stderr).length > 0)
    }),
  )
}

names('S46 a name makes no line of its own in a list', () =>
  withDirectory(async (stateDir) => {
    const standIn = await StandIn.start(SCRIPT)
    for (const [verb, lines] of [
      [['sessions'], 2],
      [['pairing', 'list', 'irc'], 3],
      [['pairing', 'approve', 'irc', 'AAAA-AAAA'], 1],
    ] as const) {
      const { stdout } = await cli(stateDir, [...verb, '--port', String(standIn.port)])
      assert.is(stdout.split('\n').length - 1, lines, `${verb.join(' ')}: ${stdout}`)
    }
    await standIn.stop()
  }),
)

names('S46 an error of the gateway is shown without what a terminal would obey', () =>
  withDirectory(async (stateDir) => {
    const fault = { code: 'CHANNEL_UNKNOWN', message: HOSTILE }
    const standIn = await StandIn.start({ faults: { send: fault, health: fault } })
    for (const verb of [
      ['send', '--channel', 'x', '--target', 'y', '--message', 'z'],
      ['health'],
    ]) {
      const { code, stdout, stderr } = await cli(stateDir, [
        ...verb,
        '--port',
        String(standIn.port),
      ])
      assert.is.not(code, 0)
      assert.not.match(stdout + stderr, OBEYED)
    }
    await standIn.stop()
  }),
)

names.run()
