/**
 * Check of backups: is there one, is it young, is it still where it was put.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MANIFEST_FILE } from '../../protocol/backup.ts'
import { limits } from '../../protocol/limits.ts'
import { readLastBackup } from '../backup/place.ts'
import { formatSpan } from '../output.ts'
import { type CheckContext, type Finding, ok, warn } from './finding.ts'
import { withJournal } from './journal.ts'

const NAME = 'backups'
const MAKE = 'openclaw backup create'

/** Checks the newest backup that this state directory remembers. */
export async function checkBackups(context: CheckContext): Promise<readonly Finding[]> {
  const { settings, now } = context
  const last = readLastBackup(settings.stateDir)
  if (last === null) return [await judgeNone(context)]
  const age = formatSpan(Math.max(0, (now - last.at) / 1_000))
  const says = `the newest is ${age} old: ${last.path}`
  if (!existsSync(join(last.path, MANIFEST_FILE))) {
    return [warn(NAME, `${last.path} is not there any more`, MAKE)]
  }
  return [now - last.at > limits.backupStaleMs ? warn(NAME, says, MAKE) : ok(NAME, says)]
}

// A journal that has just begun has nothing to lose yet.
async function judgeNone(context: CheckContext): Promise<Finding> {
  const begun = await withJournal(context, ({ read }) => read(1)?.at ?? null)
  if (begun === null || context.now - begun < limits.backupStaleMs) return ok(NAME, 'none yet')
  const age = formatSpan((context.now - begun) / 1_000)
  return warn(NAME, `none, and the journal is ${age} old`, MAKE)
}
