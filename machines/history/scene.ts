/**
 * The scene of a branch: which connections and channels there are, which process runs, and by
 * which rules channels decided. What a boot needs to know.
 */
import type { StreamId } from '../../protocol/ids.ts'
import { streamId } from '../../protocol/ids.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import type { SegmentOpen } from './segment.ts'

/** Folds the records of a branch. */
export class Scene {
  readonly connections = new Set<StreamId>() // open
  readonly channels = new Map<StreamId, JournalEvent>() // enabled, and how
  readonly rules: [number, string][] = [] // why a channel decided, by position
  epoch: number

  constructor(epoch: number) {
    this.epoch = epoch
  }

  /** Takes what was there before; `contextOf` tells the context of an actor. */
  begin({ connections, channels }: SegmentOpen, contextOf: (stream: StreamId) => unknown): void {
    for (const stream of connections) this.connections.add(stream as StreamId)
    for (const channel of channels) {
      const stream = streamId('channel', channel)
      const policy: unknown = Reflect.get(Object(contextOf(stream)), 'policy')
      this.channels.set(stream, { type: 'channel.enabled', channel, policy })
    }
  }

  copy(): Scene {
    const copy = new Scene(this.epoch)
    for (const stream of this.connections) copy.connections.add(stream)
    for (const [stream, event] of this.channels) copy.channels.set(stream, event)
    copy.rules.push(...this.rules)
    return copy
  }

  /** Takes the next record; `context` is its actor's, behind it. */
  add({ kind, event, stream, position }: JournalRecord, context: unknown): void {
    if (kind !== 'event') return
    switch (event.type) {
      case 'connection.opened':
        this.connections.add(stream)
        break
      case 'connection.closed':
        this.connections.delete(stream)
        break
      case 'channel.enabled':
        this.channels.set(stream, event)
        break
      case 'channel.disabled':
        this.channels.delete(stream)
        break
      case 'message.received': {
        const rule: unknown = Reflect.get(Object(context), 'rule')
        if (typeof rule === 'string') this.rules.push([position, rule])
        break
      }
      case 'gateway.booted':
        if (typeof event['epoch'] === 'number') this.epoch = event['epoch']
        break
    }
  }
}
