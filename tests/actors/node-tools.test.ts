/** What the tools of nodes are called: no two nodes, and no two commands, share a name. */
import * as assert from 'uvu/assert'
import type { NodeRow } from '../../actors/nodes.ts'
import { offerNodes } from '../../actors/offered-tools.ts'
import { ToolRegistry } from '../../actors/tools/registry.ts'
import { cases } from '../store/cases.ts'

const names = cases('names of nodes’ tools')

interface Given {
  readonly nodeId: string
  readonly name: string
  readonly approvedAt: number
  readonly commands?: readonly string[]
  readonly state?: 'online' | 'offline'
}

const rowOf = ({ commands = ['lamp.set'], state = 'online', ...facts }: Given): NodeRow => {
  const approved = { caps: [], commands: [...commands] }
  return { state, context: { ...facts, displayName: '', approved } } as unknown as NodeRow
}

function offered(...rows: Given[]): [string, string][] {
  const registry = new ToolRegistry()
  assert.equal(
    offerNodes(registry, rows.map(rowOf), () => Promise.resolve({ text: '' })),
    [],
  )
  return registry.list().map(({ name, source }) => [source, name])
}

const FIRST = { nodeId: 'a', name: 'my lamp', approvedAt: 1 }
const SECOND = { nodeId: 'b', name: 'my.lamp', approvedAt: 2 }

names('TI26 nodes that are called alike share no name, whoever is connected', () => {
  const alone = offered(FIRST, { ...SECOND, approvedAt: 0 })
  const both = [
    ['node:a', 'node__my_lamp__lamp_set_ca9781'],
    ['node:b', 'node__my_lamp__lamp_set_3e23e8'],
  ]

  assert.equal(alone, [['node:a', 'node__my_lamp__lamp_set']])
  for (const rows of [
    [FIRST, SECOND],
    [SECOND, FIRST],
  ]) {
    assert.equal(
      offered(...rows).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      both,
    )
  }
  // Nobody answers for another under its name while that one is away.
  assert.equal(offered(SECOND, { ...FIRST, state: 'offline' }), [both[1]])
})

names('TI27 commands of one node that become one word, and names that are cut, stay apart', () => {
  const commands = ['lamp.set', 'lamp_set', 'lamp set']
  const long = ['x'.repeat(80) + 'a', 'x'.repeat(80) + 'b']
  const own = offered({ ...FIRST, commands: [...commands, ...long] }).map(([, name]) => name)

  assert.is(new Set(own).size, 5)
  assert.ok(own.includes('node__my_lamp__lamp_set'))
  for (const name of own) assert.ok(name.length <= 64, name)
})

names.run()
