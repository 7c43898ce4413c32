/**
 * Checks every record of the journal, in a child process: damage may kill whoever reads it (D-R6).
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { toGatewayError } from '../../protocol/errors.ts'
import { memberOf } from '../../protocol/members.ts'
import type { VerifyFault } from '../../store/lmdb/verify.ts'
import { fail, type Finding, ok } from './finding.ts'

const NAME = 'journal'
const MEND = 'stop the gateway, keep a copy of the directory, restore from a backup'

/** Verifies the journal of a state directory; each damaged place is a finding of its own. */
export async function checkJournal(stateDir: string): Promise<Finding[]> {
  const directory = join(stateDir, 'journal')
  if ((await stat(directory).catch(() => null)) === null) {
    return [ok(NAME, 'not there yet; the first start makes it')]
  }
  try {
    const { verifyInChild } = await import('../../store/lmdb/check.ts')
    const { ok: whole, head, records, faults } = await verifyInChild(directory, { deep: true })
    if (whole) return [ok(NAME, `${records} records up to #${head} are whole`)]
    return findings(faults)
  } catch (thrown) {
    const { code, message, details } = toGatewayError(thrown)
    if (code === 'NOT_FOUND') return [ok(NAME, 'empty')]
    const faults = faultsOf(details['report'])
    return faults.length > 0 ? findings(faults) : [fail(NAME, message, MEND)]
  }
}

function findings(faults: readonly VerifyFault[]): Finding[] {
  return faults.map(({ position, reason }) => {
    const where = position === undefined ? '' : `record #${position}: `
    return fail(NAME, `${where}${reason}`, MEND)
  })
}

/** Reads the faults out of the report that came with an error. */
function faultsOf(report: unknown): VerifyFault[] {
  const faults = memberOf(report, 'faults')
  return Array.isArray(faults) ? faults.filter(isFault) : []
}

function isFault(value: unknown): value is VerifyFault {
  return typeof value === 'object' && value !== null && 'reason' in value
}
