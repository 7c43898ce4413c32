/**
 * A disk that fails and a clock that is moved, under a real process: `tests/fixtures/shim.c`, built
 * once and put before a process's libc. What it cannot do is said by `whyNoShim`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../../../tests/fixtures/shim.c', import.meta.url))

/** Which calls on the data file are meant: its syncs, its writes, or those of its head. */
export type ShimCall = 'sync' | 'write' | 'meta'

/** Errors as Linux numbers them. */
export const ERRNO = { EIO: 5, EFBIG: 27, ENOSPC: 28, EROFS: 30 } as const

/** What a process with the shim is told, from outside, at any time. */
export interface Shim {
  readonly env: NodeJS.ProcessEnv
  /** From the call behind the next `after` on, calls fail. */
  readonly fail: (call: ShimCall, errno: number, after?: number) => void
  readonly delay: (call: ShimCall, ms: number) => void
  /** The call behind the next `after` is done, and the process is killed. */
  readonly killAt: (call: ShimCall, after?: number) => void
  readonly heal: () => void
  readonly moveClock: (seconds: number) => void
}

let built: string | null = null

function build(): string {
  if (built !== null) return built
  const directory = mkdtempSync(join(tmpdir(), 'openclaw-shim-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const library = join(directory, 'shim.so')
  const flags = ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl', '-lpthread']
  const { status, stderr } = spawnSync('gcc', flags, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gcc: ${stderr}`)
  built = library
  return library
}

/** Tells why the shim cannot be here; null: it can. */
export function whyNoShim(): string | null {
  if (process.platform !== 'linux') return 'needs Linux'
  return spawnSync('gcc', ['--version']).status === 0 ? null : 'needs gcc'
}

/** Makes a shim that is told by files in a directory; `trace` takes what the process does. */
export function openShim(directory: string, trace?: string): Shim {
  const [rule, clock] = [join(directory, 'shim.rule'), join(directory, 'shim.clock')]
  let serial = 0
  // Renamed into place: a process never reads half a rule.
  const tell = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  const setRule = (call: ShimCall, what: string, after: number): void => {
    serial += 1
    tell(rule, `${call} ${what} ${after} ${serial}\n`)
  }
  return {
    env: {
      LD_PRELOAD: build(),
      SHIM_RULE: rule,
      SHIM_CLOCK: clock,
      ...(trace === undefined ? {} : { SHIM_TRACE: trace }),
    },
    fail: (call, errno, after = 0) => setRule(call, `errno ${errno}`, after),
    delay: (call, ms) => setRule(call, `delay ${ms}`, 0),
    killAt: (call, after = 0) => setRule(call, 'kill 0', after),
    heal: () => tell(rule, '\n'),
    moveClock: (seconds) => tell(clock, `${Math.round(seconds)}\n`),
  }
}
