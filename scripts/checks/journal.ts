/**
 * Checks of the journal: every record, in a child process, since damage may kill whoever reads it
 * (D-R6); then, where it is whole, its snapshots against what its records fold to, and its times.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { replayStream } from '../../actors/stream.ts'
import { openHistory } from '../../actors/history.ts'
import { readCodeIdentity } from '../../actors/code.ts'
import type { History } from '../../machines/history/source.ts'
import { type ErrorCode, toGatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import type { StoreReader } from '../../store/contract.ts'
import type { VerifyFault } from '../../store/lmdb/verify.ts'
import { formatSpan } from '../output.ts'
import { type CheckContext, fail, type Finding, ok, warn } from './finding.ts'

const NAME = 'journal'
// It could not be looked at: who restores a backup because of that loses what is newer.
const NOT_LOOKED_AT: readonly ErrorCode[] = ['STORE_FAILED', 'UNAVAILABLE', 'TIMEOUT']
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
    if (NOT_LOOKED_AT.includes(code)) return [fail(NAME, message, 'it is not said to be damaged')]
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

/** Looks into a journal that has passed its check; null where it has not, or there is none. */
export async function withReader<T>(
  { settings, journal }: CheckContext,
  look: (reader: StoreReader) => T,
): Promise<T | null> {
  const directory = join(settings.stateDir, 'journal')
  if ((await stat(join(directory, 'journal.mdb')).catch(() => null)) === null) return null
  if ((await journal()).some(({ state }) => state !== 'ok')) return null
  const { openLmdbReader } = await import('../../store/lmdb/open.ts')
  const reader = await openLmdbReader(directory)
  try {
    return look(reader)
  } finally {
    await reader.close()
  }
}

/** The same, as history. */
export function withJournal<T>(
  context: CheckContext,
  look: (history: History) => T,
): Promise<T | null> {
  return withReader(context, (reader) => look(openHistory(reader)))
}

/** What a sample of snapshots came to. */
interface Sample {
  readonly held: number
  readonly wrong: readonly string[] // streams
}

/** Folds a sample of streams from their first records, and holds their snapshots to it. */
export async function checkSnapshots(context: CheckContext): Promise<readonly Finding[]> {
  const name = 'snapshots'
  const sample = await withReader(context, (reader) => foldSample(reader, readCodeIdentity()))
  if (sample === null) return []
  const { held, wrong } = sample
  if (wrong.length === 0) return [ok(name, `${held} of this code are what their records fold to`)]
  const todo = 'openclaw replay tells where they part; snapshots can be made again'
  return wrong.map((stream) => fail(name, `${stream} is not what its records fold to`, todo))
}

// A snapshot of other code is that code's word, and one behind compacted records is all there is.
function foldSample(reader: StoreReader, code: string): Sample {
  const history = openHistory(reader)
  const wrong: string[] = []
  let [held, records] = [0, 0]
  for (const stream of reader.streams() as Iterable<StreamId>) {
    const base = history.base(stream, Number.MAX_SAFE_INTEGER)
    if (base === null || base.code !== code) continue
    if (records + base.version > limits.doctorSampleRecords) continue
    const found = foldFromZero(reader, stream, base.version)
    if (found === null) continue
    held += 1
    records += base.version
    if (found !== base.hash) wrong.push(stream)
    if (held >= limits.doctorSampleStreams) break
  }
  return { held, wrong }
}

const NO_CODE = 'none' // No snapshot is of this code, so none is used.

function foldFromZero(reader: StoreReader, stream: StreamId, version: number): string | null {
  try {
    const { hash, from } = replayStream(reader, stream, NO_CODE, version)
    return from === 0 ? hash : null
  } catch (thrown) {
    return toGatewayError(thrown).code === 'HISTORY_PRUNED' ? null : ''
  }
}

/** Checks that the clock does not stand behind what was recorded. */
export async function checkClock(context: CheckContext): Promise<readonly Finding[]> {
  const name = 'clock'
  const newest = await withJournal(context, (history) => history.read(history.head())?.at ?? null)
  const time = new Date(context.now).toISOString()
  if (newest === null || context.now >= newest - limits.doctorClockMs) return [ok(name, time)]
  const behind = formatSpan((newest - context.now) / 1_000)
  const says = `${time} is ${behind} behind the newest record`
  return [warn(name, says, 'set the clock: timers wait for the times that were recorded')]
}
