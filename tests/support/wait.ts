/** Waiting that ends: what does not come within its time fails the test by name. */

const PATIENCE_MS = 20_000
const PAUSE_MS_MAX = 16

/** Waits for a promise; fails after some time with what was waited for. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} in ${patienceMs} ms`)), patienceMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks again and again, at first soon, until the answer is neither null nor false; returns it. */
export async function until<T>(
  look: () => T | null | false | Promise<T | null | false>,
  what: string,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
    const found = await look()
    if (found !== null && found !== false) return found
    if (performance.now() > deadline) throw new Error(`no ${what} in ${patienceMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
