/**
 * Which process listens on a port, and whose it is, where /proc tells: Linux, and, for the process,
 * those that we may look into.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { GatewayError } from '../protocol/errors.ts'

export interface PortHolder {
  readonly pid: number
  readonly name: string // what the process calls itself, or its command line
}

const LISTENING = '0A' // TCP_LISTEN in /proc/net/tcp (Linux, include/net/tcp_states.h)

/** Finds the process that listens on a TCP port of this machine; null where it cannot be told. */
export async function findPortHolder(port: number): Promise<PortHolder | null> {
  const sockets = new Set<string>()
  for (const { inode } of await listening(port)) sockets.add(`socket:[${inode}]`)
  if (sockets.size === 0) return null
  for (const entry of await list('/proc')) {
    if (!/^\d+$/.test(entry) || !(await holdsOne(entry, sockets))) continue
    return { pid: Number(entry), name: (await processName(Number(entry))) ?? 'unknown' }
  }
  return null
}

/**
 * Makes sure that what listens on a port of loopback is run by us, by root or by the owner of the
 * state directory: any user of this machine may listen there while the gateway does not, or under
 * the lock's name, and would be shown our credentials.
 * @throws {GatewayError} PERMISSION: it is another user's. Nothing where /proc does not tell.
 */
export async function assertOwnPort(
  port: number,
  stateDir: string,
  own = process.getuid?.(),
): Promise<void> {
  if (own === undefined) return
  const owner = await stat(stateDir).catch(() => null)
  const trusted = new Set([0, own, owner?.uid ?? own])
  const rows = await listening(port)
  const other = rows.find(({ address, uid }) => LOOPBACK.test(address) && !trusted.has(uid))
  if (other === undefined) return
  const message = `port ${port} is served by another user (uid ${other.uid}): nothing was shown to it; name it with --port ${port} where that is meant`
  throw new GatewayError('PERMISSION', message, { port, uid: other.uid })
}

// In the kernel's byte order: 127.x.x.x, ::1, IPv4 within IPv6, and every address.
const LOOPBACK = /^(?:[\dA-F]{6}7F|0{24}01000000|0{16}FFFF0000[\dA-F]{6}7F|0{8}|0{32})$/

/** Reads what a process calls itself; null where there is none, or no /proc. */
export async function processName(pid: number): Promise<string | null> {
  const text = await read(`/proc/${pid}/cmdline`)
  const name = text.split('\0').filter(Boolean).join(' ').trim()
  return name === '' ? null : name.slice(0, 80)
}

interface ListeningSocket {
  readonly address: string // hex, as the kernel writes it
  readonly uid: number
  readonly inode: string
}

// Columns of a row: number, local address:port, remote address:port, state, ..., uid at 7, ..., inode at 9.
async function listening(port: number): Promise<ListeningSocket[]> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(read))
  const rows = tables.flatMap((table) => table.split('\n')).map((row) => row.trim().split(/\s+/))
  return rows.flatMap(([, local = '', , state, , , , uid, , inode]) => {
    const [address = '', at] = local.split(':')
    if (state !== LISTENING || at !== wanted || inode === undefined) return []
    return [{ address, uid: Number(uid), inode }]
  })
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
