/** What people write to the gateway itself, and what is a message all the same. */
import * as assert from 'uvu/assert'
import { readDecision, readDirective } from '../../protocol/directives.ts'
import { wordPhrase } from '../../protocol/phrases.ts'
import { cases } from '../store/cases.ts'

const test = cases('directives')

const READ: readonly [string, unknown][] = [
  ['/stop', { name: 'stop', values: [], rest: '' }],
  [' /STOP now ', { name: 'stop', values: [], rest: '' }],
  ['/stop@my_bot', { name: 'stop', values: [], rest: '' }],
  ['/think high please', { name: 'think', values: ['high'], rest: '' }],
  ['/think: high', { name: 'think', values: ['high'], rest: '' }],
  ['/new', { name: 'new', values: [], rest: '' }],
  ['/reset  hello\nyou', { name: 'new', values: [], rest: 'hello\nyou' }],
  ['/model home/llama3.2', { name: 'model', values: ['home/llama3.2'], rest: '' }],
  ['/approve 1a2b3c4d  once', { name: 'approve', values: ['1a2b3c4d', 'once'], rest: '' }],
  ['/Approve@bot 1A2b3c4d deny now', { name: 'approve', values: ['1A2b3c4d', 'deny'], rest: '' }],
  ['/approve 1a2b3c4d', { name: 'approve', values: ['1a2b3c4d'], rest: '' }],
  ['/approve', { name: 'approve', values: [], rest: '' }],
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

test('DV12 a decision is read in our words and in upstream’s, and nothing else is one', () => {
  assert.equal(['once', 'Always', 'DENY'].map(readDecision), ['allow-once', 'allow-always', 'deny'])
  assert.equal(['allow-once', 'allow-always'].map(readDecision), ['allow-once', 'allow-always'])
  for (const word of ['', 'yes', 'allow', 'constructor', 'once!']) {
    assert.is(readDecision(word), null, word)
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
