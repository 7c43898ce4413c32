/**
 * Do the machines arrive at the states that were recorded? Every record is stepped again, by the
 * code that wrote it where the journal keeps it, else by ours.
 */
import { replayHistory } from '../../actors/other-code.ts'
import type { Holes } from '../../machines/history/holes.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { codeHouse } from './code.ts'
import { withSource } from './source.ts'

/** How many states were recomputed, and how many are as recorded. */
export interface StateHashes {
  readonly records: number
  readonly same: number
  readonly first: number | null // position of the first that differs
  readonly holes: Holes // what could not be recomputed
  /** `recorded`: by the code that wrote them; `current`: by ours, which may differ with reason. */
  readonly by: 'recorded' | 'current'
}

/** Recomputes every state of a journal. @throws {GatewayError} STORE_CORRUPT */
export function checkStates(journal: string | undefined): Promise<StateHashes> {
  return withSource(journal, async (source) => {
    const house = codeHouse(source)
    const replay = async (by: StateHashes['by']): Promise<StateHashes> => {
      const range = { from: 1, to: source.history.head(), choice: by }
      const { records, same, first, holes } = await replayHistory(house, source.history, range)
      return { records, same, first, holes, by }
    }
    try {
      return await replay('recorded')
    } catch (error) {
      const isUnknown = error instanceof GatewayError && error.code === 'NOT_FOUND'
      if (!isUnknown) throw error
      return replay('current')
    }
  })
}
