/**
 * `kill -9` of the gateway and of a channel's server at random moments while people write, then an
 * audit: nothing lost that the platform keeps, nothing twice unmarked, every conversation in order.
 *
 *   node dist/scripts/bench/channel-loop.js --channel discord|irc|telegram|webhook [--cycles 30] [--seed 1] [--queue MODE]
 *   exit code   0: every promise held · 1: one did not; each fault is a line
 */
import { parseArgs } from 'node:util'
import { isPlayersKind } from '../../tests/support/channel-players.ts'
import { runChannelLoop } from '../../tests/support/channel-loop.ts'

const LINE_EVERY = 10

const { values } = parseArgs({
  options: {
    channel: { type: 'string', default: 'telegram' },
    cycles: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    queue: { type: 'string', default: 'followup' },
  },
})
const { channel, queue } = values
const [cycles, seed] = [Number(values.cycles), Number(values.seed)]
if (!isPlayersKind(channel)) {
  console.log(`channel loop: expected discord, irc, telegram or webhook, got ${channel}`)
  process.exit(2)
}
const { faults, counts } = await runChannelLoop({
  channel,
  cycles,
  seed,
  queue,
  progress: (cycle, so) => {
    if (cycle % LINE_EVERY === 0) console.log(`channel loop: cycle ${cycle}: ${listOf(so)}`)
  },
})
for (const fault of faults) console.log(`channel loop: FAULT ${fault}`)
const run = `${channel}, ${queue}, ${cycles} cycles, seed ${seed}`
console.log(`channel loop, ${run}: ${listOf(counts)}, faults ${faults.length}`)
process.exit(faults.length === 0 ? 0 : 1)

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')
}
