/** The channel contract on the fake Telegram that posts to us. */
import { channelContract } from './contract.ts'
import { startTelegramWorld, TELEGRAM } from './telegram-world.ts'

channelContract({
  ...TELEGRAM,
  name: 'telegram, posting',
  noticesDrops: false,
  start: () => startTelegramWorld(true),
})
