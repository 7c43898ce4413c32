/**
 * Which process listens on a port, where /proc tells: Linux, and processes that we may look into.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'

export interface PortHolder {
  readonly pid: number
  readonly name: string // what the process calls itself, or its command line
}

const LISTENING = '0A' // TCP_LISTEN in /proc/net/tcp (Linux, include/net/tcp_states.h)

/** Finds the process that listens on a TCP port of this machine; null where it cannot be told. */
export async function findPortHolder(port: number): Promise<PortHolder | null> {
  const sockets = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const inode of await listeningInodes(table, port)) sockets.add(`socket:[${inode}]`)
  }
  if (sockets.size === 0) return null
  for (const entry of await list('/proc')) {
    if (!/^\d+$/.test(entry) || !(await holdsOne(entry, sockets))) continue
    return { pid: Number(entry), name: (await processName(Number(entry))) ?? 'unknown' }
  }
  return null
}

/** Reads what a process calls itself; null where there is none, or no /proc. */
export async function processName(pid: number): Promise<string | null> {
  const text = await read(`/proc/${pid}/cmdline`)
  const name = text.split('\0').filter(Boolean).join(' ').trim()
  return name === '' ? null : name.slice(0, 80)
}

// Columns of a row: number, local address:port, remote address:port, state, ..., inode at 9.
async function listeningInodes(table: string, port: number): Promise<string[]> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = (await read(table)).split('\n').map((row) => row.trim().split(/\s+/))
  return rows.flatMap(([, local = '', , state, , , , , , inode]) =>
    state === LISTENING && local.endsWith(wanted) && inode !== undefined ? [inode] : [],
  )
}

async function holdsOne(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  for (const descriptor of await list(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    if (sockets.has(target)) return true
  }
  return false
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function list(path: string): Promise<string[]> {
  return readdir(path).catch(() => [])
}
