/** The channel contract on the fake Telegram that redelivers, polled. */
import { channelContract } from './contract.ts'
import { startTelegramWorld, TELEGRAM } from './telegram-world.ts'

channelContract({
  ...TELEGRAM,
  name: 'telegram, polled',
  noticesDrops: true,
  start: () => startTelegramWorld(false),
})
