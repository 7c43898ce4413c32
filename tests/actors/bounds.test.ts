/**
 * The bounds of the door, one by one: what crossing each is answered, and with which code and
 * reason the socket then ends. Bounds that need a table of their own have it in `door.test.ts`.
 */
import '../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { openFakeClock } from '../support/clock.ts'
import { startTestGateway, stopWith } from '../support/gateway.ts'
import { type Heard, OPCODES, RawSocket, rawFrame, request } from '../support/raw-socket.ts'

const bounds = cases('bounds')

interface Crossing {
  readonly name: string
  readonly admitted?: true
  readonly bytes: readonly Buffer[]
  readonly heard: readonly Heard[] // all of it, but the end
  readonly reason: string // '': ws has none but its code
}

const HEALTH = rawFrame({ payload: request('health#1') })
const CONNECT = rawFrame({ payload: request('connect', { deviceId: 'raw', subscribe: [] }) })
const wrong = { deviceId: 'raw', auth: { bootstrapToken: 'wrong' } }
const pieces = Array.from({ length: limits.fragmentsMax + 1 }, (_, n) =>
  rawFrame({ fin: false, opcode: n === 0 ? OPCODES.text : OPCODES.continuation, payload: 'x' }),
)

const CROSSINGS: readonly Crossing[] = [
  {
    name: 'S08 a first request that is not connect',
    bytes: [HEALTH],
    heard: ['res INVALID_REQUEST', 'close 1008'],
    reason: 'INVALID_REQUEST',
  },
  {
    name: 'S08 a second frame before connect is judged',
    bytes: [CONNECT, CONNECT],
    heard: ['res INVALID_REQUEST', 'close 1008'],
    reason: 'INVALID_REQUEST',
  },
  {
    name: 'S26 a connect that is refused',
    bytes: [rawFrame({ payload: request('connect', wrong) })],
    heard: ['res UNAUTHORIZED', 'close 1008'],
    reason: 'UNAUTHORIZED',
  },
  {
    name: 'S11 a frame over preAuthFrameBytesMax, from its header alone',
    bytes: [rawFrame({ declared: BigInt(limits.preAuthFrameBytesMax) + 1n })],
    heard: ['close 1009'],
    reason: '',
  },
  {
    name: 'S12 a frame over frameBytesMax, from its header alone',
    admitted: true,
    bytes: [rawFrame({ declared: BigInt(limits.frameBytesMax) + 1n })],
    heard: ['close 1009'],
    reason: '',
  },
  {
    name: 'S13 a message of more than fragmentsMax pieces',
    admitted: true,
    bytes: pieces,
    heard: ['close 1008'],
    reason: '',
  },
  {
    name: 'S17 more than controlFramesBurst pongs at once',
    admitted: true,
    bytes: Array.from({ length: limits.controlFramesBurst + 1 }, () =>
      rawFrame({ opcode: OPCODES.pong }),
    ),
    heard: ['close 1008'],
    reason: 'too many control frames',
  },
  {
    name: 'S20 a binary frame',
    admitted: true,
    bytes: [rawFrame({ opcode: OPCODES.binary, payload: 'x' })],
    heard: ['close 1003'],
    reason: 'text frames only',
  },
]

for (const { name, admitted, bytes, heard, reason } of CROSSINGS) {
  bounds(`${name} ends in ${heard.join(', ')}`, async () => {
    const house = await startTestGateway()
    const { port } = house.gateway
    const raw = admitted ? await RawSocket.connected(port) : await RawSocket.upgrade(port)
    raw.heard.length = 0

    raw.write(...bytes)
    await raw.until((each) => each.startsWith('close') || each === 'end')

    assert.equal(
      raw.heard.filter((each) => each !== 'end'),
      heard,
    )
    assert.equal(raw.reasons, [reason])
    raw.destroy()
    await house.stop()
  })
}

bounds(
  'S09 no connect within connectDeadlineMs is answered, then closed with TIMEOUT',
  async () => {
    const clock = openFakeClock()
    const house = await startTestGateway({ services: { clock } })
    const raw = await RawSocket.upgrade(house.gateway.port)

    await clock.advance(limits.connectDeadlineMs - 1)
    assert.equal(raw.heard, ['http 101'])
    await clock.advance(1)
    await raw.until((each) => each.startsWith('close'))

    assert.equal(raw.heard.slice(1, 3), ['res TIMEOUT', 'close 1008'])
    assert.equal(raw.reasons, ['TIMEOUT'])
    raw.destroy()
    await stopWith(house, clock)
  },
)

bounds(
  'S35 P12 a revoked device that neither reads nor answers is gone within a second',
  async () => {
    const clock = openFakeClock()
    const house = await startTestGateway({ services: { clock } })
    const boss = house.client()
    await boss.connect({ deviceId: 'boss', subscribe: [] })
    const rude = await RawSocket.connected(house.gateway.port, 'rude')

    assert.is((await boss.request('device.revoke', { deviceId: 'rude' })).ok, true)
    await rude.until((each) => each === 'close 1008')
    rude.write(rawFrame({ payload: request('agent#late', { message: 'x' }) }))
    assert.ok(limits.expelGraceMs < 1_000)
    await clock.advance(limits.expelGraceMs)
    await rude.until((each) => each === 'end')

    assert.equal(rude.heard, ['close 1008', 'end'])
    assert.equal(rude.reasons, ['device.revoked'])
    assert.not.match(JSON.stringify(house.services.lines), 'late')
    await stopWith(house, clock)
  },
)

bounds.run()
