/** `exec`: what a command leaves behind does not keep its call open for ever. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openExec } from '../../../actors/tools/exec.ts'
import type { ToolContext } from '../../../actors/tools/tool.ts'
import { cases } from '../../store/cases.ts'
import { readOr } from '../../support/alive.ts'
import { until, within } from '../../support/wait.ts'

const exec = cases('exec')

// Leaves the process group, with the output of the command in its hands.
const LEAVES = `
  const { spawn } = require('node:child_process')
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'inherit' })
  require('node:fs').writeFileSync('pid', String(child.pid))
  child.unref()
`

exec('TO33 a process that has left its group does not outlast the call’s deadline', async () => {
  const root = mkdtempSync(join(tmpdir(), 'openclaw-exec-'))
  const deadline = new AbortController()
  const command = `'${process.execPath}' -e "${LEAVES}"; echo over`
  const context = { signal: deadline.signal } as ToolContext
  const called = openExec(() => root, process.env).run({ command }, context)
  const pid = await until(() => Number(readOr(join(root, 'pid'))) || null, 'process')
  try {
    deadline.abort()
    const { text } = await within(called, 'end of the call', 5_000)
    assert.match(text, /\[.+\]$/)
  } finally {
    process.kill(pid)
    rmSync(root, { recursive: true, force: true })
  }
})

exec(
  'TC5 a guarded command ends by itself, as it would alone, and its guardian with it',
  async () => {
    const root = mkdtempSync(join(tmpdir(), 'openclaw-exec-'))
    const context = { signal: new AbortController().signal } as ToolContext
    const run = async (command: string): Promise<string> =>
      (await openExec(() => root, process.env).run({ command }, context)).text
    try {
      assert.is(await run('echo out; echo err >&2; exit 7'), 'out\nerr\n[exit code 7]')
      assert.is(await run('kill -TERM $$'), '[killed by SIGTERM, no output]')
      // Whoever waits for all its children, and looks for what is open, finds no guardian.
      const children =
        'require("fs").readFileSync("/proc/self/task/" + process.pid + "/children", "utf8")'
      assert.is(await run(`exec '${process.execPath}' -p '${children}.length'`), '0\n[exit code 0]')
      assert.is(await run('test -e /proc/self/fd/3 && echo open; true'), '[exit code 0, no output]')
      const group = Number((await run('echo $$')).split('\n')[0])
      await until(() => !groups().has(group), 'end of the guardian')
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  },
)

// Those in which something still runs; what has ended and was not looked after is none.
function groups(): Set<number> {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) =>
      readOr(`/proc/${pid}/stat`)
        .replace(/^.*\) /s, '')
        .split(' '),
    )
  return new Set(stats.filter(([state]) => state !== 'Z').map(([, , group]) => Number(group)))
}

exec.run()
