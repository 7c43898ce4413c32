/**
 * Code in the journal: the compiled files that folded its records, kept under their identity (K8).
 *
 *   brotli( msgpack { format: 1, id, files: { path: text }, xstate, immer } )
 *
 * Promises that what is read back recomputes to the id that it is filed under, so that nothing else
 * is ever run in the name of recorded code. Step 6 of 8.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { codeId } from '../protocol/code.ts'
import { pack, sha256Hex, unpack } from '../protocol/codec.ts'
import { limits } from '../protocol/limits.ts'
import { corruptValue } from './seal.ts'
import type { StoreReader } from './contract.ts'

/** The code of one identity: its compiled files, and the libraries that they need. */
export interface CodeArchive {
  readonly files: Readonly<Record<string, string>> // path below dist/ -> text
  readonly xstate: string // exact versions
  readonly immer: string
}

// Level 5 takes a tenth of the time of 11, for a sixth more bytes.
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }

/** Recomputes the identity of code from its files. */
export function archiveId({ files, xstate, immer }: CodeArchive): string {
  const digests = Object.entries(files).map(([path, text]) => [path, sha256Hex(text)])
  return codeId({ files: Object.fromEntries(digests), xstate, immer })
}

/** Encodes code for the store. */
export function formatArchive(archive: CodeArchive): Uint8Array {
  const { files, xstate, immer } = archive
  return brotliCompressSync(
    pack({ format: 1, id: archiveId(archive), files, xstate, immer }),
    QUALITY,
  )
}

/**
 * Decodes code that is filed under an id.
 * @throws {GatewayError} STORE_CORRUPT: not an archive, or of another identity.
 */
export function parseArchive(id: string, bytes: Uint8Array): CodeArchive {
  const archive = decode(id, bytes)
  const found = archiveId(archive)
  if (found === id) return archive
  throw corruptValue('code', id, `its files have the identity ${found}`)
}

function decode(id: string, bytes: Uint8Array): CodeArchive {
  let value: unknown
  try {
    value = unpack(brotliDecompressSync(bytes, { maxOutputLength: limits.codeBytesMax }))
  } catch (cause) {
    throw corruptValue('code', id, 'no archive', cause)
  }
  if (isArchive(value)) return { files: value.files, xstate: value.xstate, immer: value.immer }
  throw corruptValue('code', id, 'no archive of format 1')
}

function isArchive(value: unknown): value is CodeArchive {
  if (typeof value !== 'object' || value === null) return false
  if (!('files' in value && 'xstate' in value && 'immer' in value && 'format' in value))
    return false
  const { format, files, xstate, immer } = value
  if (format !== 1 || typeof xstate !== 'string' || typeof immer !== 'string') return false
  if (typeof files !== 'object' || files === null || Array.isArray(files)) return false
  return Object.values(files).every((text) => typeof text === 'string')
}

/**
 * Reads the code of an identity out of the journal; null where it is not there.
 * @throws {GatewayError} STORE_CORRUPT: what is filed there is not this code.
 */
export function readCode(store: Pick<StoreReader, 'code'>, id: string): CodeArchive | null {
  const bytes = store.code(id)
  return bytes === null ? null : parseArchive(id, bytes)
}
