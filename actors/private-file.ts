/** Files that only their owner may read, beside the journal: written whole or not at all. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { GatewayError } from '../protocol/errors.ts'

/**
 * Writes a file, 0600. Without `flush` a power cut may still lose what was written.
 * @throws {GatewayError} PERMISSION: no such directory, no right, no room; nothing is left behind.
 */
export function writePrivate(
  path: string,
  data: string | Uint8Array,
  { flush }: { readonly flush: boolean } = { flush: true },
): void {
  const draft = `${path}.${process.pid}.tmp`
  try {
    rmSync(draft, { force: true })
    // In a directory of others a link may lie there: it is not followed.
    writeFileSync(draft, data, { mode: 0o600, flag: 'wx', flush })
    renameSync(draft, path)
  } catch (cause) {
    rmSync(draft, { force: true })
    throw notWritten(path, cause)
  }
}

/** Makes the refusal for a file that cannot be written. */
export function notWritten(path: string, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new GatewayError('PERMISSION', `${path}: not written: ${reason}`, { path }, cause)
}
