/** The configuration machine: judged before it counts, and told how it ended. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { given } from '../support/given.ts'

const config = suite('config machine')

const wake = {
  sessionKey: 'agent:main:main',
  runId: 'w1',
  ref: 'b:note',
  model: 'echo',
  messagesMax: 9,
}
const proposed = (changes: object = {}) => ({
  type: 'config.proposed',
  change: 'c1',
  via: 'patch',
  by: 'd',
  base: 'aa',
  hash: 'bb',
  before: 'b:1',
  after: 'b:2',
  paths: 1,
  hot: true,
  delayMs: 2_000,
  wake,
  ...changes,
})
const done = (name: string, facts: object = {}) => ({
  type: 'effect.done',
  effect: '1.e0',
  name,
  attempt: 1,
  reason: '',
  ...facts,
})
const valid = done('config.check', { valid: true })
const booted = (hash: string, reason = '') => ({ type: 'config.booted', hash, reason, runId: 'r' })

config('C50 a change is checked before it is written', () => {
  const { value, effects } = given('config', []).when(proposed())

  assert.is(value, 'checking')
  assert.equal(
    effects.map(({ name }) => name),
    ['config.check'],
  )
  assert.equal(
    given('config', [proposed()])
      .when(valid)
      .effects.map(({ name }) => name),
    ['config.write'],
  )
})

config('C50 a change that does not stand the check is rejected, and its session told why', () => {
  const { value, context, sends, effects } = given('config', [proposed()]).when(
    done('config.check', { valid: false, reason: 'b:why' }),
  )

  assert.equal([value, context['fault'], context['rejected'], effects], ['idle', 'invalid', 1, []])
  assert.equal([sends[0]?.to, sends[0]?.event['ref']], ['session:agent:main:main', 'b:why'])
})

config('C51 what is hot takes effect once written, and wakes the session with its note', () => {
  const { value, context, sends } = given('config', [proposed(), valid]).when(done('config.write'))

  assert.equal([value, context['hash'], context['applied']], ['idle', 'bb', 1])
  assert.is(sends[0]?.event['ref'], 'b:note')
})

config('C52 everything else waits for its restart, and counts when the boot runs with it', () => {
  const asked = proposed({ hot: false })
  const written = given('config', [asked, valid]).when(done('config.write'))
  const events = [asked, valid, done('config.write')]
  const due = given('config', events).when({ type: 'restart.due' })
  const good = given('config', [...events, { type: 'restart.due' }]).when(booted('bb'))
  const bad = given('config', [...events, { type: 'restart.due' }]).when(booted('aa', 'b:why'))

  assert.equal([written.value, written.sends], ['restarting', []])
  assert.equal(
    written.waits.map(({ id, dueAt }) => [id, dueAt]),
    [['restart', 4_000]],
  )
  assert.equal(
    due.effects.map(({ name }) => name),
    ['gateway.restart'],
  )
  assert.equal(
    [good.value, good.context['hash'], good.sends[0]?.event['ref']],
    ['idle', 'bb', 'b:note'],
  )
  assert.equal([bad.value, bad.context['hash'], bad.context['fault']], ['idle', 'aa', 'rolledBack'])
  assert.is(bad.sends[0]?.event['ref'], 'b:why')
})

config('C53 a second change waits for nobody: it is ignored while one is in hand', () => {
  assert.is(given('config', [proposed()]).when(proposed({ change: 'c2' })).ignored, 'unhandled')
})

config('K6 a check or a write that was lost with its process ends the change', () => {
  const lost = (name: string) => ({
    type: 'effect.lost',
    effect: '1.e0',
    name,
    attempt: 1,
    started: false,
  })

  assert.equal(given('config', [proposed()]).when(lost('config.check')).context['fault'], 'lost')
  const written = given('config', [proposed(), valid]).when(lost('config.write'))
  assert.is(written.value, 'restarting')
  const after = given('config', [proposed(), valid, lost('config.write')])
  assert.is(after.when(booted('bb')).context['hash'], 'bb')
  assert.is(after.when(booted('aa')).context['fault'], 'rolledBack')
})

config.run()
