/**
 * A real IRC server (ngIRCd) and raw users for tests: loopback, a free port, gone after the test.
 *
 * Facts: without `PAM = no` every login is refused; without `MaxPenaltyTime = 0` its own flood
 * control answers three lines a second. As root it becomes `nobody`, so it is given no files to
 * write.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

/** A running server. */
export interface Ngircd {
  readonly port: number
  /** Stops the process without ending it: a server that has fallen silent. */
  readonly freeze: () => void
  /** Lets a frozen one go on: it reads what was sent to it meanwhile. */
  readonly thaw: () => void
  /** Kills it, frozen or not, and waits until it is gone. */
  readonly stop: () => Promise<void>
}

/** Starts ngIRCd on a loopback port, a free one where none is told, and waits until it listens. */
export async function startNgircd(
  options: { password?: string; port?: number } = {},
): Promise<Ngircd> {
  const directory = await mkdtemp(join(tmpdir(), 'ngircd-'))
  const port = options.port ?? (await freePort())
  const file = join(directory, 'ngircd.conf')
  await writeFile(file, configuration(port, options.password))
  const child = spawn('ngircd', ['-n', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill) // A test that ends early leaves no server.
  try {
    await ready(child)
  } catch (cause) {
    kill()
    throw cause
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  return {
    port,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    stop: async () => {
      process.off('exit', kill)
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      kill()
      await gone
    },
  }
}

function configuration(port: number, password: string | undefined): string {
  return [
    '[Global]',
    'Name = irc.test.local',
    'Info = loopback',
    'AdminInfo1 = test',
    'Listen = 127.0.0.1',
    `Ports = ${port}`,
    ...(password === undefined ? [] : [`Password = ${password}`]),
    '[Limits]',
    'MaxConnectionsIP = 0',
    'MaxPenaltyTime = 0',
    'MaxNickLength = 16',
    '[Options]',
    'DNS = no',
    'Ident = no',
    'PAM = no',
  ].join('\n')
}

/** Resolves when the server says that it is ready; rejects when it is not installed or ends. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString()
      if (/ ready\./.test(output)) resolve()
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('error', (cause) => {
      reject(new Error('ngircd cannot be started; install it: apt-get install ngircd', { cause }))
    })
    child.once('exit', (code) => reject(new Error(`ngircd ended with ${code}:\n${output}`)))
  })
}

/** A person on IRC: a raw socket that keeps every line it was sent, and answers pings. */
export interface IrcUser {
  readonly send: (line: string) => void
  /** Resolves with the next line, from the first not yet taken, that fits. */
  readonly next: (pattern: RegExp) => Promise<string>
  /** Lists the lines that came and were not taken. */
  readonly rest: () => readonly string[]
  /** Lists the messages that ever came, taken or not, as `target text`. */
  readonly heard: () => readonly string[]
  readonly close: () => void
}

/** Connects and registers a user, and joins rooms. */
export async function connectIrcUser(
  port: number,
  nick: string,
  ...rooms: string[]
): Promise<IrcUser> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const user = readLines(socket)
  user.send(`NICK ${nick}`)
  user.send(`USER person 0 * :${nick}`)
  await user.next(/ 376 | 422 /)
  for (const room of rooms) {
    user.send(`JOIN ${room}`)
    await user.next(/ 366 /)
  }
  return user
}

function readLines(socket: Socket): IrcUser {
  const lines: string[] = []
  const all: string[] = []
  let partial = ''
  let wake = (): void => {}
  socket.setEncoding('utf8')
  socket.on('error', () => {}) // Servers are killed in these tests.
  socket.on('data', (chunk: string) => {
    const parts = (partial + chunk).split('\r\n')
    partial = parts.pop() ?? ''
    lines.push(...parts)
    all.push(...parts)
    for (const line of parts)
      if (line.startsWith('PING ')) socket.write(`PONG ${line.slice(5)}\r\n`)
    wake()
  })
  return {
    send: (line) => socket.write(`${line}\r\n`),
    next: async (pattern) => {
      for (;;) {
        const at = lines.findIndex((line) => pattern.test(line))
        if (at >= 0) return lines.splice(0, at + 1).at(-1) ?? ''
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    rest: () => lines,
    heard: () => all.flatMap((line) => / PRIVMSG (.+)$/.exec(line)?.[1]?.replace(' :', ' ') ?? []),
    close: () => socket.destroy(),
  }
}
