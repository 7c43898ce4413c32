/** People and devices around a gateway: who asks from elsewhere, who approves, what was recorded. */
import * as assert from 'uvu/assert'
import type { ClientOptions } from 'ws'
import type { Frame, TestClient } from './client.ts'
import { type Changes, KeyedDevice } from './device.ts'
import type { TestGateway } from './gateway.ts'
import { readRecords } from './kernel.ts'

/** A peer that is not directly on loopback. */
export const REMOTE: ClientOptions = { headers: { 'x-forwarded-for': '203.0.113.7' } }

export const code = (frame: Frame): string | undefined => frame.error?.code
export const detail = (frame: Frame, name: string): unknown => frame.error?.details?.[name]

/** The types of a device's records, in order. */
export function typesOf({ store }: TestGateway, deviceId: string): string[] {
  return readRecords(store)
    .filter(({ stream }) => stream === `pairing:${deviceId}`)
    .map(({ event }) => event.type)
}

/** The owner, connected. */
export async function owner(house: TestGateway): Promise<TestClient> {
  const client = house.client()
  await client.connect({ deviceId: 'owner' })
  return client
}

/** A device asks from elsewhere; resolves with the refusal that tells it to wait. */
export async function ask(
  house: TestGateway,
  device: KeyedDevice,
  changes?: Changes,
): Promise<Frame> {
  const client = house.client(REMOTE)
  const answer = await device.connect(client, changes)
  assert.is((await client.closed).code, 1008)
  return answer
}

/** A device that a person has let in, and that person. */
export async function paired(
  house: TestGateway,
): Promise<{ device: KeyedDevice; boss: TestClient }> {
  const device = new KeyedDevice()
  const boss = await owner(house)
  const waits = await ask(house, device)
  const done = await boss.request('pairing.approve', { code: detail(waits, 'code') })
  assert.is(done.ok, true, JSON.stringify(done.error))
  return { device, boss }
}
