/**
 * Check of the keys of a state directory: they are there, they are keys, and they are the ones that
 * signed this journal.
 */
import { createPrivateKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicKeyBytes } from '../../protocol/auth/signature.ts'
import { isEqual } from '../../protocol/history/merkle.ts'
import { type CheckContext, fail, type Finding, ok, warn } from './finding.ts'
import { withReader } from './journal.ts'

const NAME = 'keys'
const BACK = 'put it back from a backup made with --keys'

/** Checks the key of the journal's heads and that of the configuration's hashes. */
export async function checkKeys(context: CheckContext): Promise<readonly Finding[]> {
  const keys = join(context.settings.stateDir, 'keys')
  const known = (await withReader(context, (reader) => reader.keys())) ?? []
  if (!existsSync(join(keys, 'journal.pem')) && known.length === 0) {
    return [ok(NAME, 'none yet; the first start makes them')]
  }
  return [journalKey(join(keys, 'journal.pem'), known), configKey(join(keys, 'config.key'))]
}

function journalKey(path: string, known: readonly Uint8Array[]): Finding {
  if (!existsSync(path)) {
    return warn(NAME, `${path} is gone: heads will be signed by another key`, BACK)
  }
  try {
    const key = createPrivateKey(readFileSync(path, 'utf8'))
    if (key.asymmetricKeyType !== 'ed25519') return fail(NAME, `${path} is no Ed25519 key`, BACK)
    const own = publicKeyBytes(key)
    if (known.length === 0 || known.some((each) => isEqual(each, own))) return ok(NAME, path)
    return warn(NAME, `${path} is not the key that signed this journal`, BACK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return fail(NAME, `${path} is no key: ${reason}`, BACK)
  }
}

function configKey(path: string): Finding {
  if (!existsSync(path)) return warn(NAME, `${path} is gone: hashes of configurations change`, BACK)
  const isKey = /^[0-9a-f]{64}$/.test(readFileSync(path, 'utf8').trim())
  return isKey ? ok(NAME, path) : fail(NAME, `${path} is no key`, BACK)
}
