/**
 * Check of what processes that are no more have left behind: drafts of files, a half-made backup or
 * restore, a socket that nobody listens behind. None of it is needed, and nobody alive is robbed.
 */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { askLock } from '../../actors/lock.ts'
import { isDeadDraft } from '../../actors/private-file.ts'
import { isSwapDecided, stagedJournal } from '../../actors/swap.ts'
import { backupDirectory, deadDrafts } from '../backup/place.ts'
import { type CheckContext, type Finding, ok, warn } from './finding.ts'

const NAME = 'leftovers'
const SHOWN_MAX = 3
const DEPTH_MAX = 3

/** Lists what is left behind. */
export async function checkLeftovers({ settings }: CheckContext): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  if (isSwapDecided(settings.stateDir)) {
    const says = 'a restore was cut short'
    findings.push(warn(NAME, says, 'start the gateway: it ends the restore first'))
  }
  const paths = await leftovers(settings.stateDir)
  if (paths.length > 0) {
    const more = paths.length > SHOWN_MAX ? ` and ${paths.length - SHOWN_MAX} more` : ''
    const says = `${paths.slice(0, SHOWN_MAX).join(', ')}${more}`
    findings.push(warn(NAME, says, 'openclaw doctor --fix removes them'))
  }
  return findings.length > 0 ? findings : [ok(NAME, 'none')]
}

/** Removes them. */
export async function removeLeftovers({ settings }: CheckContext): Promise<readonly string[]> {
  const paths = await leftovers(settings.stateDir)
  for (const path of paths) rmSync(path, { recursive: true, force: true })
  return paths.map((path) => `removed ${path}`)
}

async function leftovers(stateDir: string): Promise<string[]> {
  const drafts = filesBelow(stateDir, DEPTH_MAX).filter(isDeadDraft)
  return [
    ...drafts,
    ...deadDrafts(backupDirectory(stateDir, undefined)),
    ...(await ofNobody(stateDir)),
  ]
}

// What only the holder of the lock makes: left over where nobody holds it.
async function ofNobody(stateDir: string): Promise<string[]> {
  const isHeld = await askLock(stateDir).then(
    (holder) => holder !== null,
    () => true,
  )
  if (isHeld || isSwapDecided(stateDir)) return []
  const staged = [stagedJournal(stateDir)]
  const sockets = process.platform === 'linux' ? [] : [join(stateDir, 'gateway.sock')]
  return [...staged, ...sockets].filter((path) => existsSync(path))
}

function filesBelow(directory: string, depth: number): string[] {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (depth === 0 || found?.isDirectory() !== true) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return filesBelow(path, depth - 1)
    return entry.isFile() ? [path] : []
  })
}
