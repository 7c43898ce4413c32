/**
 * Secrets that a channel's library makes and changes by itself: files of 0600 in a directory of 0700
 * under the state directory. They are in no journal, no log line, no incident and no backup: whoever
 * restores a backup elsewhere logs in again.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { memberOf } from '../protocol/members.ts'
import type { SecretFiles } from './channels/whatsapp-seam.ts'
import { notWritten, writePrivate } from './private-file.ts'

/** Where the secrets of a channel rest. */
export function secretsDirectory(stateDir: string, channel: string): string {
  return join(stateDir, 'channels', channel)
}

/** Opens a directory of secrets; it is made when the first one is written. */
export function openSecretFiles(directory: string): SecretFiles {
  // A name may hold what a path must not, and be longer.
  const pathOf = (name: string): string =>
    join(directory, `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`)
  return {
    read: (name) => {
      try {
        return readFileSync(pathOf(name), 'utf8')
      } catch (thrown) {
        if (memberOf(thrown, 'code') === 'ENOENT') return null
        throw thrown
      }
    },
    write: (name, text, flush) => {
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
      } catch (cause) {
        throw notWritten(directory, cause)
      }
      writePrivate(pathOf(name), text, { flush })
    },
    remove: (name) => rmSync(pathOf(name), { force: true }),
    clear: () => rmSync(directory, { recursive: true, force: true }),
  }
}
