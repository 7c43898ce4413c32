/** What benchmarks share: rounds that take turns, medians, and one line for each result. */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs a function in a fresh directory that is removed afterwards. */
export async function inTempDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-bench-'))
  try {
    return await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/**
 * Measures things in turn, round by round, so that a busy moment hits them all alike.
 * Returns for each the rates (per second) of its rounds.
 */
export async function measureInTurn(
  rounds: number,
  subjects: Readonly<Record<string, () => Promise<number>>>,
): Promise<Record<string, number[]>> {
  const rates: Record<string, number[]> = {}
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(subjects)) {
      const list = (rates[name] ??= [])
      list.push(await run())
    }
  }
  return rates
}

/** Seconds that a run takes. */
export async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1_000
}

export interface BenchResult {
  readonly name: string
  readonly measured: string
  readonly ratio: number
  readonly target: string
  readonly met: boolean
}

/** Prints a result as one line, with the load of the machine beside it. */
export function report({ name, measured, ratio, target, met }: BenchResult): void {
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  const verdict = met ? 'met' : 'MISSED'
  console.log(
    `${name}: ${measured} → ${ratio.toFixed(3)} (target ${target}, ${verdict}; load ${load})`,
  )
}
