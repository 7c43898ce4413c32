/**
 * The head that this device remembers of a gateway: `witness.json`, beside its identity.
 *
 * On another machine than the gateway's this is what makes tampering evident; beside the journal it
 * only notices what was done without touching this file.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writePrivate } from '../../actors/private-file.ts'
import { GatewayError } from '../../protocol/errors.ts'

/** What is remembered. */
export interface Remembered {
  readonly key: string // verifier, as it was first seen
  readonly checkpoint: string // text of the newest head that extended the one before
}

/**
 * Reads what is remembered; null where nothing is.
 * @throws {GatewayError} PROOF_INVALID: the file is not what was written; it is left as it is.
 */
export async function readRemembered(stateDir: string): Promise<Remembered | null> {
  const path = pathOf(stateDir)
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return null
  const remembered = parse(text)
  if (remembered !== null) return remembered
  throw new GatewayError('PROOF_INVALID', `witness: ${path} is damaged`, { path })
}

function parse(text: string): Remembered | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const key: unknown = Reflect.get(value, 'key')
  const checkpoint: unknown = Reflect.get(value, 'checkpoint')
  return typeof key === 'string' && typeof checkpoint === 'string' ? { key, checkpoint } : null
}

/** Remembers a head, 0600, whole or not at all. */
export function keepRemembered(stateDir: string, remembered: Remembered): void {
  writePrivate(pathOf(stateDir), `${JSON.stringify(remembered)}\n`)
}

function pathOf(stateDir: string): string {
  return join(stateDir, 'witness.json')
}
