/** Small notices: stops, pairing, configuration. */
import type { ConfigContext } from '../../machines/config.ts'
import type { PairingContext } from '../../machines/pairing.ts'
import { streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { CONFIG } from '../config.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Waiting } from '../pairings.ts'
import type { Feed, Teller } from './feed.ts'
import { formatWaiting } from './methods/devices.ts'

/** Tells of stops. */
export const tellStops: Teller = (record, feed) => {
  if (record.event.type === 'gateway.stopped') tellStop(record, feed)
}

/** Makes the teller of devices that ask to be paired, and of what became of them. */
export function pairingTeller({ pairings }: Pick<MethodHouse, 'pairings'>): Teller {
  return (record, feed) => {
    const { stream, event } = record
    if (!stream.startsWith('pairing:')) return
    const pairingId = streamName(stream)
    const context = pairings.snapshot(pairingId)?.context as PairingContext | undefined
    if (context === undefined) return
    const { deviceId, request = null } = context
    switch (event.type) {
      case 'approval.requested':
      case 'upgrade.requested': {
        const upgrades = event.type === 'upgrade.requested'
        if (request !== null) tellRequest({ pairingId, deviceId, request, upgrades }, feed)
        return undefined
      }
      case 'device.approved':
      case 'upgrade.approved':
      case 'approval.rejected':
      case 'upgrade.rejected':
        return tellResolved(record, context, feed)
      default:
    }
  }
}

function tellStop({ event }: JournalRecord, feed: Feed): void {
  const isRestart = String(event['reason']).includes('restart')
  const restart = { reason: 'gateway restarting', restartExpectedMs: 1_500 }
  feed.announce('shutdown', isRestart ? restart : { reason: 'gateway stopping' })
}

/** Makes the teller of the configuration: of each change when it stands in its file. */
export function configTeller({
  registry,
  configuration,
}: Pick<MethodHouse, 'registry' | 'configuration'>): Teller {
  return ({ stream, event, value, at: ts }, feed) => {
    if (stream !== CONFIG || event.type !== 'effect.done') return
    const { candidate: hash, restartAt } = registry.snapshot(CONFIG).context as ConfigContext
    // What was refused has no candidate any more; a restart that begins is told as a stop.
    const isWritten = value === 'restarting' ? restartAt > 0 : value === 'idle' && hash !== ''
    if (isWritten) feed.announce('config.changed', { path: configuration.path, hash, ts })
  }
}

// A list shows it in the same words, so that a client may put it there as it comes.
function tellRequest(asked: Waiting, feed: Feed): void {
  feed.announce('device.pair.requested', formatWaiting(asked))
}

function tellResolved(
  { event, at: ts }: JournalRecord,
  { deviceId }: PairingContext,
  feed: Feed,
): void {
  const { requestId = deviceId, type } = event
  const decision = type.endsWith('.approved') ? 'approved' : 'rejected'
  feed.announce('device.pair.resolved', { requestId, deviceId, decision, ts })
}
