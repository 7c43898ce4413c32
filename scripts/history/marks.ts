/**
 * Marks: places that people have named beside the journal, in incidents and forks.
 */
import type { FindMark } from '../../machines/history/resolve.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import type { Source } from './source.ts'

/** Looks marks up in the files beside a source. */
export function findMarkIn(source: Source): FindMark {
  return (of, name) => {
    throw new GatewayError('NOT_FOUND', `${source.name}: no ${of} is called ${quote(name)}`)
  }
}
