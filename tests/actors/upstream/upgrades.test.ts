/** Devices that are in and ask for more: who grants it, who refuses it, and what they keep. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { cases } from '../../store/cases.ts'
import type { Frame } from '../../support/client.ts'
import { KeyedDevice } from '../../support/device.ts'
import { REMOTE } from '../../support/pairing.ts'
import { inUpstream, type UpstreamWorld } from '../../support/upstream-client.ts'

const upgrades = cases('upstream upgrades')

type Json = Record<string, unknown>

/** A device that is in for reading alone, and its token. */
async function reader({ guest }: UpstreamWorld) {
  const device = new KeyedDevice()
  const hello = await guest().knock({ device, scopes: ['operator.read'] })
  return { device, token: String(authOf(hello)['deviceToken']) }
}

const authOf = ({ payload }: Frame) => payload['auth'] as Json

upgrades('UC9 more scopes: given right here with the secret, refused without', () =>
  inUpstream(async (world) => {
    const { device, token } = await reader(world)
    const more = { device, scopes: ['operator.read', 'operator.admin'] }

    const far = world.guest(REMOTE)
    const refused = await far.knock({ ...more, auth: { deviceToken: token } })

    assert.is(refused.error?.code, 'NOT_PAIRED')
    const { code, reason, approvedScopes, requestedScopes } = refused.error?.details ?? {}
    const requestId = String(refused.error?.details?.['requestId'])
    assert.equal([code, reason], ['PAIRING_REQUIRED', 'scope-upgrade'])
    assert.equal(
      [approvedScopes, requestedScopes],
      [['operator.read'], ['operator.read', 'operator.admin']],
    )
    const closing = `pairing required: device is asking for more scopes (requestId: ${requestId})`
    assert.is((await far.closed).reason, closing)

    const given = await world.guest().knock(more)

    assert.equal(authOf(given)['scopes'], more.scopes)
    const kept = await world.guest(REMOTE).knock({
      ...more,
      auth: { deviceToken: String(authOf(given)['deviceToken']) },
    })
    assert.equal(authOf(kept)['scopes'], more.scopes)
  }),
)

upgrades('UC9 more scopes wait for a person, who may grant them; the token stays', () =>
  inUpstream(async (world) => {
    const boss = await world.enter({ scopes: ['operator.admin'] })
    const { device, token } = await reader(world)
    const auth = { deviceToken: token }
    const far = (scopes: string[]) => world.guest(REMOTE).knock({ device, auth, scopes })
    const requestOf = ({ error }: Frame) => error?.details?.['requestId']

    const wish = ['operator.read', 'operator.write']
    const requestId = requestOf(await far(wish))
    assert.is(typeof requestId, 'string')
    assert.is(requestOf(await far(wish)), requestId, 'the same wish is one request')
    const told = await boss.event('device.pair.requested')
    assert.equal([told.payload['requestId'], told.payload['scopes']], [requestId, wish])
    const { pending } = await boss.get('device.pair.list')
    assert.equal(
      (pending as Record<string, unknown>[]).map((row) => row['requestId']),
      [requestId],
    )
    const meanwhile = await far(['operator.read'])
    assert.equal(authOf(meanwhile)['method'], 'device-token')

    await boss.get('device.pair.approve', { requestId })
    await boss.event('device.pair.resolved', ({ decision }) => decision === 'approved')
    assert.equal(authOf(await far(wish))['scopes'], wish)

    const other = requestOf(await far(['operator.pairing']))
    await boss.get('device.pair.reject', { requestId: other })
    assert.is(requestOf(await far(['operator.pairing'])), undefined, 'not again within the hour')
    assert.is((await far(wish)).ok, true)
  }),
)

upgrades.run()
