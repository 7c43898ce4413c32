/** The channel contract on the fake Discord. */
import { channelContract } from './contract.ts'
import { startDiscordWorld } from './discord-world.ts'

channelContract({
  name: 'discord',
  start: startDiscordWorld,
  badTargets: ['ann', '', '501', 'user:ann', 'channel:', 'channel:1/../2'],
  absent: 'channel:404',
  links: true,
  noticesDrops: true,
  redelivers: true,
  longText: 'Der Reiher fängt Fische 🐟 '.repeat(200).trim(),
  join: (pieces) => pieces.join(' '),
})
