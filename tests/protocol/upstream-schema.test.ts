/**
 * The oracle of the upstream dialect, held to what the real gateway sent: an oracle that refuses
 * the original, or takes anything, would prove nothing about ours.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FrameAudit } from '../support/frame-audit.ts'
import {
  checkEvent,
  checkFrame,
  checkParams,
  checkResult,
  SchemaFault,
} from '../support/upstream-schema.ts'

const upstream = suite('upstream-schema')

/** A frame of the real gateway; with `method`, the request that it answers. */
interface Sample {
  readonly method?: string
  readonly params?: unknown
  readonly frame: {
    readonly type: string
    readonly event?: string
    readonly ok?: boolean
    readonly payload?: Record<string, unknown>
  }
}

const FILE = new URL('../../../tests/fixtures/upstream/2026.9.6.jsonl', import.meta.url)
const samples = readFileSync(fileURLToPath(FILE), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Sample)

function answerTo(method: string): Record<string, unknown> {
  const found = samples.find((sample) => sample.method === method && sample.frame.ok === true)
  return found?.frame.payload ?? {}
}

function eventOf(name: string, state?: string): Record<string, unknown> {
  const found = samples.find(
    ({ frame }) =>
      frame.event === name && (state === undefined || frame.payload?.['state'] === state),
  )
  return found?.frame.payload ?? {}
}

/** The faults that a check finds. */
function faultsOf(run: () => unknown): readonly string[] {
  try {
    run()
    return []
  } catch (thrown) {
    if (!(thrown instanceof SchemaFault)) throw thrown
    return thrown.faults
  }
}

upstream('U-O1 the published schema takes what the real gateway sent', () => {
  const faults: string[] = []
  let checked = 0
  for (const { method, params, frame } of samples) {
    const run = (check: () => string): void => {
      faults.push(...faultsOf(() => (checked += check() === 'checked' ? 1 : 0)))
    }
    run(() => checkFrame(frame))
    if (frame.event !== undefined) run(() => checkEvent(frame.event!, frame.payload))
    if (method !== undefined) run(() => checkParams(method, params))
    if (method !== undefined && frame.ok === true) {
      run(() => checkResult(method, frame.payload, params))
    }
  }

  assert.equal(faults, [])
  assert.ok(checked > samples.length, `${checked} checks of ${samples.length} samples`)
})

upstream('U-O2 the samples hold the handshake, a run and the lists that clients read', () => {
  const methods = new Set(samples.map(({ method }) => method))
  const states = samples.flatMap(({ frame }) => frame.payload?.['state'] ?? [])

  for (const method of ['connect', 'health', 'chat.send', 'agent', 'sessions.list', 'node.list']) {
    assert.ok(methods.has(method), method)
  }
  for (const state of ['status', 'delta', 'final']) assert.ok(states.includes(state), state)
})

upstream('U-O3 a frame with an unknown key, an error of null or no type is refused', () => {
  const event = { type: 'event', event: 'tick', payload: { ts: 1 }, seq: 1 }

  assert.equal(checkFrame(event), 'checked')
  assert.equal(
    faultsOf(() => checkFrame({ ...event, extra: 1 })),
    ['/extra: not in the schema'],
  )
  assert.ok(faultsOf(() => checkFrame({ ...event, seq: null })).length > 0)
  assert.ok(faultsOf(() => checkFrame({ type: 'res', id: '1', ok: true, error: null })).length > 0)
  assert.match(faultsOf(() => checkFrame({ id: 'health' })).join(), /\/type: expected req/)
})

upstream('U-O4 parameters that lack a key or have a strange one are refused by path', () => {
  const params = { sessionKey: 'main', message: 'hi', idempotencyKey: 'k' }

  assert.equal(checkParams('chat.send', params), 'checked')
  assert.equal(
    faultsOf(() => checkParams('chat.send', { sessionKey: 'main', message: 'hi' })),
    ['/idempotencyKey: missing'],
  )
  assert.equal(
    faultsOf(() => checkParams('chat.send', { ...params, sesionId: 'x' })),
    ['/sesionId: not in the schema'],
  )
})

upstream(
  'U-O5 a hello without policy, a health without plugins and a row without key are refused',
  () => {
    const { policy: _, ...hello } = answerTo('connect')
    const row = { kind: 'direct', updatedAt: 1 }

    assert.equal(
      faultsOf(() => checkResult('connect', hello)),
      ['/policy: missing'],
    )
    assert.ok(
      faultsOf(() => checkResult('health', { ...answerTo('health'), ok: 'yes' })).length > 0,
    )
    assert.ok(faultsOf(() => checkResult('sessions.list', { sessions: [row] })).length > 0)
    assert.ok(faultsOf(() => checkResult('system-presence', [{ host: 'x' }])).length > 0)
  },
)

upstream('U-O6 a chat delta without deltaText is refused', () => {
  const { deltaText: _, ...delta } = eventOf('chat', 'delta')

  assert.equal(checkEvent('chat', eventOf('chat', 'delta')), 'checked')
  assert.ok(faultsOf(() => checkEvent('chat', delta)).length > 0)
})

upstream('U-O7 what the package has no schema for is told apart from what it accepts', () => {
  assert.equal(checkResult('config.get', { anything: true }), 'unpublished')
  assert.equal(checkEvent('no.such.event', {}), 'unpublished')
})

upstream('U-O8 an audit finds gaps in seq, errors of null and answers to nothing', () => {
  const audit = new FrameAudit()
  const from = (who: 'client' | 'gateway', frame: unknown): void =>
    audit.take({ at: 0, connection: 1, from: who, frame })

  from('client', { type: 'req', id: '1', method: 'wake', params: {} })
  from('gateway', { type: 'res', id: '1', ok: true, payload: { ok: true }, error: null })
  from('gateway', { type: 'res', id: '2', ok: true, payload: {} })
  from('gateway', { type: 'event', event: 'tick', payload: { ts: 1 }, seq: 1 })
  from('gateway', { type: 'event', event: 'tick', payload: { ts: 2 }, seq: 3 })

  const { frames, faults, unpublished } = audit.report()
  assert.is(frames, 4)
  assert.ok(faults.has('result wake: error is null'))
  assert.ok(faults.has('result: of a request that was not made'))
  assert.ok(faults.has('seq: a gap after event tick'))
  assert.ok(unpublished.has('result wake'))
})

upstream('U-O9 a connection of protocol 3 is held to the envelope alone', () => {
  const audit = new FrameAudit()
  const connect = { type: 'req', id: '1', method: 'connect', params: { maxProtocol: 3 } }
  audit.take({ at: 0, connection: 1, from: 'client', frame: connect })
  const event = { type: 'event', event: 'chat', payload: { state: 'delta' }, seq: 41 }
  audit.take({ at: 0, connection: 1, from: 'gateway', frame: event })
  audit.take({ at: 0, connection: 1, from: 'gateway', frame: { ...event, extra: 1 } })

  assert.equal([...audit.report().faults.keys()], ['frame: /extra: not in the schema'])
})

upstream('U-O10 the hello says which protocol is spoken, not the wish of the client', () => {
  const audit = new FrameAudit()
  const connect = { type: 'req', id: '1', method: 'connect', params: { maxProtocol: 4 } }
  const hello = { type: 'res', id: '1', ok: true, payload: { type: 'hello-ok', protocol: 3 } }
  const chat = { type: 'event', event: 'chat', payload: { state: 'delta' }, seq: 41 }
  audit.take({ at: 0, connection: 1, from: 'client', frame: connect })
  audit.take({ at: 0, connection: 1, from: 'gateway', frame: hello })
  audit.take({ at: 0, connection: 1, from: 'gateway', frame: chat })
  audit.take({ at: 0, connection: 2, from: 'client', frame: connect })
  audit.take({ at: 0, connection: 2, from: 'gateway', frame: chat })

  const faults = [...audit.report().faults.keys()]
  assert.not(faults.some((fault) => fault.startsWith('result connect')))
  assert.ok(faults.some((fault) => fault.startsWith('event chat')))
})

upstream.run()
