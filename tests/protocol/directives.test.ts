/** What people write to the gateway itself, and what is a message all the same. */
import * as assert from 'uvu/assert'
import { readDirective } from '../../protocol/directives.ts'
import { wordPhrase } from '../../protocol/phrases.ts'
import { cases } from '../store/cases.ts'

const test = cases('directives')

const READ: readonly [string, unknown][] = [
  ['/stop', { name: 'stop', value: null, rest: '' }],
  [' /STOP now ', { name: 'stop', value: null, rest: '' }],
  ['/stop@my_bot', { name: 'stop', value: null, rest: '' }],
  ['/think high please', { name: 'think', value: 'high', rest: '' }],
  ['/think: high', { name: 'think', value: 'high', rest: '' }],
  ['/new', { name: 'new', value: null, rest: '' }],
  ['/reset  hello\nyou', { name: 'new', value: null, rest: 'hello\nyou' }],
  ['/model home/llama3.2', { name: 'model', value: 'home/llama3.2', rest: '' }],
]

test('DV5 a directive is read with its value, its address and its rest', () => {
  for (const [text, read] of READ) assert.equal(readDirective(text), read, text)
})

test('DV6 what only looks like one is a message', () => {
  for (const text of [
    'stop',
    'please /stop',
    '/stopping',
    '/etc/hosts',
    '//stop',
    '/',
    '/stop/it',
  ]) {
    assert.is(readDirective(text), null, text)
  }
})

test('DV7 a phrase that this version does not know is said by its name', () => {
  assert.is(wordPhrase({ id: 'from.later', facts: {} }), 'from.later')
  assert.match(wordPhrase({ id: 'queue.dropped', facts: { cap: 20 } }), /20/)
  const { length } = wordPhrase({
    id: 'setting.now',
    facts: { setting: 'model', value: 'x'.repeat(999) },
  })
  assert.is(length, 400)
})

test.run()
