/**
 * How long a stretch may be that is run again: it is held in memory.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

const MAX = { fork: limits.forkRecordsMax, explore: limits.exploreRecordsMax } as const

/** Checks the length of a stretch before it is read. @throws {GatewayError} USAGE */
export function assertStretch(from: number, to: number, verb: keyof typeof MAX): void {
  const records = to - from + 1
  if (records <= MAX[verb]) return
  const how = verb === 'fork' ? 'bound it with --until' : 'give a range'
  throw new GatewayError('USAGE', `${verb}: ${records} records, at most ${MAX[verb]}: ${how}`)
}
