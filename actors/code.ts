/**
 * Code identity: which machines wrote a record (K8), as `prepare` computed it, and the code itself,
 * which the gateway keeps in the journal so that an old incident replays with its old logic.
 */
import { readFileSync } from 'node:fs'
import { codeId, type CodeParts } from '../protocol/code.ts'
import { sha256Hex } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { formatArchive } from '../store/code-archive.ts'
import type { Store } from '../store/contract.ts'
import type { Log } from './services.ts'

interface CodeFile extends CodeParts {
  readonly id: string
}

const DIST = new URL('../', import.meta.url)

/**
 * Reads the identity of the compiled machines: 16 hex digits over their import closure.
 * @throws {GatewayError} INTERNAL: the package was not prepared.
 */
export function readCodeIdentity(): string {
  return readCodeFile(DIST).id
}

function readCodeFile(dist: URL): CodeFile {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(new URL('code.json', dist), 'utf8'))
  } catch (cause) {
    throw new GatewayError('INTERNAL', 'code.json is missing: run `npm run prepare`', {}, cause)
  }
  if (isCodeFile(value)) return value
  throw new GatewayError('INTERNAL', 'code.json has no id: run `npm run prepare`')
}

function isCodeFile(value: unknown): value is CodeFile {
  if (typeof value !== 'object' || value === null) return false
  if (!('id' in value && 'files' in value && 'xstate' in value && 'immer' in value)) return false
  const { id, files, xstate, immer } = value
  const areTexts = [id, xstate, immer].every((member) => typeof member === 'string')
  return areTexts && typeof files === 'object' && files !== null
}

/**
 * Keeps the code of this process in the journal, once for each identity. What is written is on its
 * way before the call returns, so before any record that is appended after it. Code that is not what
 * `code.json` says is not kept, and the log says why: a gateway serves without it.
 */
export function keepCode(store: Store, log: Log, dist: URL = DIST): void {
  try {
    const { id, files, xstate, immer } = readCodeFile(dist)
    if (store.codes().includes(id)) return
    const texts = Object.keys(files).map((path) => [path, readChecked(dist, path, files[path])])
    const found = codeId({ files, xstate, immer })
    if (found !== id) throw new Error(`code.json says ${id}, its files make ${found}`)
    const archive = formatArchive({ files: Object.fromEntries(texts), xstate, immer })
    store.putCode(id, archive).catch((error: unknown) => warn(log, error))
  } catch (error) {
    warn(log, error)
  }
}

function readChecked(dist: URL, path: string, digest: string | undefined): string {
  const bytes = readFileSync(new URL(path, dist))
  if (sha256Hex(bytes) === digest) return bytes.toString('utf8')
  throw new Error(`${path} is not the file that code.json names`)
}

function warn(log: Log, error: unknown): void {
  log.warn('code not kept in the journal', { error: String(error) })
}
