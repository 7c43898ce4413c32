/** The driver of model calls: what it adds to the prompt. */
import '../../actors/trap.ts'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatSystem } from '../../actors/prompt.ts'

const run = suite('model driver')

run('D-26 sender, channel and time stand in the system message, after the configured one', () => {
  const at = Date.UTC(2026, 10, 23, 12)
  const client = { channel: null, room: null, sender: null, at }

  assert.is(formatSystem('', client), 'The time is 2026-11-23T12:00:00.000Z.')
  assert.match(
    formatSystem('Be brief.', { channel: 'irc', room: '#home', sender: 'ann', at }),
    /^Be brief\.\n\nThe time is .*Z\. The last message is from ann in #home on irc\.$/,
  )
  assert.match(
    formatSystem('', { channel: 'irc', room: null, sender: 'ann', at }),
    /from ann, directly, on irc\.$/,
  )
})

run.run()
