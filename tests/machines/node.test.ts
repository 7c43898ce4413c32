/** One node, step by step: what it offers, what of it a person allows, which connection is its. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kinds } from '../../machines/kinds.ts'
import type { NodeContext } from '../../machines/node.ts'
import { formatValue } from '../../machines/step.ts'
import type { JournalEvent } from '../../protocol/record.ts'

const node = suite('node')
const { stepper } = kinds.node

function connected(
  connectionId: string,
  requestId: string,
  commands: string[],
  caps: string[] = [],
) {
  return {
    type: 'node.connected',
    nodeId: 'n'.repeat(64),
    connectionId,
    requestId,
    displayName: 'box',
    platform: 'linux',
    version: '1',
    clientId: 'node-host',
    surface: { caps, commands },
  }
}

const decided = (type: string, requestId: string) => ({ type, requestId, by: 'd' })

function fold(...events: readonly JournalEvent[]) {
  let snapshot = stepper.initial
  let ignored: string | null = null
  for (const [index, event] of events.entries()) {
    const stepped = stepper.step(snapshot, event, 1_000 + index)
    ignored = stepped.ignored
    snapshot = stepped.snapshot
  }
  const context = snapshot.context as NodeContext
  return { value: formatValue(snapshot), context, ignored }
}

node('NO1 what a node declares is an offer: nothing is allowed until a person says so', () => {
  const { value, context } = fold(connected('c1', 'q1', ['system.run'], ['system']))

  assert.is(value, 'online')
  assert.equal(context.approved, { caps: [], commands: [] })
  assert.equal(context.request, {
    requestId: 'q1',
    caps: ['system'],
    commands: ['system.run'],
    requestedAt: 1_000,
  })
})

node('NO2 approval allows what its request named; another request’s id is refused', () => {
  const asks = connected('c1', 'q1', ['system.run'])

  const wrong = fold(asks, decided('surface.approved', 'q2'))
  const right = fold(asks, decided('surface.approved', 'q1'))
  const twice = fold(asks, decided('surface.approved', 'q1'), decided('surface.approved', 'q1'))

  assert.equal([wrong.ignored, wrong.context.approved.commands], ['refused', []])
  assert.equal(right.context.approved.commands, ['system.run'])
  assert.equal([right.context.request, right.context.approvedAt], [null, 1_001])
  assert.is(twice.ignored, 'refused')
})

node('NO3 more than was allowed asks again, and until then the old allowance holds', () => {
  const known = [connected('c1', 'q1', ['a']), decided('surface.approved', 'q1')]

  const same = fold(...known, connected('c2', 'q2', ['a']))
  const less = fold(...known, connected('c2', 'q2', []))
  const more = fold(...known, connected('c2', 'q2', ['a', 'b']))
  const rejected = fold(
    ...known,
    connected('c2', 'q2', ['a', 'b']),
    decided('surface.rejected', 'q2'),
  )

  assert.equal([same.context.request, less.context.request], [null, null])
  assert.equal([more.context.request?.requestId, more.context.approved.commands], ['q2', ['a']])
  assert.equal([rejected.context.request, rejected.context.approved.commands], [null, ['a']])
})

node('NO4 the same offer again keeps its request, another offer has a new one', () => {
  const first = connected('c1', 'q1', ['a', 'b'])

  assert.is(fold(first, connected('c2', 'q2', ['b', 'a'])).context.request?.requestId, 'q1')
  assert.is(fold(first, connected('c2', 'q2', ['a'])).context.request?.requestId, 'q2')
})

node('NO5 a newer connection takes over; the end of the older one changes nothing', () => {
  const late = { type: 'node.disconnected', connectionId: 'c1' }
  const both = [connected('c1', 'q1', []), connected('c2', 'q2', [])]

  const old = fold(...both, late)
  const own = fold(...both, { ...late, connectionId: 'c2' })

  assert.equal([old.value, old.ignored, old.context.connectionId], ['online', 'refused', 'c2'])
  assert.equal([own.value, own.context.connectionId], ['offline', ''])
})

node('NO6 a removed node is a stranger again', () => {
  const known = [
    connected('c1', 'q1', ['a']),
    decided('surface.approved', 'q1'),
    { type: 'node.renamed', name: 'attic', by: 'd' },
  ]

  assert.is(fold(...known).context.name, 'attic')
  const removed = fold(...known, { type: 'node.removed', by: 'd' })
  assert.equal(
    [removed.value, removed.context.approved.commands, removed.context.name],
    ['removed', [], ''],
  )
  assert.is(fold(...known, { type: 'node.removed', by: 'd' }, known[2]!).ignored, 'unhandled')
  const back = fold(...known, { type: 'node.removed', by: 'd' }, connected('c2', 'q2', ['a']))
  assert.equal([back.value, back.context.request?.requestId], ['online', 'q2'])
})

node.run()
