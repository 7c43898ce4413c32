/**
 * `exec`: a command, by the shell, in the workspace.
 *
 * It leads a process group of its own, which is killed whole at its deadline, at the end of its run,
 * and when the command has ended and left something behind; what made a group of its own outlives it,
 * and is waited for until the deadline only. A gateway that is killed has killed its commands: in the
 * group a guardian waits for the end of a pipe that the gateway holds open, and then ends the group. Of the gateway's environment it gets what
 * a command needs to run and nothing else: no key, no token. This is no sandbox: what the gateway's
 * user may do, the command may do, and that is why it is asked for.
 */
import { spawn } from 'node:child_process'
import { messageOf } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { rootOf, workspaceFault } from './files.ts'
import { textOf, type Tool, type ToolOutput } from './tool.ts'

const PASSED_ON = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR']

// In the group and nobody's child, so that neither a command that waits for its children nor its end
// hears of the guardian; it holds no output open. The command replaces the shell: exit code and signal
// are its own. The guardian ends with the group, at the latest when the pipe does.
const GUARDED = `
  ( ( trap '' HUP INT TERM; read -r _; kill -KILL 0 ) <&3 3<&- >/dev/null 2>&1 & )
  exec 3<&- /bin/sh -c "$1"`

type Environment = Readonly<Record<string, string | undefined>>

/** Opens it over a workspace that is asked for at each call. */
export function openExec(workspace: () => string | null, env: Environment): Tool {
  return {
    name: 'exec',
    description:
      'Runs a shell command in the workspace and returns its output and exit code. It has no terminal and no input.',
    parameters: {
      type: 'object',
      properties: { command: { type: 'string' } },
      required: ['command'],
    },
    source: 'built-in',
    fault: () => workspaceFault(workspace()),
    run: (args, { signal }) =>
      runCommand(textOf(args, 'command'), { cwd: rootOf(workspace()), env, signal }),
  }
}

interface Place {
  readonly cwd: string
  readonly env: Environment
  readonly signal: AbortSignal
}

function runCommand(command: string, { cwd, env, signal }: Place): Promise<ToolOutput> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', GUARDED, 'sh', command], {
      cwd,
      env: environmentOf(env),
      detached: true, // a process group of its own
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    const { stdout, stderr } = child
    const [, , , held] = child.stdio
    held?.on('error', () => {}) // It says nothing; that it ends is all.
    const output = openOutput()
    const kill = (): void => killGroup(child.pid)
    // Whatever has left the group may hold the pipes open: nobody reads them any more.
    const end = (): void => {
      kill()
      stdout?.destroy()
      stderr?.destroy()
      held?.destroy()
    }
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    stdout?.on('data', output.take)
    stderr?.on('data', output.take)
    child.on('error', (error) => {
      signal.removeEventListener('abort', end)
      resolve({ text: `not started: ${messageOf(error)}`, isError: true })
    })
    child.on('exit', kill)
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', end)
      const how = killedBy === null ? `exit code ${code}` : `killed by ${killedBy}`
      const said = output.text()
      const text = said === '' ? `[${how}, no output]` : `${said}\n[${how}]`
      resolve({ text, isError: code !== 0 })
    })
  })
}

function environmentOf(env: Environment): NodeJS.ProcessEnv {
  const known = PASSED_ON.flatMap((name) => {
    const value = env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { PATH: '/usr/local/bin:/usr/bin:/bin', ...Object.fromEntries(known) }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The whole group has ended by itself.
  }
}

interface Output {
  readonly take: (chunk: Buffer) => void
  readonly text: () => string
}

function openOutput(): Output {
  const chunks: Buffer[] = []
  let kept = 0
  let left = 0
  return {
    take: (chunk) => {
      const room = Math.max(0, limits.execOutputBytesMax - kept)
      const part = chunk.subarray(0, room)
      if (part.length > 0) chunks.push(part)
      kept += part.length
      left += chunk.length - part.length
    },
    text: () => {
      const text = Buffer.concat(chunks).toString('utf8').trimEnd()
      return left === 0 ? text : `${text}\n[… ${left} bytes left out …]`
    },
  }
}
