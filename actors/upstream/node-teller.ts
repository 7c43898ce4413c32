/**
 * Nodes as upstream's clients are told of them: one that asks for more than it may, and what became
 * of that, which the node itself hears too and then shows again what it has.
 */
import { streamName } from '../../protocol/ids.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { NODE_APPROVE_SCOPES } from '../methods/nodes.ts'
import type { MethodHouse } from '../methods/house.ts'
import type { Feed, Teller } from './feed.ts'

/** Makes the teller of nodes. */
export function nodeTeller({ nodes }: Pick<MethodHouse, 'nodes'>): Teller {
  return (record, feed) => {
    if (!record.stream.startsWith('node:')) return
    const nodeId = streamName(record.stream)
    switch (record.event.type) {
      case 'node.connected':
        return tellAsking(record, feed, nodes.find(nodeId).context.request?.requestId)
      case 'surface.approved':
        return tellResolved(record, feed, nodes.find(nodeId).context.connectionId)
      case 'surface.rejected':
        return tellResolved(record, feed, nodes.find(nodeId).context.connectionId)
      default:
    }
  }
}

// One that was asked before, or that asks for nothing new, is not told again.
function tellAsking({ event, at: ts }: JournalRecord, feed: Feed, open: string | undefined): void {
  const { nodeId, requestId, displayName, platform, version, surface } = event
  if (requestId !== open) return
  const facts = { requestId, nodeId, displayName, platform, version, ...(surface as object) }
  const requiredApproveScopes = NODE_APPROVE_SCOPES
  feed.announce('node.pair.requested', { ...facts, requiredApproveScopes, silent: true, ts })
}

function tellResolved(record: JournalRecord, feed: Feed, connectionId: string): void {
  const { requestId, type } = record.event
  const decision = type === 'surface.approved' ? 'approved' : 'rejected'
  const payload = { requestId, nodeId: streamName(record.stream), decision, ts: record.at }
  feed.announce('node.pair.resolved', payload)
  feed.toOne(connectionId, 'node.pair.resolved', payload)
}
