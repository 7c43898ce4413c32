/** A short kill loop of a channel: `scripts/bench/channel-loop.ts` runs the long ones. */
import { cases } from '../store/cases.ts'
import { assertShortLoop } from '../support/channel-loop.ts'

const loop = cases('webhook loop')

loop('F01 F38 F39 webhook and the gateway killed: nothing lost, doubled or mixed up', () =>
  assertShortLoop('webhook'),
)

loop.run()
