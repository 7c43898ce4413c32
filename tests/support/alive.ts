/** Files that may not be there yet, and processes that may be gone. */
import { readFileSync } from 'node:fs'

/** Reads a text without blanks at its ends; '' where there is no such file. */
export function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Tells whether a process runs: one that has ended and that nobody has asked for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+[ZX]/m.test(readOr(`/proc/${pid}/status`))
  } catch {
    return false
  }
}
