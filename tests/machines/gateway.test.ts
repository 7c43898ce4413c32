/** The gateway machine: what holds channels after a crash loop, and what ends that. */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { gatewayWaits, type GatewayContext } from '../../machines/gateway.ts'
import { kinds } from '../../machines/kinds.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'

const gateway = cases('gateway machine')

const { stepper } = kinds.gateway
const T0 = 1_700_000_000_000
const MINUTE = 60_000

const booted = (epoch: number): JournalEvent => ({
  type: 'gateway.booted',
  epoch,
  version: '1',
  watched: true,
})
const old = (epoch: number): JournalEvent => ({ type: 'gateway.booted', epoch, version: '1' })

/** Folds events at minutes behind T0. */
function fold(events: readonly (readonly [minute: number, event: JournalEvent])[]) {
  let stepped = { snapshot: stepper.initial, effects: [] as readonly { name: string }[] }
  let ignored: string | null = null
  for (const [minute, event] of events) {
    const next = stepper.step(stepped.snapshot, event, T0 + minute * MINUTE)
    stepped = next
    ignored = next.ignored
  }
  const context = stepped.snapshot.context as GatewayContext
  return { context, value: stepped.snapshot.value, effects: stepped.effects, ignored }
}

const loop = [
  [0, booted(1)],
  [1, booted(2)],
  [2, booted(3)],
  [3, booted(4)],
] as const

gateway('CB1 PR18 three crashes in five minutes hold the channels, two do not', () => {
  const two = fold(loop.slice(0, 3))
  const three = fold(loop)

  assert.is(two.context.heldAt, undefined)
  assert.equal(gatewayWaits(two.value, two.context), [])
  assert.is(three.context.heldAt, T0 + 3 * MINUTE)
  assert.equal(gatewayWaits(three.value, three.context), [
    { id: 'hold', dueAt: T0 + 3 * MINUTE + limits.holdMs, event: { type: 'hold.due' } },
  ])
})

gateway('CB1 crashes far apart, and ordered ends, hold nothing', () => {
  const slow = fold(loop.map(([, event], index) => [index * 4, event] as const))
  const stopped: JournalEvent = { type: 'gateway.stopped', reason: 'SIGTERM' }
  const ordered = fold(
    loop.flatMap(([minute, event]) => [[minute, event] as const, [minute, stopped] as const]),
  )

  assert.is(slow.context.heldAt, undefined)
  assert.is(ordered.context.heldAt, undefined)
  assert.is(ordered.context.crashes, 0)
})

gateway('CB2 a release by a person, or ten quiet minutes, start the channels once', () => {
  for (const end of [{ type: 'channels.released', by: 'd1' }, { type: 'hold.due' }]) {
    const { context, effects } = fold([...loop, [5, end]])
    const again = fold([...loop, [5, end], [6, end]])

    assert.equal([context.heldAt, context.crashedAt], [0, []])
    assert.equal(
      effects.map(({ name }) => name),
      ['channels.start'],
    )
    assert.equal([again.ignored, again.effects.length], ['refused', 0])
  }
})

gateway('CB3 another crash renews the hold; an ordered restart keeps it', () => {
  const renewed = fold([...loop, [9, booted(5)]])
  const kept = fold([...loop, [4, { type: 'gateway.stopped', reason: 'restart' }], [5, booted(5)]])

  assert.is(renewed.context.heldAt, T0 + 9 * MINUTE)
  assert.is(kept.context.heldAt, T0 + 3 * MINUTE)
  assert.is(gatewayWaits(kept.value, kept.context).length, 1)
})

gateway('CB4 boots of older journals leave no trace of it', () => {
  const { context } = fold(loop.map(([minute, event]) => [minute, old(Number(event['epoch']))]))

  assert.equal(context, {
    epoch: 4,
    version: '1',
    bootedAt: T0 + 3 * MINUTE,
    crashes: 3,
    refused: 0,
    quarantined: [],
  })
})

gateway.run()
