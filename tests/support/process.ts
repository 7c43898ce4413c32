/**
 * Processes of ours under test: started from `dist/`, watched, never left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Resolves a path inside the compiled tree. */
export function compiled(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

/** How a process ended and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs, with what it has said so far. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly ended: Promise<Ended>
  /** Resolves with stdout once it matches; rejects when the process ends without it. */
  readonly says: (pattern: RegExp) => Promise<string>
}

const living = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/**
 * Starts `node` with arguments. The environment is what is given, and PATH; `shell` is run before it,
 * in the process that becomes it: `ulimit -n 64;`.
 */
export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  shell: string | null = null,
): Running {
  const [command, ...words] =
    shell === null
      ? [process.execPath, ...args]
      : ['bash', '-c', `${shell} exec "$0" "$@"`, process.execPath, ...args]
  const child = spawn(command ?? '', words, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  living.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    living.delete(child)
    return { code, signal, stdout, stderr }
  })
  const says = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(stdout)) resolve(stdout)
      }
      look()
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`ended without ${pattern}: ${stdout}${stderr}`)))
    })
  return { child, pid: child.pid ?? 0, ended, says }
}
