/** Damage on purpose: bytes of a journal file that lies still, found by what they hold. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import type { StoreReader } from '../../store/contract.ts'
import { dataFile } from '../../store/lmdb/environment.ts'
import { makeStateDir, type StateDir } from './child.ts'
import { withReader } from './journal.ts'

/** Copies a state directory, for one test to damage. */
export function copyState(from: StateDir): StateDir {
  const copy = makeStateDir()
  cpSync(from.path, copy.path, { recursive: true })
  return copy
}

const RECORD_HEADER_BYTES = 5 // Format and checksum stand before the hash that we look for.

/** Flips one byte of a record, counted from the start of its value. */
export async function damageRecord(
  journal: string,
  position: number,
  offset: number = RECORD_HEADER_BYTES + 40,
): Promise<void> {
  const hash = await withReader(journal, (reader) => reader.read(position)?.previousHash)
  if (hash === undefined) throw new Error(`no record #${position}`)
  flip(journal, hash, offset - RECORD_HEADER_BYTES)
}

/** Flips one byte in the middle of a value that a reader can show. */
export async function damageValue(
  journal: string,
  find: (reader: StoreReader) => Uint8Array | undefined,
): Promise<void> {
  const bytes = await withReader(journal, find)
  if (bytes === undefined) throw new Error('nothing to damage')
  flip(journal, bytes, bytes.length >> 1)
}

// LMDB copies pages when it writes, so older copies of the same bytes lie about; all are hit.
function flip(journal: string, bytes: Uint8Array, offset: number): void {
  const file = readFileSync(dataFile(journal))
  let found = 0
  for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) {
    file[at + offset] = (file[at + offset] ?? 0) ^ 0x10
    found += 1
  }
  if (found === 0) throw new Error('the bytes are not in one piece in the file')
  writeFileSync(dataFile(journal), file)
}
