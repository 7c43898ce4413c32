/** The step: equal to XState's own on fuzzed events, deterministic, trapped. */
import '../../actors/trap.ts'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { assign, enqueueActions, initialTransition, setup, transition } from 'xstate'
import { installTrap } from '../../actors/trap.ts'
import { kinds } from '../../machines/kinds.ts'
import { createStepper, formatValue, hashSnapshot, saveSnapshot } from '../../machines/step.ts'
import { STREAM_KINDS } from '../../protocol/ids.ts'
import { anyEventOf } from '../support/events.ts'

const step = suite('step')

// `OPENCLAW_FUZZ=1200` takes a million steps of each machine.
const SCALE = Number(process.env['OPENCLAW_FUZZ'] ?? '1')

for (const kind of STREAM_KINDS) {
  step(`K5 ${kind}: a step equals XState's transition() on fuzzed events`, () => {
    const { stepper } = kinds[kind]
    fc.assert(
      fc.property(fc.array(anyEventOf(kind), { maxLength: 12 }), (events) => {
        let [reference] = initialTransition(stepper.machine)
        let snapshot = stepper.initial
        let at = 1_800_000_000_000
        for (const event of events) {
          at += 1_000
          const [expected, actions] = transition(stepper.machine, reference, { ...event, at })
          const stepped = stepper.step(snapshot, event, at)

          assert.equal(saveSnapshot(stepped.snapshot), saveSnapshot(expected))
          const collected = stepped.effects.map((effect) => effect.name)
          const sent = stepped.sends.map(() => 'stream.send')
          assert.equal([...collected, ...sent].sort(), actions.map((action) => action.type).sort())
          reference = expected
          snapshot = stepped.snapshot
        }
      }),
      { numRuns: 150 * SCALE },
    )
  })

  step(`K3 ${kind}: the same events give the same states and outputs again`, () => {
    const { stepper } = kinds[kind]
    fc.assert(
      fc.property(fc.array(anyEventOf(kind), { maxLength: 10 }), (events) => {
        const fold = () => {
          let snapshot = stepper.initial
          const trace = events.map((event, index) => {
            const { snapshot: next, ...outputs } = stepper.step(snapshot, event, index)
            snapshot = next
            return { outputs, hash: hashSnapshot(next), value: formatValue(next) }
          })
          return JSON.stringify(trace)
        }
        assert.is(fold(), fold())
      }),
      { numRuns: 60 },
    )
  })

  step(`K4 ${kind}: a snapshot that was saved and restored goes on as if it had not been`, () => {
    const { stepper } = kinds[kind]
    fc.assert(
      fc.property(fc.array(anyEventOf(kind), { minLength: 2, maxLength: 10 }), (events) => {
        let live = stepper.initial
        let stored = stepper.initial
        for (const [index, event] of events.entries()) {
          live = stepper.step(live, event, index).snapshot
          const saved = JSON.parse(JSON.stringify(saveSnapshot(stored))) as ReturnType<
            typeof saveSnapshot
          >
          stored = stepper.step(stepper.restore(saved), event, index).snapshot
          assert.is(hashSnapshot(stored), hashSnapshot(live))
        }
      }),
      { numRuns: 60 },
    )
  })
}

const toy = setup({
  types: {
    context: {} as { n: number; now: number; text?: string },
    events: {} as { type: string },
  },
  actions: {
    'n.add': assign(({ context }) => ({ n: context.n + 1 })),
    'n.same': assign(({ context }) => context),
    'text.keep': assign(() => ({ n: 0, now: 0, text: 'x'.repeat(65) })),
    'time.read': assign(() => ({ now: Date.now() })),
    'time.send': enqueueActions(({ enqueue }) => {
      if (Math.random() < 2) enqueue('n.add')
    }),
    'toy.effect': () => {},
  },
  guards: {
    'n.isSmall': ({ context }) => context.n < 1,
    'time.isEven': () => Date.now() % 2 === 0,
  },
}).createMachine({
  id: 'toy',
  context: { n: 0, now: 0 },
  initial: 'on',
  states: {
    on: {
      on: {
        added: { guard: 'n.isSmall', actions: 'n.add' },
        touched: {},
        leaked: { actions: 'time.read' },
        judged: { guard: 'time.isEven', actions: 'n.add' },
        queued: { actions: 'time.send' },
        told: { actions: 'text.keep' },
        ended: { target: 'off', actions: 'toy.effect' },
      },
    },
    off: { type: 'final', entry: 'toy.effect' },
  },
})

step('K3 an event that changes nothing says why', () => {
  const stepper = createStepper(toy)
  const once = stepper.step(stepper.initial, { type: 'added' }, 0)

  assert.is(once.ignored, null)
  assert.is(stepper.step(once.snapshot, { type: 'added' }, 0).ignored, 'refused')
  assert.is(stepper.step(once.snapshot, { type: 'unknown' }, 0).ignored, 'unhandled')
  assert.is(stepper.step(once.snapshot, { type: 'touched' }, 0).ignored, 'unchanged')
})

step('K5 effects of the transition into a final state are collected, in order', () => {
  const stepper = createStepper(toy)

  const { effects, snapshot } = stepper.step(stepper.initial, { type: 'ended' }, 0)

  assert.is(snapshot.status, 'done')
  assert.equal(
    effects.map((effect) => effect.name),
    ['toy.effect', 'toy.effect'],
  )
})

step('K2 a machine that asks for the time is stopped, with its name and what was in hand', () => {
  installTrap()
  const stepper = createStepper(toy)
  const told = (type: string) => () => stepper.step(stepper.initial, { type }, 0)

  assert.throws(told('leaked'), /machine toy, action time.read: asked for now/)
  assert.throws(told('judged'), /machine toy, guard time.isEven: asked for now/)
  assert.throws(told('queued'), /machine toy, action time.send: asked for random/)
  assert.type(Date.now(), 'number')
})

step(
  'K1 a machine that keeps a text in its context is stopped, with the name of the member',
  () => {
    installTrap()
    const stepper = createStepper(toy)

    assert.throws(
      () => stepper.step(stepper.initial, { type: 'told' }, 0),
      /machine toy: text holds a text of 65 characters/,
    )
  },
)

step.run()
