/**
 * Messages that a platform believes we have, until the journal has them: files of 0600 in a directory
 * of 0700 under the state directory. They outlive this process, not a power cut. They are in no
 * backup.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { memberOf } from '../protocol/members.ts'
import type { HeldFiles } from './channels/whatsapp-inbox.ts'
import { notWritten, writePrivate } from './private-file.ts'

const NAME = /^(\d+)\.json$/

/** Where the messages of a channel wait. */
export function heldDirectory(stateDir: string, channel: string): string {
  return join(stateDir, 'channels', `${channel}-held`)
}

/** Opens a directory of messages; it is made when the first one is written. */
export function openHeldFiles(directory: string): HeldFiles {
  const pathOf = (name: string): string => join(directory, `${name}.json`)
  return {
    list: () => {
      const names = unlessAbsent(() => readdirSync(directory)) ?? []
      return names.flatMap((name) => NAME.exec(name)?.[1] ?? []).toSorted()
    },
    read: (name) => unlessAbsent(() => readFileSync(pathOf(name), 'utf8')),
    write: (name, text) => {
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
      } catch (cause) {
        throw notWritten(directory, cause)
      }
      writePrivate(pathOf(name), text, { flush: false })
    },
    remove: (name) => rmSync(pathOf(name), { force: true }),
  }
}

function unlessAbsent<T>(read: () => T): T | null {
  try {
    return read()
  } catch (thrown) {
    if (memberOf(thrown, 'code') === 'ENOENT') return null
    throw thrown
  }
}
