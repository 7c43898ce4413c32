/** How long something takes where the machine lets it: for bounds that a busy machine must not break. */

const TIMES = 3

/** Runs it a few times; the shortest in ms. */
export function leastMs(run: () => unknown): number {
  const times = Array.from({ length: TIMES }, () => {
    const startedAt = performance.now()
    run()
    return performance.now() - startedAt
  })
  return Math.min(...times)
}
