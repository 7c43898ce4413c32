/** Short kill loops of the channels: `scripts/bench/channel-loop.ts` runs the long ones. */
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { runChannelLoop } from '../support/channel-loop.ts'

const loops = cases('channel loops')
const CYCLES = 3

for (const channel of ['telegram', 'webhook', 'irc'] as const) {
  loops(
    `F01 F38 F39 ${channel} and the gateway killed: nothing lost, doubled or mixed up`,
    async () => {
      const { faults, counts } = await runChannelLoop({ channel, cycles: CYCLES, seed: 20_261_125 })

      assert.equal(faults, [])
      assert.is(counts['kills'], CYCLES)
      assert.ok((counts['taken'] ?? 0) > 0, 'somebody was heard')
    },
  )
}

loops.run()
