/**
 * The manifest of a backup: what a copy of a gateway holds, and what its journal must turn out to be.
 *
 *   <backup>/manifest.json          this
 *   <backup>/journal/journal.mdb    the journal, compacted
 *   <backup>/openclaw.json          the configuration; literal secrets in it are in the backup too
 *   <backup>/config/ incidents/     past configurations; incidents
 *   <backup>/keys/ client.json      only where keys were asked for
 *
 * A manifest comes from a disk that may be anybody's: paths are of one narrow grammar, and counts
 * and sizes are bounded, before a file is opened by its word.
 */
import {
  array,
  boolean,
  type Infer,
  integer,
  literal,
  max,
  min,
  nullable,
  object,
  pattern,
  refine,
  size,
  string,
} from 'superstruct'
import { GatewayError } from './errors.ts'
import { limits } from './limits.ts'
import { memberOf } from './members.ts'
import { shapeOf } from './shape.ts'

/** Name of the manifest in a backup's directory. */
export const MANIFEST_FILE = 'manifest.json'

/** Path of the journal in a backup. */
export const BACKUP_JOURNAL = 'journal/journal.mdb'

const SCHEMA = 'openclaw-backup/1'
const PATH = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\/){0,3}[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/

const count = min(integer(), 0)
const digest = pattern(string(), /^[0-9a-f]{64}$/)
const word = size(string(), 0, limits.backupWordCharsMax)

const File = object({
  path: refine(string(), 'path inside the backup', isBackupPath),
  bytes: max(count, Number.MAX_SAFE_INTEGER),
  sha256: digest,
})

const Manifest = object({
  schema: literal(SCHEMA),
  createdAt: pattern(string(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  version: word, // of openclaw
  node: word,
  code: word, // identity of the code that ran
  origin: digest, // hash of the first record: which journal this is one of; zeros for an empty one
  head: object({
    position: count,
    hash: digest,
    root: digest, // of the Merkle tree
    epoch: count,
    signed: nullable(size(string(), 0, limits.checkpointCharsMax)), // the newest signed head
  }),
  keys: boolean(),
  files: size(array(File), 1, limits.backupFilesMax),
})

/** One file of a backup. */
export type BackupFile = Infer<typeof File>

/** What a backup says of itself. */
export type BackupManifest = Infer<typeof Manifest>

/** What a manifest says of the journal. */
export type BackupHead = BackupManifest['head']

/** Tells whether a path may be that of a file in a backup: relative, no dots in front, no links out. */
export function isBackupPath(path: string): boolean {
  return PATH.test(path) && path !== MANIFEST_FILE
}

/** Writes a manifest. */
export function formatManifest(manifest: Omit<BackupManifest, 'schema'>): string {
  return `${JSON.stringify({ schema: SCHEMA, ...manifest }, null, 1)}\n`
}

/**
 * Reads a manifest.
 * @throws {GatewayError} RECORD_FORMAT: a newer version's; STORE_CORRUPT: it is none.
 */
export function parseManifest(text: string): BackupManifest {
  const value = parseJson(text)
  const schema = memberOf(value, 'schema')
  if (typeof schema === 'string' && /^openclaw-backup\/\d+$/.test(schema) && schema !== SCHEMA) {
    throw new GatewayError('RECORD_FORMAT', `backup: ${schema} is of a newer version`, { schema })
  }
  const shape = shapeOf(Manifest, value)
  if (!shape.ok) {
    const path = shape.failure.path.join('.')
    throw corruptBackup(`the manifest is none: ${path}: ${shape.failure.message}`)
  }
  const paths = shape.value.files.map((file) => file.path)
  if (new Set(paths).size !== paths.length) throw corruptBackup('the manifest names a file twice')
  if (!paths.includes(BACKUP_JOURNAL)) throw corruptBackup('the manifest names no journal')
  return shape.value
}

/** Makes the fault of a backup that is not what it says. */
export function corruptBackup(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('STORE_CORRUPT', `backup: ${reason}`, { reason }, cause)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw corruptBackup('the manifest is no JSON', cause)
  }
}
