/**
 * Frames of each dialect, whole and broken, on connections of the other, which may only read: each is
 * answered under its id or lets the socket go, and nothing is changed by any of them.
 */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { methods } from '../../../protocol/methods.ts'
import { UPSTREAM_METHOD_NAMES } from '../../../protocol/dialect/upstream/methods.ts'
import { cases } from '../../store/cases.ts'
import type { TestClient } from '../../support/client.ts'
import { KeyedDevice } from '../../support/device.ts'
import { mutate, openDice } from '../../support/fuzz-inputs.ts'
import { readRecords } from '../../support/kernel.ts'
import { inUpstream, type UpstreamWorld } from '../../support/upstream-client.ts'

const fuzz = cases('fuzz of dialects')

const SEEDS = [20_261_125, 7, 4_242]
const BATCHES = 30
const BATCH = 20

type Dice = (below: number) => number

/** Parameters as methods of both dialects have them; any of them may come with any method. */
const PARAMS: readonly (readonly [string, unknown])[] = [
  ['key', 'victim'],
  ['sessionKey', 'agent:main:victim'],
  ['message', 'hi'],
  ['idempotencyKey', 'k'],
  ['runKey', 'k'],
  ['runId', 'k'],
  ['raw', '{}'],
  ['baseHash', 'x'],
  ['deviceId', 'victim'],
  ['requestId', 'r'],
  ['role', 'operator'],
  ['nodeId', 'n'],
  ['id', 'a'],
  ['command', 'ls'],
  ['decision', 'deny'],
  ['to', 'ann'],
  ['target', 'ann'],
  ['channel', 'irc'],
  ['label', 'L'],
  ['limit', 5],
  ['events', ['tick']],
  ['filter', []],
  ['from', '#1'],
  ['keys', ['victim']],
  ['minProtocol', 4],
  ['maxProtocol', 4],
  ['text', 'x'],
  ['mode', 'now'],
  ['__proto__', {}],
  ['constructor', null],
]

const SEED_NAMES = Object.keys(methods)
const NAMES = [...SEED_NAMES, ...UPSTREAM_METHOD_NAMES]

function pick<T>(from: readonly T[], dice: Dice): T {
  return from[dice(from.length)] as T
}

/** A frame of one dialect, of the other, or of both at once. */
function frame(dice: Dice, n: number): Record<string, unknown> {
  const chosen = PARAMS.filter(() => dice(3) === 0)
  const params = Object.fromEntries(chosen)
  const seed = { type: 'req', id: `${pick(SEED_NAMES, dice)}#${n}`, params }
  const upstream = { type: 'req', id: `f${n}`, method: pick(NAMES, dice), params }
  return pick([seed, upstream, upstream, { ...seed, method: upstream.method }], dice)
}

/** Its text, which may have been broken on its way. */
function textOf(dice: Dice, n: number): string {
  const [one, other] = [frame(dice, n), frame(dice, n)].map((each) => ({
    state: 'connected' as const,
    bytes: Buffer.from(JSON.stringify(each)),
    whole: true,
  }))
  if (one === undefined || other === undefined) return '{'
  if (dice(3) > 0) return one.bytes.toString('utf8')
  return mutate(one, other, dice).bytes.toString('utf8').slice(0, 4_096)
}

const READS = ['operator.read'] as const

/** Opens a connection of either dialect that may only read. */
async function open(
  { client, enter }: UpstreamWorld,
  dialect: 'seed' | 'upstream',
  device: KeyedDevice,
): Promise<TestClient> {
  const socket = dialect === 'upstream' ? await enter({ device, scopes: READS }) : client()
  if (dialect === 'seed') {
    const hello = await device.connect(socket, {
      params: { scopes: READS },
      auth: { token: 'tok' },
    })
    assert.is(hello.ok, true, JSON.stringify(hello))
  }
  socket.frames.length = 0
  return socket
}

/** Asks for health in its dialect; resolves false where the socket is gone. */
async function isThere(client: TestClient, n: number): Promise<boolean> {
  const id = `health#there-${n}`
  try {
    await client.send(JSON.stringify({ type: 'req', id, method: 'health', params: {} }))
    const answer = await client.frame((each) => each.id === id, id)
    assert.is(answer.ok, true)
    return true
  } catch (thrown) {
    assert.match(String(thrown), /closed before/)
    return false
  }
}

/** What every answer names: an id that was sent, or that there was none to name. */
function assertNamed({ frames }: TestClient, sent: readonly string[]): void {
  const all = sent.join('\n')
  for (const { type, id } of frames) {
    if (type !== 'res' || id === 'invalid' || id === '') continue
    assert.ok(typeof id === 'string' && all.includes(JSON.stringify(id).slice(1, -1)), String(id))
  }
}

for (const dialect of ['seed', 'upstream'] as const) {
  fuzz(`UF1 whatever a ${dialect} connection is sent, it is answered and nothing changes`, () =>
    inUpstream(async (world) => {
      const device = new KeyedDevice()
      const boss = await world.enter()
      await boss.get('chat.send', { sessionKey: 'victim', message: 'x', idempotencyKey: 'mine' })
      await boss.event('chat', ({ state }) => state === 'final')
      await (await open(world, dialect, device)).close()
      await boss.get('sessions.list')
      const before = world.store.head().position

      let count = 0
      let answers = 0
      for (const seed of SEEDS) {
        const dice = openDice(seed)
        let client = await open(world, dialect, device)
        let earlier: string[] = []
        for (let batch = 0; batch < BATCHES; batch += 1) {
          const sent = Array.from({ length: BATCH }, () => textOf(dice, (count += 1)))
          await sendWhileOpen(client, sent)
          const isOpen = await isThere(client, count)
          // A read that takes turns may answer behind the next batch.
          assertNamed(client, [...earlier, ...sent, `health#there-${count}`, ...NAMES, 'connect'])
          earlier = sent
          answers += client.frames.filter(({ type }) => type === 'res').length
          client.frames.length = 0
          if (!isOpen) client = await open(world, dialect, device)
        }
        await client.close()
      }

      assert.is((await boss.ask('health')).ok, true)
      assert.ok(answers > (count * 9) / 10, `${answers} answers to ${count}`)
      const changed = readRecords(world.store)
        .filter(({ position }) => position > before)
        .filter(({ stream }) => !/^(?:connection:|gateway:main$)/.test(stream))
        .filter(({ event }) => event.type !== 'device.seen')
      assert.equal(
        changed.map(({ stream, event }) => `${stream} ${event.type}`),
        [],
      )
      const faults = world.services.lines.filter(({ level }) => level === 'error')
      assert.equal(faults, [])
    }),
  )
}

fuzz('UF2 before connect a frame of either dialect opens one, or is refused, and no more', () =>
  inUpstream(async ({ client, enter, services }) => {
    const boss = await enter()
    const dice = openDice(99)
    for (let n = 0; n < 60; n += 1) {
      const socket = client()
      await socket.event('connect.challenge')
      await socket.send(textOf(dice, n))
      const told = await Promise.race([
        socket.closed,
        socket.frame(({ type }) => type === 'res', 'answer').catch(() => socket.closed),
      ])
      assert.ok(told)
      assert.not.ok(socket.frames.some(({ ok }) => ok === true))
      await socket.close()
    }

    assert.is((await boss.ask('health')).ok, true)
    assert.equal(
      services.lines.filter(({ level }) => level === 'error'),
      [],
    )
  }),
)

async function sendWhileOpen(client: TestClient, texts: readonly string[]): Promise<void> {
  for (const text of texts) if (client.socket.readyState === 1) await client.send(text)
}

fuzz.run()
