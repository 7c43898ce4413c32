/**
 * Processes of other people's making, bounded: each has a group of its own that is killed as one,
 * and none outlives this process.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'

/** How to start one. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** A process that runs. */
export interface Living {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<number | null> // exit code; null: by a signal
  /** What it has said, both outputs in order, without colours. */
  readonly text: () => string
  /** What it has said on its standard output. */
  readonly output: () => string
  /** Waits until it has said something. @throws {Error} it ended without. */
  readonly says: (pattern: RegExp) => Promise<void>
  /** SIGTERM, then SIGKILL after some seconds; waits until it is gone. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL to it and all that it started. */
  readonly kill: () => void
}

const STOP_MS = 15_000 // The real gateway takes a few seconds to end in order.
const TEXT_MAX = 4 * 1_024 * 1_024 // characters; a client that says more is cut at the front

const living = new Set<Living>()

process.on('exit', killAll)

/** Kills all that still run. */
export function killAll(): void {
  for (const each of living) each.kill()
}

/** Starts a process in a group of its own; its environment is what is given, and nothing else. */
export function startProcess({ file, args, env, cwd }: Command): Living {
  const child = spawn(file, args, { env, cwd, detached: true, stdio: 'pipe' })
  let all = ''
  let output = ''
  const watchers = new Set<() => void>()
  const hear = (stream: 'stdout' | 'stderr'): void => {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      all = `${all}${chunk}`.slice(-TEXT_MAX)
      if (stream === 'stdout') output = `${output}${chunk}`.slice(-TEXT_MAX)
      for (const watch of watchers) watch()
    })
  }
  hear('stdout')
  hear('stderr')
  child.stdin.on('error', () => {}) // It ended first; `ended` tells.
  const failed = once(child, 'error').then(([error]) => {
    all += String(error)
    return null
  })
  const gone = once(child, 'close').then(([code]) => code as number | null)
  const ended = Promise.race([gone, failed]).finally(() => living.delete(self))
  const text = (): string => stripVTControlCharacters(all)
  const kill = (): void => {
    if (child.pid !== undefined) killTree(child.pid)
  }
  const self: Living = {
    child,
    ended,
    text,
    output: () => stripVTControlCharacters(output),
    says: (pattern) => heard({ text, watchers, ended }, pattern),
    stop: () => stop(self),
    kill,
  }
  living.add(self)
  return self
}

/**
 * Kills a process, its group and all that descend from it: `script` gives its child a session of
 * its own. Linux alone knows who descends from whom; elsewhere the group has to do.
 */
function killTree(pid: number): void {
  const all = [-pid, ...descendants(pid)]
  for (const each of all) {
    try {
      process.kill(each, 'SIGKILL')
    } catch {
      // It is gone.
    }
  }
}

function descendants(pid: number): number[] {
  let children = ''
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    return [] // It is gone, or this is no Linux.
  }
  const direct = children.split(' ').filter(Boolean).map(Number)
  return direct.flatMap((child) => [child, ...descendants(child)])
}

function heard(
  { text, watchers, ended }: Pick<Living, 'text' | 'ended'> & { watchers: Set<() => void> },
  pattern: RegExp,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!pattern.test(text())) return
      watchers.delete(look)
      resolve()
    }
    watchers.add(look)
    look()
    void ended.then((code) =>
      reject(new Error(`ended with ${code} without ${pattern}: ${text().slice(-2_000)}`)),
    )
  })
}

async function stop({ child, ended, kill }: Living): Promise<number | null> {
  child.kill('SIGTERM')
  const timer = setTimeout(kill, STOP_MS)
  const code = await ended
  clearTimeout(timer)
  kill() // What it started and left behind.
  return code
}
