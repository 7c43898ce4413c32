/** The channel contract on InspIRCd, which names messages and echoes ours. */
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { never } from '../support/attempts.ts'
import { startInspircd } from '../support/inspircd.ts'
import { until } from '../support/wait.ts'
import { channelContract } from './contract.ts'
import { ircKind } from './irc-world.ts'
import { deliver, onStage } from './stage.ts'

const kind = ircKind('irc on InspIRCd', startInspircd, false)
const named = cases('irc on InspIRCd, its own')

named('A27 it names messages both ways: msgid and echo-message are really in use', () =>
  onStage(kind, async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)
    await world.say('hello')
    await until(() => made.told.messages.length === 1, 'the message')

    const receipt = await deliver(made, world.person.target, 'tea')

    const ids = [made.told.messages[0]?.messageId ?? '', receipt.messageId ?? '']
    // `TID~TIME~COUNT` is how InspIRCd 3 writes them; an arrival of ours has another form.
    for (const id of ids) assert.match(id, /^\w+~\d+~\d+$/)
    assert.is.not(ids[0], ids[1])
  }),
)

named.run()
channelContract(kind)
