/**
 * The conversations that a channel knows, read from its records: for platforms that have to be asked
 * place by place for what was said while nobody listened.
 */
import { streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'

/** Lists where answers went of messages that were let in, the newest conversation first. */
export function knownTargets(store: StoreReader, channel: string): readonly string[] {
  const stream = streamId('channel', channel)
  const from = Math.max(1, store.version(stream) - limits.conversationsLookMax + 1)
  const targets = new Set<string>()
  for (const stored of store.stream(stream, from)) {
    const { event, sends } = parseRecord(stored, stored.fields)
    // What was refused is no conversation: strangers must not push others out.
    if (event.type !== 'message.received' || sends.length === 0) continue
    const target = String(event['target'])
    targets.delete(target)
    targets.add(target)
  }
  return [...targets].toReversed().slice(0, limits.conversationsMax)
}
