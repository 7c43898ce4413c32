/** In which values an actor has work before it: one list for what looks for actors that stand still. */
import { type StreamId, streamKind } from '../../protocol/ids.ts'

type Values = Readonly<Record<string, readonly string[]>>

// What should come by itself: an outcome, a send, a timer.
const BUSY: Values = {
  call: ['judging', 'asking', 'calling'],
  channel: ['starting', 'backingOff'],
  compaction: ['calling', 'waiting'],
  delivery: ['attempting', 'waiting'],
  run: ['calling', 'tools', 'waiting'],
  session: ['running', 'gathering'],
}

// What begins with somebody else, or ends with a person.
const HELD: Values = {
  approval: ['requested'],
  channel: ['failed'],
  config: ['checking', 'writing', 'restarting'],
  delivery: ['new', 'uncertain'],
  run: ['new'],
}

/** Tells whether an actor waits for what should come by itself. */
export function isBusy(stream: StreamId, value: string): boolean {
  return BUSY[streamKind(stream)]?.includes(value) === true
}

/** Tells whether an actor may stand in a value for ever, be it for a person. */
export function isWorking(stream: StreamId, value: string): boolean {
  return isBusy(stream, value) || HELD[streamKind(stream)]?.includes(value) === true
}
