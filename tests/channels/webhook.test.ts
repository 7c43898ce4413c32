/** The channel contract on the webhook channel: a program that posts, and takes what is posted. */
import { openWebhook } from '../../actors/channels/webhook.ts'
import { postWebhook } from '../../actors/webhook.ts'
import type { ResolvedWebhookChannel } from '../../protocol/config/channel-defaults.ts'
import { postMessage, WEBHOOK_SECRET, WebhookPeer } from '../support/webhook-peer.ts'
import { channelContract } from './contract.ts'
import type { ChannelWorld } from './stage.ts'
import { openDoor } from './telegram-world.ts'

channelContract({
  name: 'webhook',
  start,
  badTargets: ['', ' ', 'a\nb', 'room:', 'room:%zz', 'x'.repeat(65)],
  absent: null,
  links: false,
  noticesDrops: false,
  redelivers: true,
  longText: 'Der Reiher fängt Fische 🐟 '.repeat(400).trim(),
  join: (pieces) => pieces.join(' '),
})

async function start(): Promise<ChannelWorld> {
  const peer = await WebhookPeer.start()
  const door = await openDoor()
  const config: ResolvedWebhookChannel = {
    secret: WEBHOOK_SECRET,
    path: '/hooks/message',
    url: peer.url,
    allowPrivate: true,
    dmPolicy: 'open',
    allowFrom: [],
    groupPolicy: 'allowlist',
    groups: {},
  }
  let count = 0
  const waiting: { id: string; text: string }[] = []
  // A program as it should be: one message at a time, again until it is answered with 200.
  let posting: Promise<void> | null = null
  let over = false
  const work = async (): Promise<void> => {
    for (;;) {
      const [next] = waiting
      if (next === undefined || over) break
      const status = await postMessage(`${door.url}/hooks/message`, { ...next, from: 'ann' })
      if (status === 200) waiting.shift()
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
    posting = null
  }
  return {
    adapter: (host, services) => {
      const adapter = openWebhook(config, host, services, postWebhook)
      if (adapter.hook !== undefined) door.lead(adapter.hook)
      return adapter
    },
    say: async (text) => {
      count += 1
      waiting.push({ id: `m${count}`, text })
      posting ??= work()
      await posting
    },
    heard: () => peer.texts,
    person: { target: 'ann', senderId: 'ann' },
    stop: () => peer.stop(),
    start: () => peer.listen(),
    hangUp: () => door.hangUp(),
    freeze: () => peer.freeze(),
    refuseOnce: () => peer.refuse(429, { 'retry-after': '2' }),
    close: async () => {
      over = true
      door.hangUp()
      await peer.stop()
      await door.close()
    },
  }
}
