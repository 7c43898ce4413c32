/** Bounds that hold in upstream's dialect as in ours. */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { startTestGateway } from '../../support/gateway.ts'
import { ask, enter, WITH_TOKEN } from '../../support/upstream.ts'

const bounds = cases('upstream bounds')

bounds(
  "S39 the 31st control-plane write of a minute is refused in upstream's dialect too",
  async () => {
    const house = await startTestGateway({ config: WITH_TOKEN })
    const client = await enter(house)
    const codes: string[] = []

    for (let n = 0; n <= limits.controlWritesMax; n += 1) {
      const { error } = await ask(client, 'device.pair.reject', { requestId: 'nobody' })
      codes.push(error?.code ?? 'none')
    }

    assert.equal(new Set(codes.slice(0, -1)), new Set(['INVALID_REQUEST']))
    assert.is(codes.at(-1), 'UNAVAILABLE')
    await house.stop()
  },
)

bounds.run()
