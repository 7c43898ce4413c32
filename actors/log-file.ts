/**
 * The file that log lines go to: bounded, rotated by size, 0600.
 *
 *   gateway.jsonl     the newest lines
 *   gateway.jsonl.1   older, up to .4; the oldest is dropped
 *
 * Lines are collected for one turn of the event loop and written at its end, so that a busy turn
 * costs one write; `flush` writes at once. A medium that refuses costs lines, never the gateway:
 * they are counted, and the count is the first line after it.
 */
import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { limits } from '../protocol/limits.ts'

/** The newest file's name inside the log directory; older ones have `.1` and so on behind it. */
export const LOG_FILE = 'gateway.jsonl'

export class LogFile {
  readonly path: string
  #directory: string
  #descriptor: number | null = null
  #bytes = 0
  #lines: string[] = []
  #scheduled = false
  #lost = 0

  /** Nothing is opened before the first line. */
  constructor(directory: string) {
    this.#directory = directory
    this.path = join(directory, LOG_FILE)
  }

  /** Takes one line, its newline included. Never throws. */
  write(line: string): void {
    this.#lines.push(line)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.flush())
  }

  /** Writes what was collected. Never throws. */
  flush(): void {
    this.#scheduled = false
    const lines = this.#lines
    if (lines.length === 0) return
    this.#lines = []
    try {
      this.#append(this.#lost === 0 ? lines : [lostLine(this.#lost), ...lines])
      this.#lost = 0
    } catch {
      this.#lost += lines.length
      this.#close()
    }
  }

  /** Writes what was collected and lets go of the file. */
  close(): void {
    this.flush()
    this.#close()
  }

  #append(lines: readonly string[]): void {
    const bytes = Buffer.from(lines.join(''), 'utf8')
    let descriptor = this.#open()
    if (this.#bytes > 0 && this.#bytes + bytes.length > limits.logFileBytesMax) {
      this.#close()
      this.#rotate()
      descriptor = this.#open()
    }
    for (let written = 0; written < bytes.length;) {
      written += writeSync(descriptor, bytes, written)
    }
    this.#bytes += bytes.length
  }

  #open(): number {
    if (this.#descriptor !== null) return this.#descriptor
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const descriptor = openSync(this.path, 'a', 0o600)
    this.#descriptor = descriptor
    this.#bytes = fstatSync(descriptor).size
    chmodSync(this.path, 0o600) // Where the file was there before, with other modes.
    return descriptor
  }

  #rotate(): void {
    for (let age = limits.logFilesMax - 1; age > 0; age -= 1) {
      const younger = age === 1 ? this.path : `${this.path}.${age - 1}`
      try {
        renameSync(younger, `${this.path}.${age}`)
      } catch {
        // There are not that many files yet.
      }
    }
  }

  #close(): void {
    const descriptor = this.#descriptor
    this.#descriptor = null
    if (descriptor === null) return
    try {
      closeSync(descriptor)
    } catch {
      // It was not usable anyway.
    }
  }
}

function lostLine(count: number): string {
  return `{"level":"warn","msg":"log lines were lost","lines":${count}}\n`
}
