/** Why not: twenty incidents with their verdicts and where the chain stops (history.md 3.14). */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { readGoal } from '../../../machines/history/goal.ts'
import { explainAbsence, type Verdict, type WhyNot } from '../../../machines/history/why-not.ts'
import { kinds } from '../../../machines/kinds.ts'
import type { JournalRecord } from '../../../protocol/record.ts'
import { cases } from '../../store/cases.ts'
import { refusal } from '../../store/contract.ts'
import { directFrom } from '../../support/facts.ts'
import { Scene } from '../../support/scene.ts'

const test = cases('why-not')

/** Plays an incident; returns the message that went unanswered. */
type Play = (scene: Scene) => Promise<JournalRecord>

interface Incident {
  readonly name: string
  readonly alive: boolean
  readonly play: Play
  readonly verdict: Verdict
  readonly reason?: string
  /** Type of the record at the frontier, and the output there without a successor. */
  readonly at?: readonly [type: string, output?: 'e0' | 's0' | 't0']
  readonly also?: (found: WhyNot, scene: Scene) => void
}

const CLOSED = { allowFrom: [], groupPolicy: 'disabled', rooms: {} }

const failed = (facts: object) => ({ type: 'effect.failed', class: 'network', ...facts }) as never

/** Ann writes, and then this happens. */
const after =
  (steps: (scene: Scene) => Promise<unknown>): Play =>
  async (scene) => {
    const message = await scene.write()
    await steps(scene)
    return message
  }

/** Ann writes, the model replies, and then this happens. */
const replied = (steps: (scene: Scene) => Promise<unknown>): Play =>
  after(async (scene) => {
    await scene.reply()
    await steps(scene)
  })

const INCIDENTS: readonly Incident[] = [
  {
    name: '1 the answer was delivered',
    alive: true,
    play: replied((scene) => scene.deliver()),
    verdict: 'happened',
    also: ({ chain, proof, frontier }) => {
      assert.equal([chain.length, proof, frontier], [7, null, null])
      assert.is(chain.at(-1)?.value, 'sent')
    },
  },
  {
    name: '2 the model is still thinking',
    alive: true,
    play: (scene) => scene.write(),
    verdict: 'pending',
    reason: 'model.call',
    at: ['run.requested', 'e0'],
    also: ({ proof }) => {
      assert.equal([proof?.value, proof?.reachable, proof?.goesOnAt], ['calling', [], null])
      assert.ok(proof?.accepts.includes('effect.done'))
    },
  },
  {
    name: '3 the process died while the model was thinking, and none has started since',
    alive: false,
    play: after((scene) => scene.die()),
    verdict: 'lost',
    reason: 'model.call',
    at: ['run.requested', 'e0'],
  },
  {
    name: '4 the process died in mid-delivery; the next one does not send again in silence',
    alive: true,
    play: replied(async (scene) => {
      await scene.die()
      await scene.restart()
    }),
    verdict: 'lost',
    reason: 'uncertain',
    at: ['effect.lost'],
    also: ({ proof }) =>
      assert.equal(
        [proof?.value, proof?.accepts],
        ['uncertain', ['delivery.resolved', 'delivery.resubmitted', 'delivery.dismissed']],
      ),
  },
  {
    name: '5 the platform refused the message',
    alive: true,
    play: replied((scene) =>
      scene.answer('message.deliver', failed({ class: 'blocked', retryable: false, sent: 'no' })),
    ),
    verdict: 'failed',
    reason: 'blocked',
    at: ['effect.failed'],
  },
  {
    name: '6 the platform was not there; the delivery waits for its next attempt',
    alive: true,
    play: replied((scene) =>
      scene.answer('message.deliver', failed({ retryable: true, sent: 'no' })),
    ),
    verdict: 'waiting',
    reason: 'retry.due',
    at: ['effect.failed', 't0'],
    also: ({ proof }, scene) => {
      assert.equal(proof?.reachable, ['attempting'])
      assert.ok((proof?.goesOnAt ?? 0) > scene.clock.now())
    },
  },
  {
    name: '7 a stranger wrote directly',
    alive: true,
    play: (scene) => scene.write({ senderId: 'eve', roomId: 'eve' }),
    verdict: 'refused',
    reason: 'dm.allowlist',
    at: ['message.received'],
  },
  {
    name: '8 the bot was not addressed in the room',
    alive: true,
    play: (scene) => scene.write({ peer: 'channel', roomId: '#home', mentioned: false }),
    verdict: 'refused',
    reason: 'group.notMentioned',
    at: ['message.received'],
  },
  {
    name: '9 the room is not on the list',
    alive: true,
    play: (scene) => scene.write({ peer: 'channel', roomId: '#other' }),
    verdict: 'refused',
    reason: 'group.notListed',
    at: ['message.received'],
  },
  {
    name: '10 the session was full',
    alive: true,
    play: (scene) => scene.write({ pending: 21 }),
    verdict: 'refused',
    reason: 'session.full',
    at: ['message.received'],
  },
  {
    name: '11 another message is being answered first',
    alive: true,
    play: async (scene) => {
      await scene.write()
      return scene.write()
    },
    verdict: 'blocked',
    reason: 'queued behind run run-1',
    at: ['message.accepted'],
    also: ({ frontier, proof }) =>
      assert.equal([frontier?.stream, proof?.value], ['run:run-1', 'calling']),
  },
  {
    name: '12 the message before it was lost with the process, and both wait',
    alive: false,
    play: after(async (scene) => {
      await scene.write()
      await scene.die()
    }),
    verdict: 'lost',
    at: ['run.requested', 'e0'],
    also: ({ blocks }, scene) => assert.equal(blocks, [scene.newest('message.accepted').position]),
  },
  {
    name: '13 the model refused the key',
    alive: true,
    play: after((scene) => scene.answer('model.call', failed({ class: 'auth', retryable: false }))),
    verdict: 'failed',
    reason: 'auth',
    at: ['run.finished'],
  },
  {
    name: '14 the model asked for patience',
    alive: true,
    play: after((scene) => scene.answer('model.call', failed({ class: 'rate', retryable: true }))),
    verdict: 'waiting',
    reason: 'retry.due',
    at: ['effect.failed', 't0'],
  },
  {
    name: '15 somebody aborted the run',
    alive: true,
    play: after(async (scene) => {
      await scene.kernel.tell('run:run-1', { type: 'run.aborted', by: 'd' })
      await scene.pass(1)
      await scene.answer('model.call', { type: 'effect.cancelled' })
      await scene.answer('model.cancel', { type: 'effect.done' })
    }),
    verdict: 'failed',
    reason: 'aborted',
    at: ['run.finished'],
    also: ({ ignored }) =>
      assert.ok(ignored.some(({ event }) => event.type === 'effect.cancelled')),
  },
  {
    name: '16 the process died four times in the same answer',
    alive: true,
    play: after(async (scene) => {
      for (let crash = 0; crash < 4; crash += 1) {
        await scene.die()
        await scene.restart()
      }
    }),
    verdict: 'failed',
    reason: 'lost',
    at: ['run.finished'],
  },
  {
    name: '17 a client was answered, and nothing had to be delivered',
    alive: true,
    play: async (scene) => {
      const message = await scene.ask('r1')
      await scene.reply()
      return message
    },
    verdict: 'happened',
  },
  {
    name: '18 the process died between a record and who it was for',
    alive: false,
    play: async (scene) => {
      await scene.die()
      return scene.write()
    },
    verdict: 'blocked',
    reason: 'message.accepted',
    at: ['message.received', 's0'],
    also: ({ frontier }) => assert.is(frontier?.stream, 'session:agent:main:irc:direct:ann'),
  },
  {
    name: '19 the platform fell silent in mid-send',
    alive: true,
    play: replied((scene) =>
      scene.answer(
        'message.deliver',
        failed({ class: 'timeout', retryable: false, sent: 'maybe' }),
      ),
    ),
    verdict: 'lost',
    reason: 'uncertain',
    at: ['effect.failed'],
  },
  {
    name: '20 an outcome of an earlier attempt came late and was refused',
    alive: true,
    play: after(async (scene) => {
      const event = { type: 'effect.done', effect: '0.e0', name: 'model.call', attempt: 7 }
      await scene.kernel.tell('run:run-1', event)
    }),
    verdict: 'pending',
    at: ['run.requested', 'e0'],
    also: ({ ignored }) =>
      assert.equal(
        ignored.map((record) => record.ignored),
        ['refused'],
      ),
  },
  {
    name: '21 the delivery was wished for and never begun',
    alive: false,
    play: after(async (scene) => {
      scene.kernel.kernel.outbox.drain()
      await scene.reply()
      await scene.die()
    }),
    verdict: 'lost',
    reason: 'message.deliver',
    at: ['delivery.requested', 'e0'],
  },
  {
    name: '22 an unknown sender was told a code, and that went well',
    alive: true,
    play: async (scene) => {
      const policy = { ...CLOSED, dmPolicy: 'pairing' }
      await scene.kernel.tell('channel:irc', { type: 'channel.enabled', channel: 'irc', policy })
      const message = await scene.write({ ...directFrom('eve'), codeDigest: 'd' })
      await scene.answer('code.tell', { type: 'effect.done' })
      return message
    },
    verdict: 'refused',
    reason: 'dm.pairing.code',
    at: ['message.received'],
  },
]

for (const incident of INCIDENTS) {
  test(`R10 incident ${incident.name}`, async () => {
    const scene = await Scene.open()
    const message = await incident.play(scene)

    const goal = readGoal(scene.history, `reply-to:#${message.position}`, null)
    const found = explainAbsence(scene.history, kinds, { ...goal, alive: incident.alive })

    assert.is(found.verdict, incident.verdict)
    assert.is(found.chain[0]?.position, message.position)
    if (incident.reason !== undefined) assert.is(found.frontier?.reason, incident.reason)
    if (incident.at !== undefined) {
      const [type, output] = incident.at
      const { record } = found.frontier ?? {}
      assert.is(record?.event.type, type)
      assert.is(
        found.frontier?.output,
        output === undefined ? null : `${record?.position}.${output}`,
      )
    }
    incident.also?.(found, scene)
  })
}

test('R10 a filter as goal: what was never asked for is told so', async () => {
  const scene = await Scene.open()
  const message = await scene.ask('r1')
  await scene.reply()

  const goal = readGoal(scene.history, 'type=delivery.requested', message.position)
  const found = explainAbsence(scene.history, kinds, { ...goal, alive: true })

  assert.is(found.verdict, 'never-requested')
  assert.is(found.frontier?.record.event.type, 'run.finished')
})

test('R10 goals that cannot be are refused', async () => {
  const scene = await Scene.open()
  const { history } = scene

  await refusal(() => readGoal(history, 'reply-to:#1', null), 'USAGE')
  await refusal(() => readGoal(history, 'reply-to:#99', null), 'NOT_FOUND')
  await refusal(() => readGoal(history, '1.e0', null), 'NOT_FOUND')
  await refusal(() => readGoal(history, 'run:none', null), 'NOT_FOUND')
  await refusal(() => readGoal(history, 'type=x', null), 'USAGE')
  await refusal(() => readGoal(history, 'colour=red', 1), 'USAGE')
})

test.run()
