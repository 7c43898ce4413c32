/**
 * The test runner: each test file in a process of its own, two at a time, with a time limit.
 *
 * uvu runs one file well; what it lacks is here: a file that hangs is killed and named, one that
 * crashes or runs no test is a failure, and the last line is true. Arguments filter by file name;
 * without one, what takes long (`tests/faults/`, `*.slow.test.ts`) waits until it is named.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plain, show, showText } from './output.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SLOW = /^tests\/faults\/|\.slow\.test\.ts$/
const AT_A_TIME = 2
const FILE_TIMEOUT_MS = 120_000
const LOST = 'Tests did not run: uvu drops a suite when an error with `details` leaves a test.'

export interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** How the process of a test file ended. */
export interface Ended {
  readonly code: number | null // null: by a signal
  readonly output: string
  readonly timedOut: boolean
}

const running = new Set<ChildProcess>()

/** Runs the test files that match any of the filters; resolves with the exit code. */
async function main(filters: readonly string[]): Promise<number> {
  const files = findTests(filters)
  const outcomes: Outcome[] = []
  const next = files.values()
  const lanes = Array.from({ length: AT_A_TIME }, async () => {
    for (const file of next) outcomes.push(await runFile(file))
  })
  await Promise.all(lanes)
  if (files.length === 0) {
    show(`no test file matches ${filters.join(', ') || 'tests/**/*.test.ts'}`)
    outcomes.push({ passed: 0, failed: 1, skipped: 0 })
  }
  const sum = (what: keyof Outcome): number =>
    outcomes.reduce((total, outcome) => total + outcome[what], 0)
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')]
  if (skipped > 0) showText(`\n${skipped} skipped, each with its reason`)
  showText(`\n${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** Lists the sources of tests, so that a compiled file whose source is gone is not run. */
function findTests(filters: readonly string[]): string[] {
  return readdirSync(join(ROOT, 'tests'), { recursive: true, encoding: 'utf8' })
    .map((path) => `tests/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) =>
      filters.length === 0 ? !SLOW.test(path) : filters.some((filter) => isNamed(path, filter)),
    )
    .toSorted()
}

// A room as a whole names what is quick in it.
function isNamed(path: string, filter: string): boolean {
  const isRoom = /^tests\/(?!faults)[a-z]+\/?$/.test(filter)
  return path.includes(filter) && !(isRoom && SLOW.test(path))
}

async function runFile(source: string): Promise<Outcome> {
  const startedAt = performance.now()
  const ended = await runCompiled(join(ROOT, 'dist', source.replace(/\.ts$/, '.js')))
  const seconds = `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
  const outcome = judge(ended)
  if (outcome.failed === 0) {
    show(`ok    ${source}  ${outcome.passed} in ${seconds}`)
  } else {
    const why = ended.timedOut ? `killed after ${FILE_TIMEOUT_MS / 1_000} s` : `in ${seconds}`
    show(`FAIL  ${source}  ${outcome.failed} failed, ${why}, exit code ${String(ended.code)}`)
    showText(ended.output)
    if (ended.code === 0) showText(LOST)
  }
  return outcome
}

/** Reads uvu's closing lines; a file that crashed or ran no test has failed at least once. */
export function judge({ code, output }: Ended): Outcome {
  const total = countOf('Total', output)
  const passed = countOf('Passed', output)
  const skipped = countOf('Skipped', output)
  const missed = total - passed // uvu 0.5.6 counts what is skipped beside its total.
  const isWhole = code === 0 && total > 0
  return { passed, skipped, failed: isWhole ? missed : Math.max(1, missed) }
}

function countOf(what: string, output: string): number {
  const lines = plain(output).matchAll(new RegExp(`^ {2}${what}: +(\\d+)$`, 'gm'))
  return [...lines].reduce((sum, [, digits]) => sum + Number(digits), 0)
}

function runCompiled(path: string): Promise<Ended> {
  if (!existsSync(path)) {
    const output = `${relative(ROOT, path)} is missing: compile first`
    return Promise.resolve({ code: null, output, timedOut: false })
  }
  return new Promise((resolve) => {
    // In a group of its own, so that what it leaves behind can be ended with it.
    const child = spawn(process.execPath, ['--enable-source-maps', path], {
      cwd: ROOT,
      detached: true,
      env: { ...process.env, NODE_ENV: 'test', OPENCLAW_TRAP: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    let output = ''
    let timedOut = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(child)
    }, FILE_TIMEOUT_MS)
    child.once('error', (error) => {
      output += String(error)
    })
    // On exit, not on close: a child that was left behind holds the pipes.
    child.once('exit', () => killGroup(child))
    child.once('close', (code) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ code, output, timedOut })
    })
  })
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const child of running) killGroup(child)
      process.exit(130)
    })
  }
  process.exitCode = await main(process.argv.slice(2))
}
