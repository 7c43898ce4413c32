/** Coverage of our own code and of ws, block by block, through V8's profiler. */
import { type Profiler, Session } from 'node:inspector'

const WATCHED = /\/dist\/(?:actors|protocol|machines)\/|\/node_modules\/ws\//

/** Counts blocks that were run for the first time. */
export class Coverage {
  readonly blocks = new Set<string>()
  #session = new Session()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    this.take()
  }

  /** Blocks that are new since the last call. */
  take(): number {
    const before = this.blocks.size
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) return
      for (const { url, functions } of answer.result) {
        if (WATCHED.test(url)) this.#note(url, functions)
      }
    })
    return this.blocks.size - before
  }

  #note(url: string, functions: readonly Profiler.FunctionCoverage[]): void {
    for (const { count, startOffset } of functions.flatMap(({ ranges }) => ranges)) {
      if (count > 0) this.blocks.add(`${url}:${startOffset}`)
    }
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}
