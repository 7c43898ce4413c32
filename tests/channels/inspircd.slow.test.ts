/** The channel contract on InspIRCd, which names messages and echoes ours. */
import { startInspircd } from '../support/inspircd.ts'
import { channelContract } from './contract.ts'
import { ircKind } from './irc-world.ts'

channelContract(ircKind('irc on InspIRCd', startInspircd))
