/** The channel contract on ngIRCd. */
import { startNgircd } from '../support/ngircd.ts'
import { channelContract } from './contract.ts'
import { ircKind } from './irc-world.ts'

channelContract(ircKind('irc on ngIRCd', startNgircd, true))
