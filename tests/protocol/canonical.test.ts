/** Canonical JSON: one text for one value, however it was come by. */
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { canonical } from '../../protocol/canonical.ts'
import { cases } from '../store/cases.ts'

const text = cases('canonical')

// The definition, without any of the ways to be quick.
function plainly(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(plainly).join(',')}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]): [string, string] => [key, plainly(member)])
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${member}`).join(',')}}`
}

text('CN1 keys stand in order at every depth, undefined members are left out', () => {
  assert.is(canonical({ b: 1, a: { d: null, c: undefined } }), '{"a":{"d":null},"b":1}')
  assert.is(
    canonical({ a: 1, b: [undefined, { z: 0, y: 'ü"\n' }] }),
    '{"a":1,"b":[null,{"y":"ü\\"\\n","z":0}]}',
  )
  assert.is(canonical({ 10: 'x', 9: 'y' }), '{"10":"x","9":"y"}', 'as texts, not as numbers')
  assert.is(canonical(undefined), 'null')
  assert.is(canonical(Number.NaN), 'null')
})

text('CN1 no object writes itself', () => {
  const own = { toJSON: () => 'mine', a: 1 }

  assert.is(canonical(own), '{"a":1,"toJSON":null}')
  assert.is(canonical(new Date(0)), '{}')
})

text('CN2 (property) any value has the text of the definition', () => {
  const key = fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.constantFrom('a', 'b', '10', '9', '__proto__'),
  )
  const value = fc.anything({
    key,
    maxDepth: 4,
    values: [fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined)],
  })

  fc.assert(
    fc.property(value, (one) => {
      assert.is(canonical(one), plainly(one))
      assert.is(canonical(one, true), plainly(one))
    }),
    { numRuns: 500 },
  )
})

text('CN3 (property) a list that grows out of another has the text of the definition', () => {
  const entry = fc.record({ n: fc.nat(9), a: fc.string({ maxLength: 2 }) })
  const change = fc.record({
    append: fc.array(entry, { maxLength: 6 }),
    drop: fc.nat(3), // from the front
    pop: fc.nat(2), // from the end
    replace: fc.option(fc.nat(19), { nil: null }),
    back: fc.boolean(), // to the list before
  })

  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 14, maxLength: 24 }),
      fc.array(change, { maxLength: 12 }),
      (first, changes) => {
        let before = first
        let list = first
        assert.is(canonical(list, true), plainly(list))
        for (const { append, drop, pop, replace, back } of changes) {
          const from = back ? before : list
          before = list
          list = [...from.slice(drop, from.length - pop), ...append]
          if (replace !== null && replace < list.length) {
            list = list.with(replace, { n: 10, a: 'new' })
          }
          assert.is(canonical({ list, z: list }, true), plainly({ list, z: list }))
        }
      },
    ),
    { numRuns: 300 },
  )
})

text.run()
