/**
 * Check of what runs without asking: how much that is, and whether its key is here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { openHistory } from '../../actors/history.ts'
import { grantKeyPath, keyIdOf } from '../../actors/grants.ts'
import type { GrantContext } from '../../machines/grant.ts'
import { kinds } from '../../machines/kinds.ts'
import { stateBefore } from '../../machines/history/state.ts'
import type { StreamId } from '../../protocol/ids.ts'
import type { StoreReader } from '../../store/contract.ts'
import { type CheckContext, type Finding, ok, warn } from './finding.ts'
import { withReader } from './journal.ts'

const NAME = 'grants'

/** Counts the grants that stand; says nothing where there are none. */
export async function checkGrants(context: CheckContext): Promise<readonly Finding[]> {
  const keyIds = (await withReader(context, (reader) => keysOfGrants(reader))) ?? []
  if (keyIds.length === 0) return []
  const count = keyIds.length === 1 ? '1 call runs' : `${keyIds.length} calls run`
  const own = keyIdIn(grantKeyPath(context.settings.stateDir))
  const gone = keyIds.filter((keyId) => keyId !== own).length
  if (gone === 0) return [ok(NAME, `${count} without asking: openclaw approvals grants`)]
  const says = `${gone} of ${keyIds.length} standing grants were given under a key that is not here`
  const todo = 'they are asked again; put keys/grants.key back, or revoke them'
  return [warn(NAME, says, todo)]
}

function keysOfGrants(reader: StoreReader): string[] {
  const history = openHistory(reader)
  return [...reader.streams('grant')].flatMap((name) => {
    const stream = name as StreamId
    const { snapshot } = stateBefore(history, kinds, stream, reader.version(stream) + 1)
    const { keyId } = snapshot.context as GrantContext
    return snapshot.value === 'given' ? [keyId] : []
  })
}

function keyIdIn(path: string): string {
  return existsSync(path) ? keyIdOf(Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')) : ''
}
