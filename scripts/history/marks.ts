/**
 * Marks: places that people have named beside the journal, in incidents and forks.
 */
import type { FindMark } from '../../machines/history/resolve.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { readFork } from '../../actors/forks.ts'
import type { Source } from './source.ts'

/** Looks marks up in the files beside a source. */
export function findMarkIn(source: Source): FindMark {
  return (of, name, position) => {
    if (of === 'fork') return findInFork(source, name, position)
    throw new GatewayError('NOT_FOUND', `${source.name}: no ${of} is called ${quote(name)}`)
  }
}

// A position of the branch: the parent's up to the cut, the fork's own behind it.
function findInFork({ stateDir }: Source, name: string, position: number | null): number {
  const { at, records } = readFork(stateDir, name)
  const head = at + records.length
  const asked = position ?? head
  if (asked >= 1 && asked <= head) return asked
  throw new GatewayError('NOT_FOUND', `@${name}#${asked}: this fork has #1 to #${head}`)
}
