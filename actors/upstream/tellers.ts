/** Small notices: what one record says by itself. */
import type { JournalRecord } from '../../protocol/record.ts'
import { streamName } from '../../protocol/ids.ts'
import type { Feed, Teller } from './feed.ts'

/** Tells of stops, of devices that ask to be paired and of what became of them, of configuration. */
export const tellSmall: Teller = (record, feed) => {
  switch (record.event.type) {
    case 'gateway.stopped':
      return tellStop(record, feed)
    case 'approval.requested':
      return tellRequest(record, feed)
    case 'device.approved':
      return tellResolved(record, feed, 'approved')
    case 'approval.rejected':
      return tellResolved(record, feed, 'rejected')
    default:
  }
}

function tellStop({ event }: JournalRecord, feed: Feed): void {
  const isRestart = String(event['reason']).includes('restart')
  const restart = { reason: 'gateway restarting', restartExpectedMs: 1_500 }
  feed.announce('shutdown', isRestart ? restart : { reason: 'gateway stopping' })
}

function tellRequest(record: JournalRecord, feed: Feed): void {
  const { requestId, origin } = record.event
  const deviceId = streamName(record.stream)
  const ts = record.at
  feed.announce('device.pair.requested', {
    requestId,
    deviceId,
    silent: false,
    isRepair: false,
    ...(typeof origin === 'string' ? { origin } : {}),
    ts,
  })
}

function tellResolved(record: JournalRecord, feed: Feed, decision: 'approved' | 'rejected'): void {
  const { requestId } = record.event
  const deviceId = streamName(record.stream)
  const ts = record.at
  feed.announce('device.pair.resolved', {
    requestId: requestId ?? deviceId,
    deviceId,
    decision,
    ts,
  })
}
