/**
 * Other processes at the journal's file: readers that died, readers that hold on to one moment, and
 * whoever has it open at all.
 *
 * What a reader sees is not used again while it reads; a reader that was killed keeps its place until
 * somebody looks, and the file grows with every commit (D-R12). Step 6 of 8.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { limits } from '../../protocol/limits.ts'
import { lockFile, type Environment } from './environment.ts'

/** A reader of another process, in the middle of a transaction. */
interface Reading {
  readonly pid: number
  readonly transaction: number
}

/** Looks from time to time; what it finds stands until the next look. */
export class ReaderWatch {
  #environment: Environment
  #before: readonly Reading[] = []
  #held: number | null = null
  #timer: NodeJS.Timeout

  constructor(environment: Environment) {
    this.#environment = environment
    this.#timer = setInterval(() => this.look(), limits.readersLookMs)
    this.#timer.unref()
  }

  /** The process that has held one moment from one look to the next; null: none. */
  get heldBy(): number | null {
    return this.#held
  }

  /** Frees the places of the dead, and finds who has not moved since the last look. */
  look(): void {
    const { freeDeadReaders, listReaders, transaction } = this.#environment
    freeDeadReaders()
    const now = parseReaders(listReaders()).filter(({ pid }) => pid !== process.pid)
    const newest = transaction()
    const stuck = now.find((one) => one.transaction < newest && this.#wasSeen(one))
    this.#before = now
    this.#held = stuck?.pid ?? null
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #wasSeen({ pid, transaction }: Reading): boolean {
    return this.#before.some((one) => one.pid === pid && one.transaction === transaction)
  }
}

/** Reads LMDB's table of readers: a head line, then pid, thread and transaction, or `-`. */
export function parseReaders(text: string): Reading[] {
  const rows = text.matchAll(/^ *(\d+) +\S+ +(\d+)$/gm)
  return [...rows].map(([, pid, transaction]) => ({
    pid: Number(pid),
    transaction: Number(transaction),
  }))
}

/** Lists the other processes that have the journal of a directory open; on Linux only. */
export function findOthers(directory: string): number[] {
  try {
    const path = realpathSync(lockFile(directory))
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return processes.map(Number).filter((pid) => pid !== process.pid && maps(pid, path))
  } catch {
    return []
  }
}

function maps(pid: number, path: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8').includes(` ${path}\n`)
  } catch {
    return false // It is gone, or somebody else's.
  }
}
