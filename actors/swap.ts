/**
 * Puts a restored journal in the place of another one, which is moved aside and never deleted.
 *
 *   journal.restoring/   the new one, whole, with its anchor
 *   restore.json         {"aside": "journal.before-20261125T101500Z"}: the swap is decided
 *   journal/             → the name that restore.json says, then journal.restoring/ → journal/
 *
 * Two renames are not one: between them there is no journal. So the decision is written first, and
 * whoever starts in this state directory ends what it says before anything else. Before the
 * decision the old journal stands; after it, the new one.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { GatewayError } from '../protocol/errors.ts'
import { memberOf } from '../protocol/members.ts'
import { flushDirectory, notWritten, writePrivate } from './private-file.ts'

/** Where a journal is made ready to take the place of the one that is there. */
export function stagedJournal(stateDir: string): string {
  return join(stateDir, 'journal.restoring')
}

/** Tells whether a swap was decided and is not ended yet. */
export function isSwapDecided(stateDir: string): boolean {
  return existsSync(decisionOf(stateDir))
}

/** Decides that the staged journal takes the place; `aside` is the name that the old one gets. */
export function decideSwap(stateDir: string, aside: string): void {
  flushDirectory(stateDir)
  writePrivate(decisionOf(stateDir), `${JSON.stringify({ aside })}\n`)
  flushDirectory(stateDir)
}

/**
 * Ends a swap that was decided; returns the name of the journal moved aside, or null where there
 * was nothing to end. Needs the lock of the state directory. It may be called again at any time.
 * @throws {GatewayError} STORE_CORRUPT: the decision is none; PERMISSION: a rename was refused.
 */
export function settleSwap(stateDir: string): string | null {
  if (!isSwapDecided(stateDir)) return null
  const decision = decisionOf(stateDir)
  const aside = readDecision(decision)
  const [staged, journal] = [stagedJournal(stateDir), join(stateDir, 'journal')]
  try {
    const old = join(stateDir, aside)
    if (existsSync(staged)) {
      if (existsSync(journal) && !existsSync(old)) renameSync(journal, old)
      renameSync(staged, journal)
    } else if (!existsSync(journal) && existsSync(old)) renameSync(old, journal)
    flushDirectory(stateDir)
    rmSync(decision)
    return aside
  } catch (cause) {
    throw notWritten(journal, cause)
  }
}

/** Removes a staged journal, unless it was decided that it takes the place. */
export function dropStaged(stateDir: string): void {
  if (isSwapDecided(stateDir)) return
  rmSync(stagedJournal(stateDir), { recursive: true, force: true })
}

function decisionOf(stateDir: string): string {
  return join(stateDir, 'restore.json')
}

function readDecision(path: string): string {
  const aside = parseDecision(readFileSync(path, 'utf8'))
  if (aside !== null) return aside
  const message = `${path} is no decision to restore; where none was made, remove it`
  throw new GatewayError('STORE_CORRUPT', message, { file: path })
}

function parseDecision(text: string): string | null {
  try {
    const aside: unknown = memberOf(JSON.parse(text), 'aside')
    return typeof aside === 'string' && /^journal\.[\w-]+$/.test(aside) ? aside : null
  } catch {
    return null
  }
}
