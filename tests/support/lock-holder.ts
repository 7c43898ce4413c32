/**
 * A process that takes the lock of a directory and holds it until it is killed.
 * Arguments: directory, kind. Says `held`, or the code of the refusal.
 */
import { type LockKind, takeLock } from '../../actors/lock.ts'
import { toGatewayError } from '../../protocol/errors.ts'

const [directory = '', kind = 'abstract'] = process.argv.slice(2)
const info = { pid: process.pid, port: 18_789, startedAt: Date.now(), version: 'test', ready: true }

try {
  await takeLock(directory, info, kind as LockKind)
  process.stdout.write('held\n')
  setInterval(() => {}, 60_000)
} catch (thrown) {
  const { code, details } = toGatewayError(thrown)
  process.stdout.write(`${code} ${JSON.stringify(details)}\n`)
}
