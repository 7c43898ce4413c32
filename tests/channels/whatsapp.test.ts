/** The channel contract on a stand-in for baileys; no WhatsApp of anybody else can be had offline. */
import { openWhatsApp } from '../../actors/channels/whatsapp.ts'
import { FakeWhatsApp, heldInMemory, secretsInMemory } from '../support/whatsapp-fake.ts'
import { channelContract } from './contract.ts'
import type { ChannelWorld } from './stage.ts'

async function startWorld(): Promise<ChannelWorld> {
  const server = new FakeWhatsApp()
  const files = { secrets: secretsInMemory(), held: heldInMemory() }
  return {
    adapter: (host, services) => openWhatsApp(files, host, services, async () => server),
    say: async (text) => server.say(text),
    heard: () => server.texted.map(({ text }) => text),
    person: { target: '+491700000501', senderId: '+491700000501' },
    stop: async () => server.stop(),
    start: async () => server.start(),
    freeze: () => server.freeze(),
    revoke: async () => {
      server.isLinked = false
    },
    close: async () => server.stop(),
  }
}

channelContract({
  name: 'whatsapp',
  start: startWorld,
  badTargets: ['ann', '', '491700000501', '+49 170', '1@s.whatsapp.net', '+1@g.us'],
  absent: '+404000000',
  links: true,
  noticesDrops: true,
  redelivers: true, // Not WhatsApp: what was acknowledged is kept in files.
  longText: 'Der Reiher fängt Fische 🐟 '.repeat(400).trim(),
  join: (pieces) => pieces.join(' '),
})
