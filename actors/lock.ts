/**
 * One gateway per state directory (K9, D-R7).
 *
 * On Linux the lock is an abstract unix socket named by the directory's real path: the kernel frees
 * it when its holder dies, however it dies. Elsewhere it is a socket file in the directory; one
 * that nobody answers behind is left over and is replaced. Whoever connects is told in one JSON
 * line who holds the lock. Two containers that share a directory but not a network do not see one
 * another here: the journal's own lock and epoch stand behind this one.
 */
import { rmSync } from 'node:fs'
import { link, realpath, rename, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sha256Hex } from '../protocol/digest.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { isObject } from '../protocol/members.ts'
import type { Recovered } from './kernel.ts'

/** What the holder of a lock says of itself. */
export interface LockInfo {
  readonly pid: number
  readonly port: number | null // null until it listens
  readonly startedAt: number // ms since epoch
  readonly version: string
  readonly ready: boolean
  /** How often this process has come to serve, and what it took up again the last time. */
  readonly boots?: number
  readonly recovered?: Recovered
}

/** A lock that this process holds. */
export interface HeldLock {
  /** Changes what is told from now on. */
  readonly update: (info: LockInfo) => void
  /** Frees the lock; calling it twice is harmless. */
  readonly release: () => void
}

/** abstract: Linux, freed by the kernel. file: anywhere. */
export type LockKind = 'abstract' | 'file'

const DEFAULT_KIND: LockKind = process.platform === 'linux' ? 'abstract' : 'file'
const SOCKET_PATH_BYTES_MAX = 100 // The kernel's limit is 104 to 108 with the final zero.
const ANSWER_CHARS_MAX = 4_096

/**
 * Takes the lock of a state directory, which must exist.
 * @throws {GatewayError} ALREADY_RUNNING: another process holds it; details.pid, null where the
 * holder did not answer.
 */
export async function takeLock(
  stateDir: string,
  info: LockInfo,
  kind: LockKind = DEFAULT_KIND,
): Promise<HeldLock> {
  const path = await lockPath(stateDir, kind)
  const held = { info }
  const server = createServer((socket) => answer(socket, held.info))
  server.maxConnections = limits.lockClientsMax
  server.unref() // The lock is held by a living process; it keeps none alive.
  const taken = kind === 'abstract' ? await listen(server, path) : await takeFile(server, path)
  if (!taken) throw await alreadyRunning(path)
  // A fault of the listening socket later on concerns who asks, not who holds.
  server.on('error', () => {})
  return {
    update: (next) => {
      held.info = next
    },
    release: () => {
      // Before it stops listening, or the file removed might be a successor's.
      if (kind === 'file' && server.listening) rmSync(path, { force: true })
      server.close() // The name is free at once; clients that still read are not waited for.
    },
  }
}

/**
 * Asks who holds the lock of a state directory; null where nobody does.
 * @throws {GatewayError} TIMEOUT: somebody holds it and does not answer.
 */
export async function askLock(
  stateDir: string,
  kind: LockKind = DEFAULT_KIND,
): Promise<LockInfo | null> {
  let path: string
  try {
    path = await lockPath(stateDir, kind)
  } catch {
    return null // Without a directory there is no lock.
  }
  return ask(path)
}

async function lockPath(stateDir: string, kind: LockKind): Promise<string> {
  const real = await realpath(stateDir)
  const name = sha256Hex(real).slice(0, 32)
  if (kind === 'abstract') return `\0openclaw-${name}`
  const inside = join(real, 'gateway.sock')
  return Buffer.byteLength(asideName(inside)) <= SOCKET_PATH_BYTES_MAX
    ? inside
    : join(tmpdir(), `openclaw-${name}.sock`)
}

/** Resolves false where the name is taken. */
function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    }
    server.once('error', failed)
    server.listen(path, () => {
      server.off('error', failed)
      resolve(true)
    })
  })
}

/**
 * Listens under a name of its own and links it to the shared one: whoever finds a socket there
 * finds one that listens. Bound straight to it there is a moment between bind and listen in which
 * a live one refuses as a dead one does. False where a living process has the name.
 */
async function takeFile(server: Server, path: string): Promise<boolean> {
  const own = ownName(path)
  rmSync(own, { force: true }) // Left by a dead process whose pid this one got.
  if (!(await listen(server, own))) return false
  const placed = (await place(own, path)) || (await removeStale(path), await place(own, path))
  rmSync(own, { force: true })
  if (!placed) server.close()
  return placed
}

/** Resolves false where the name is taken. */
async function place(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function ownName(path: string): string {
  return `${path}.${process.pid}`
}

function asideName(path: string): string {
  return `${ownName(path)}.old`
}

/** Tells one client and lets go of it, whatever it does. */
function answer(socket: Socket, info: LockInfo): void {
  socket.on('error', () => {})
  socket.setTimeout(limits.lockAnswerMs, () => socket.destroy())
  socket.resume()
  socket.end(`${JSON.stringify(info)}\n`)
}

/**
 * Removes a socket file that nobody listens behind. It is renamed first, so that of several
 * processes only one removes it, and one that turns out to be alive is put back.
 */
async function removeStale(path: string): Promise<void> {
  const aside = asideName(path)
  if (await isHeld(path)) return
  try {
    await rename(path, aside)
  } catch {
    return // Another process was faster.
  }
  if (await isHeld(aside)) await link(aside, path).catch(() => {})
  await unlink(aside)
}

async function isHeld(path: string): Promise<boolean> {
  try {
    return (await ask(path)) !== null
  } catch {
    return true
  }
}

async function alreadyRunning(path: string): Promise<GatewayError> {
  const holder = await ask(path).catch(() => null)
  const pid = holder?.pid ?? null
  const who = pid === null ? 'by a process that does not answer' : `as process ${pid}`
  const details = { pid, port: holder?.port ?? null }
  return new GatewayError('ALREADY_RUNNING', `a gateway is already running here, ${who}`, details)
}

/** Asks until there is an answer, nobody to give one, or limits.lockAnswerMs are over. */
async function ask(path: string): Promise<LockInfo | null> {
  const deadline = performance.now() + limits.lockAnswerMs
  while (performance.now() < deadline) {
    const answered = await askOnce(path, deadline - performance.now())
    if (answered !== 'dropped') return answered
    // It hung up without a word, as one does that is being killed or has many askers: once more.
    await sleep(limits.lockRetryMs)
  }
  const text = `a gateway holds the lock but does not answer within ${limits.lockAnswerMs} ms`
  throw new GatewayError('TIMEOUT', text)
}

function askOnce(path: string, timeoutMs: number): Promise<LockInfo | null | 'dropped'> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(timeoutMs, () => socket.destroy())
    socket.on('data', (chunk: string) => {
      text = (text + chunk).slice(0, ANSWER_CHARS_MAX)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(null)
    })
    socket.on('close', () => resolve(parseInfo(text) ?? 'dropped'))
  })
}

function parseInfo(text: string): LockInfo | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(value)) return null
  const { pid, port, startedAt, version, ready } = value
  if (!isCount(pid) || !isCount(startedAt)) return null
  if (port !== null && !isCount(port)) return null
  if (typeof version !== 'string' || typeof ready !== 'boolean') return null
  return { pid, port, startedAt, version, ready, ...parseBoot(value) }
}

// An older gateway does not say.
function parseBoot({ boots, recovered }: Readonly<Record<string, unknown>>): Partial<LockInfo> {
  if (!isCount(boots) || !isObject(recovered)) return {}
  const count = (name: keyof Recovered): number => Number(recovered[name] ?? 0)
  const found = {
    sessions: count('sessions'),
    effectsLost: count('effectsLost'),
    sends: count('sends'),
    waits: count('waits'),
  }
  return { boots, recovered: found }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}
