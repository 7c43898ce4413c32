/** `exec`: what a command leaves behind does not keep its call open for ever. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openExec } from '../../../actors/tools/exec.ts'
import type { ToolContext } from '../../../actors/tools/tool.ts'
import { cases } from '../../store/cases.ts'
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

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

exec.run()
