/**
 * Unknown senders of channels in upstream's dialect: who may look, and what there is not. That one is
 * let in, on a real server, is `scenarios/senders.test.ts`.
 */
import '../../../actors/trap.ts'
import * as assert from 'uvu/assert'
import { limits } from '../../../protocol/limits.ts'
import { cases } from '../../store/cases.ts'
import { inUpstream } from '../../support/upstream-client.ts'

const channels = cases('upstream channels')

const irc = { host: '127.0.0.1', port: 1, tls: false, nick: 'heron', dmPolicy: 'pairing' }
const config = { channels: { irc } }
const METHODS = [
  'channels.pairing.list',
  'channels.pairing.approve',
  'channels.pairing.dismiss',
] as const

channels('UH1 accounts are the channels, and nobody waits where nobody wrote', () =>
  inUpstream(
    async ({ enter }) => {
      const boss = await enter()
      const { accounts, requests, limits: bounds } = await boss.get(METHODS[0])
      const account = { channel: 'irc', channelLabel: 'IRC', accountId: 'default' }
      assert.equal(accounts, [{ ...account, notifySupported: false }])
      assert.equal(requests, [])
      const { sendersPendingMax: pendingPerAccount, senderCodeMs: ttlMs } = limits
      assert.equal(bounds, { pendingPerAccount, ttlMs })
      for (const asked of [{ channel: 'telegram' }, { accountId: 'other' }]) {
        assert.equal((await boss.get(METHODS[0], asked))['accounts'], [])
      }
    },
    { config },
  ),
)

channels('UH2 who does not wait is neither let in nor sent away, and only pairing may try', () =>
  inUpstream(
    async ({ enter }) => {
      const boss = await enter()
      const asked = { channel: 'irc', accountId: 'default', requestId: 'nobody' }
      for (const method of METHODS.slice(1)) {
        const gone = await boss.ask(method, asked)
        assert.is(gone.error?.message, 'pending DM access request no longer exists', method)
        const other = await boss.ask(method, { ...asked, channel: 'telegram' })
        assert.is(other.error?.details?.['path'], 'channel', method)
        const half = await boss.ask(method, { channel: 'irc' })
        assert.match(String(half.error?.message), /accountId/, method)
      }
      const writer = await enter({ scopes: ['operator.write', 'operator.read'] })
      for (const method of METHODS) {
        assert.is((await writer.ask(method, asked)).error?.code, 'FORBIDDEN', method)
      }
    },
    { config },
  ),
)

channels.run()
