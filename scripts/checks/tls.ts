/**
 * Checks of the certificate that the configuration names, and of who may read its key.
 */
import { stat } from 'node:fs/promises'
import { systemClock } from '../../actors/services.ts'
import { namedFile } from '../../actors/config-files.ts'
import { readTls } from '../../actors/tls.ts'
import type { ResolvedTls } from '../../protocol/config/defaults.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

const NAME = 'certificate'
const ALL_READ = 0o004 // Its group may: that is how certificates are shared with services.

/** Checks as the gateway does when it starts; nothing where no certificate is configured. */
export async function checkTls(tls: ResolvedTls | null, configPath: string): Promise<Finding[]> {
  if (tls === null) return []
  try {
    const { validTo } = readTls(tls, configPath, systemClock.now())
    const file = namedFile(tls.key, configPath)
    const { mode } = await stat(file)
    if ((mode & ALL_READ) !== 0) {
      return [warn(NAME, `every user may read its key: ${file}`, `chmod o-r ${file}`)]
    }
    return [ok(NAME, `valid until ${new Date(validTo).toISOString()}`)]
  } catch (thrown) {
    return [fail(NAME, toGatewayError(thrown).message, 'the gateway does not start like this')]
  }
}
