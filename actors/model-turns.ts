/**
 * Turns at the models: so many calls at a time, all sessions together, answers and summaries alike;
 * the others wait in order. Step 7 of 8.
 */

export interface ModelTurns {
  /** Resolves when there is a place; it is taken then. */
  readonly enter: () => Promise<void>
  readonly leave: () => void
}

/** Opens it with so many places. */
export function openModelTurns(places: number): ModelTurns {
  const waiting: (() => void)[] = []
  let free = places
  return {
    enter: () => {
      if (free > 0) {
        free -= 1
        return Promise.resolve()
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
    leave: () => {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}
