/** Merge patches, what differs, and what takes effect at once. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { changedPaths, isHot, mergePatch } from '../../../protocol/config/change.ts'
import { describeSchema } from '../../../protocol/config/describe.ts'

const change = suite('config change')

change('RFC 7396 the cases of its appendix', () => {
  const rows: readonly [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of rows) assert.equal(mergePatch(target, patch), result)
})

change('C51 only what is read anew for each message takes effect without a restart', () => {
  const effect = (before: object, after: object) => isHot(changedPaths(before, after))

  assert.ok(effect({}, { agents: { defaults: { model: 'a/b' } } }))
  assert.ok(effect({}, { session: { maxMessages: 5 }, models: { providers: { x: {} } } }))
  assert.not(effect({}, { gateway: { port: 1 } }))
  assert.not(
    effect(
      { agents: { defaults: { model: 'x', maxConcurrent: 1 } } },
      { agents: { defaults: { model: 'x' } } },
    ),
  )
  assert.not(effect({ channels: { irc: {} } }, {}))
})

const json = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(
    fc.nat(3),
    fc.dictionary(fc.constantFrom('x', 'y'), fc.nat(3), { noNullPrototype: true }),
  ),
  { noNullPrototype: true },
)

change('C54 nothing differs exactly where nothing has changed', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      const same = JSON.stringify(sorted(before)) === JSON.stringify(sorted(after))
      const paths = changedPaths(before, after)
      assert.is(paths.length === 0, same)
      assert.equal(changedPaths(before, before), [])
    }),
  )
})

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  )
}

change('C55 the schema lists every key with what it holds, secrets marked', () => {
  const keys = new Map(describeSchema().map((key) => [key.path, key]))

  assert.match(keys.get('gateway.port')?.expects ?? '', /integer/)
  assert.equal(keys.get('gateway.auth.token')?.secret, true)
  assert.equal(keys.get('models.providers.*.apiKey')?.secret, true)
  assert.equal(keys.get('session.maxMessages')?.effect, 'hot')
  assert.equal(keys.get('channels.irc.nick')?.effect, 'restart')
  assert.equal(keys.get('channels.discord.voice')?.supported, false)
  assert.equal(keys.get('channels.discord.token')?.secret, true)
  assert.equal(keys.get('channels.telegram.streaming')?.supported, false)
  assert.equal(keys.get('channels.telegram.botToken')?.secret, true)
  assert.equal(keys.get('channels.webhook.secret')?.secret, true)
})

change.run()
