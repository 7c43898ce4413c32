/**
 * What the drivers share: programs that use a published client library, run by the Node that it
 * wants, and report as they go.
 *
 *   node <driver>.js <folder of the packages> <url> <token>
 *   stdout   `step ok NAME` or `step FAIL NAME: what came`; `restart please`; `done` at the end
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const STEP_MS = 60_000

/** What a driver is told. */
export const [folder = '', url = '', token = ''] = process.argv.slice(2)

/** Loads a module of the packages; the caller says what it uses of it. */
export async function load<T>(name: string): Promise<T> {
  const require = createRequire(join(folder, 'package.json'))
  const path = require.resolve(name)
  return (await import(pathToFileURL(path).href)) as T
}

/** Prints a line. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Does one thing within its time; whether it went well is printed and nothing is thrown. */
export async function step(
  name: string,
  act: () => Promise<unknown>,
  limitMs = STEP_MS,
): Promise<void> {
  try {
    const seen = await within(act(), limitMs)
    tell(seen === false ? `step FAIL ${name}: it does not hold` : `step ok ${name}`)
  } catch (thrown) {
    tell(`step FAIL ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}

/** Waits for something, a minute at most where nothing else is said. */
export async function within<T>(promise: Promise<T>, limitMs = STEP_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs / 1_000} s`)), limitMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** A list that can be waited on. */
export class Heard<T> {
  readonly #all: T[] = []
  readonly #watchers = new Set<() => void>()

  add(each: T): void {
    this.#all.push(each)
    for (const watch of this.#watchers) watch()
  }

  get all(): readonly T[] {
    return this.#all
  }

  /** Waits until one matches; those that came before count too. */
  until(matches: (each: T) => boolean): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#all.find(matches)
        if (found === undefined) return
        this.#watchers.delete(look)
        resolve(found)
      }
      this.#watchers.add(look)
      look()
    })
  }
}
