/**
 * The verifying child: a main file that checks a journal and may die of it.
 *
 *   node verify-child.js <directory> <options as JSON>
 *   stdout   one line of JSON, a VerifyReport
 *            with `lock` the lock for writing is taken after it, and given back
 *   exit     0 whole · 12 damaged · by a signal: damaged so that reading it crashes
 *
 * Step 6 of 8.
 */
import { writeSync } from 'node:fs'
import { toGatewayError } from '../../protocol/errors.ts'
import type { VerifyOptions, VerifyReport } from './verify.ts'
import type { WitnessedHead } from './verify-tree.ts'

const [, , directory = '.', optionsText = '{}'] = process.argv

const options = parseOptions(JSON.parse(optionsText))
const report = await verify(directory, options)
// At once, since what comes next may wait for ever.
writeSync(1, `${JSON.stringify(report)}\n`)
if (report.ok && options.lock === true) {
  const { openEnvironment } = await import('./environment.ts')
  await openEnvironment(directory, 'write').close()
}
process.exitCode = report.ok ? 0 : 12

async function verify(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  try {
    // Inside, so that a store that cannot be loaded is told and not taken for damage.
    const { verifyJournal } = await import('./verify.ts')
    return await verifyJournal(directory, options)
  } catch (error) {
    const { code, message } = toGatewayError(error)
    const firstFault = { code, reason: message }
    return { ok: false, head: 0, records: 0, firstFault, faults: [firstFault], tree: null }
  }
}

function parseOptions(value: unknown): VerifyOptions {
  if (typeof value !== 'object' || value === null) return {}
  const from: unknown = Reflect.get(value, 'from')
  const key: unknown = Reflect.get(value, 'key')
  const witnessed = parseWitnessed(Reflect.get(value, 'witnessed'))
  return {
    ...(typeof from === 'number' ? { from } : {}),
    tail: Reflect.get(value, 'tail') === true,
    lock: Reflect.get(value, 'lock') === true,
    deep: Reflect.get(value, 'deep') === true,
    tree: Reflect.get(value, 'tree') === true,
    ...(typeof key === 'string' ? { key } : {}),
    ...(witnessed === null ? {} : { witnessed }),
  }
}

function parseWitnessed(value: unknown): WitnessedHead | null {
  if (typeof value !== 'object' || value === null) return null
  const size: unknown = Reflect.get(value, 'size')
  const root: unknown = Reflect.get(value, 'root')
  return typeof size === 'number' && typeof root === 'string' ? { size, root } : null
}
