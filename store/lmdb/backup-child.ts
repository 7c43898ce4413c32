/**
 * The copying child: a main file that copies a journal and may die of it, as of a cut file (D-R6).
 *
 *   node backup-child.js <directory> <target>
 *   stdout   where it failed, one line of JSON: {"code": …, "message": …, "details": …}
 *   exit     0 copied · 1 not · by a signal: damaged so that reading it crashes
 *
 * Step 6 of 8.
 */
import { toGatewayError } from '../../protocol/errors.ts'
import { copyJournal } from './backup.ts'

const [, , directory = '.', target = '.'] = process.argv

try {
  await copyJournal(directory, target)
} catch (thrown) {
  const { code, message, details } = toGatewayError(thrown)
  process.stdout.write(`${JSON.stringify({ code, message, details })}\n`)
  process.exitCode = 1
}
