/**
 * Check of archives: is each file whole, and is each that the journal names still here. One that was
 * taken elsewhere on purpose is not missed where an empty file `<name>.away` says so.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { archivePath, listArchives } from '../../actors/archive.ts'
import { keptStream } from '../../machines/history/source.ts'
import { messageOf } from '../../protocol/errors.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { checkBundle } from '../../store/bundle.ts'
import { type CheckContext, fail, type Finding, ok, warn } from './finding.ts'
import { withJournal } from './journal.ts'

const NAME = 'archives'

/** Checks the digest of each archive, and that none is missing. */
export async function checkArchives(context: CheckContext): Promise<readonly Finding[]> {
  const { stateDir } = context.settings
  let names: string[]
  try {
    names = listArchives(stateDir)
  } catch (error) {
    return [fail(NAME, messageOf(error), 'nothing is archived, and so nothing is pruned')]
  }
  const broken = names
    .slice(0, limits.archiveFilesMax)
    .map((name) => faultOf(archivePath(stateDir, name)))
    .filter((fault) => fault !== null)
    .map((fault) => fail(NAME, fault, 'take this file from a backup: its records are nowhere else'))
  const missing = (await namedIn(context))
    .map((name) => archivePath(stateDir, name))
    .filter((path) => !existsSync(path) && !existsSync(`${path}.away`))
    .map((path) =>
      warn(
        NAME,
        `${path} is missing`,
        `bring it back, or say that it is elsewhere: touch ${path}.away`,
      ),
    )
  const findings = [...broken, ...missing]
  if (findings.length > 0) return findings
  return [ok(NAME, names.length === 0 ? 'none' : `${names.length} files are whole`)]
}

function faultOf(path: string): string | null {
  try {
    if (statSync(path).size > limits.bundleBytesMax) return `${path} is too large to be one`
    checkBundle(readFileSync(path))
    return null
  } catch (error) {
    return `${path}: ${messageOf(error)}`
  }
}

// Every removal tells in which files its records are.
async function namedIn(context: CheckContext): Promise<string[]> {
  const names = await withJournal(context, (history) =>
    [...keptStream(history, GATEWAY, 1)].flatMap(({ event }) => {
      const archives = event.type === 'history.pruned' ? event['archives'] : undefined
      return Array.isArray(archives) ? archives.filter((each) => typeof each === 'string') : []
    }),
  )
  return names ?? []
}
