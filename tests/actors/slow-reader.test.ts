/** A client that does not read: what it costs, how it ends, and that it loses nothing (S41). */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { startTestGateway } from '../support/gateway.ts'
import { until } from '../support/wait.ts'

const slow = cases('slow reader')

slow(
  'S41 P7 F41 a slow reader is closed with a reason at its bound, others are served, and it resumes without loss',
  async () => {
    const house = await startTestGateway()
    const subscribe = ['agent.done']
    const sleeper = house.client()
    await sleeper.connect({ deviceId: 'sleeper', subscribe })
    const writer = house.client()
    await writer.connect({ deviceId: 'writer', subscribe })
    sleeper.socket.pause()
    const seen = () =>
      Math.max(0, ...sleeper.events.map(({ payload }) => Number(payload['position'])))

    const message = 'x'.repeat(limits.messageBytesMax / 2)
    let sent = 0
    const isCut = () =>
      house.services.lines.some(({ phrase }) => phrase === 'websocket closed: slow reader')
    while (!isCut()) {
      assert.ok(sent < 64, 'the bound was never reached')
      const sessionKey = `agent:main:s${(sent += 1)}`
      assert.is((await writer.request('agent', { message, sessionKey })).ok, true)
      await writer.event('agent.done', (payload) => payload['sessionKey'] === sessionKey)
    }
    const { fields } = house.services.lines.find(({ phrase }) => phrase.includes('slow reader'))!
    assert.ok(Number(fields['bytes']) <= limits.connectionBufferBytesMax)
    sleeper.socket.resume()
    const { code, reason } = await sleeper.closed
    assert.equal([code, reason], [1013, 'slow reader: resume from the last position'])
    assert.is((await writer.request('health')).ok, true)

    const again = house.client()
    const hello = await again.connect({ deviceId: 'sleeper', subscribe, resumeFrom: seen() })
    assert.is(hello.ok, true)
    const told = () =>
      [...sleeper.events, ...again.events].map(({ payload }) => payload['position'])
    const expected = writer.events.map(({ payload }) => payload['position'])
    await until(() => expected.every((position) => told().includes(position)), 'what was missed')
    const positions = told().map(Number)
    assert.equal(
      positions,
      [...positions].sort((a, b) => a - b),
      'in order',
    )
    assert.equal(positions, [...new Set(positions)], 'once each')
    assert.ok(again.events.length > 0)
    await house.stop()
  },
)

slow(
  'S41 a reader that never comes back is gone after a moment, and its memory with it',
  async () => {
    const house = await startTestGateway()
    const sleeper = house.client()
    await sleeper.connect({ deviceId: 'sleeper', subscribe: ['agent.done'] })
    const writer = house.client()
    await writer.connect({ deviceId: 'writer', subscribe: ['presence'] })
    sleeper.socket.pause()

    const message = 'x'.repeat(limits.messageBytesMax / 2)
    const isGone = () =>
      writer.events.some(({ payload }) => payload['deviceId'] === 'sleeper' && !payload['online'])
    for (let n = 0; n < 40; n += 1) {
      await writer.request('agent', { message, sessionKey: `agent:main:s${n}` })
    }

    await until(isGone, 'the end of the sleeper')
    assert.is((await writer.request('health')).ok, true)
    await house.stop()
  },
)

slow.run()
