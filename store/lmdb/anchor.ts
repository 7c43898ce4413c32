/**
 * The anchor: what was once known to be in the journal, kept outside it.
 *
 *   anchor.json   {"position": 1842, "hash": "<64 hex digits>", "epoch": 7}
 *
 * A journal file that was put back from an older copy is whole in itself; only the anchor can tell
 * (D-R5). It lies at most limits.anchorIntervalMs behind and never ahead: it is written after the
 * commit that it names. A restore puts its own beside the copy (scripts/backup/restore.ts). Step 6 of 8.
 */
import { existsSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { lastPosition, readRecord } from './environment.ts'
import type { Tables } from './environment.ts'

export interface Anchor {
  readonly position: number
  readonly hash: Uint8Array // 32 bytes
  readonly epoch: number
}

/** Path of a journal's anchor. */
export function anchorFile(directory: string): string {
  return join(directory, 'anchor.json')
}

/**
 * Reads the anchor, or null where there is none.
 * @throws {GatewayError} STORE_CORRUPT with details.file: it is not an anchor.
 */
export function readAnchor(directory: string): Anchor | null {
  const file = anchorFile(directory)
  if (!existsSync(file)) return null
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const anchor = parseAnchor(parsed)
    if (anchor !== null) return anchor
  } catch (cause) {
    throw new GatewayError('STORE_CORRUPT', `anchor: ${file} is unreadable`, { file }, cause)
  }
  throw new GatewayError('STORE_CORRUPT', `anchor: ${file} is no anchor`, { file })
}

function parseAnchor(value: unknown): Anchor | null {
  if (typeof value !== 'object' || value === null) return null
  const position: unknown = Reflect.get(value, 'position')
  const hash: unknown = Reflect.get(value, 'hash')
  const epoch: unknown = Reflect.get(value, 'epoch')
  if (typeof position !== 'number' || typeof epoch !== 'number') return null
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return null
  return { position, hash: Buffer.from(hash, 'hex'), epoch }
}

/** Writes the anchor so that a crash leaves the old one or the new one. */
export async function writeAnchor(directory: string, anchor: Anchor): Promise<void> {
  const file = anchorFile(directory)
  const { position, epoch } = anchor
  const hash = Buffer.from(anchor.hash).toString('hex')
  const temporary = await open(`${file}.tmp`, 'w', 0o600)
  try {
    await temporary.chmod(0o600)
    await temporary.writeFile(`${JSON.stringify({ position, hash, epoch })}\n`)
    await temporary.sync()
  } finally {
    await temporary.close()
  }
  await rename(`${file}.tmp`, file)
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Holds a journal to its anchor.
 * @throws {GatewayError} STORE_ROLLBACK: it ends before the anchor, or is another journal there.
 */
export function checkAnchor(tables: Tables, anchor: Anchor): void {
  const { position } = anchor
  if (position === 0) return
  const head = lastPosition(tables)
  if (head < position) {
    throw rollback(`the journal ends at ${head}, but ${position} was once in it`, position, head)
  }
  const record = readRecord(tables, position)
  if (record !== null && Buffer.compare(record.hash, anchor.hash) === 0) return
  throw rollback(`record #${position} is not the one that was once there`, position, head)
}

/** Makes the fault of a journal that has lost what was in it. */
export function rollback(reason: string, position: number, head: number): GatewayError {
  return new GatewayError('STORE_ROLLBACK', `journal: ${reason}`, { position, head, reason })
}

/** Keeps the anchor behind a writer. */
export class AnchorKeeper {
  readonly #directory: string
  readonly #current: () => Anchor
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(directory: string, current: () => Anchor) {
    this.#directory = directory
    this.#current = current
  }

  /** Says that the head has moved; the anchor follows within limits.anchorIntervalMs. */
  note(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#write()
    }, limits.anchorIntervalMs)
    this.#timer.unref()
  }

  /** Writes the anchor a last time and stops. */
  async close(): Promise<void> {
    this.stop()
    this.#write()
    await this.#writing
  }

  /** Stops without writing: what the anchor says stays true. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  // An anchor that could not be written is old, not wrong; the next one may succeed.
  #write(): void {
    const anchor = this.#current()
    this.#writing = this.#writing
      .then(() => writeAnchor(this.#directory, anchor))
      .catch(() => undefined)
  }
}
