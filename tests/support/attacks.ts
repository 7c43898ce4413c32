/**
 * Runs tables of attacks against one gateway, many at a time, and one test for each row.
 *
 * A row passes when what comes back is what it says, and a well-behaved client, connected all the
 * while, is still answered after the batch that it was in.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startTestGateway } from './gateway.ts'
import { type Heard, RawSocket } from './raw-socket.ts'

const AT_A_TIME = 24

export interface Attack {
  readonly name: string // begins with the id of its S-case
  readonly state: 'tcp' | 'upgraded' | 'connected' // of the socket, before the bytes
  readonly bytes: (port: number) => readonly (Buffer | string)[]
  readonly expected: Heard // the first thing that comes back
}

interface Result {
  readonly heard: Heard
  readonly served: boolean
}

/** Makes a suite of a table that has so many rows and not one twice (S19). */
export function attackSuite(title: string, attacks: readonly Attack[], rowsMin: number): void {
  const test = suite(title)
  const results = new Map<Attack, Result>()
  test.before(async () => {
    const house = await startTestGateway()
    const steady = house.client()
    await steady.connect({ deviceId: 'steady' })
    const { port } = house.gateway
    for (let from = 0; from < attacks.length; from += AT_A_TIME) {
      const batch = attacks.slice(from, from + AT_A_TIME)
      const heard = await Promise.all(batch.map((attack) => attempt(port, attack)))
      const served = (await steady.request('health')).ok === true
      for (const [n, attack] of batch.entries()) {
        results.set(attack, { heard: heard[n] ?? 'nothing', served })
      }
    }
    const faults = house.services.lines.filter(({ level }) => level === 'error')
    await house.stop()
    assert.equal(faults, [])
  })
  for (const attack of attacks) {
    test(attack.name, () => {
      assert.equal(results.get(attack), { heard: attack.expected, served: true })
    })
  }
  test(`S19 ${title}: at least ${rowsMin} rows, each once and with the id of its case`, () => {
    const names = attacks.map(({ name }) => name)
    assert.ok(names.length >= rowsMin, `${names.length} rows`)
    assert.is(new Set(names).size, names.length)
    assert.equal(
      names.filter((name) => !/^S\d\d /.test(name)),
      [],
    )
  })
  test.run()
}

async function attempt(port: number, { state, bytes }: Attack): Promise<Heard> {
  const raw = await open(port, state)
  try {
    raw.write(...bytes(port))
    return await raw.until((heard) => heard !== 'http 101' || state === 'tcp')
  } catch (thrown) {
    return String(thrown)
  } finally {
    raw.destroy()
  }
}

async function open(port: number, state: Attack['state']): Promise<RawSocket> {
  if (state === 'upgraded') return RawSocket.upgrade(port)
  return state === 'connected' ? RawSocket.connected(port) : new RawSocket(port)
}
