/**
 * `openclaw history erase`: the texts that somebody wrote and was answered, or those of a session.
 *
 * Records, hashes and signed heads stay as they are; the erasure is a record itself. Goes through
 * the gateway where one runs, else takes its place. Without `--yes` it only says what it would do.
 */
import { askLock } from '../../actors/lock.ts'
import { type EraseScope, parseScope, previewErasure } from '../../actors/erase.ts'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { reachArgs } from '../arguments.ts'
import { askAt } from '../ask.ts'
import type { Payload } from '../client.ts'
import { EXIT } from '../exit.ts'
import { findJournal } from '../history/place.ts'
import { note, show, showJson } from '../output.ts'
import { isPortNamed, readSettings, type Settings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: erased, or told with --dry-run; 14: told, --yes is missing; 10: nothing found. */
export const historyErase = defineVerb({
  name: 'history erase',
  description:
    'Erase the texts of a subject or a session for good. Records stay, and so do copies made ' +
    'before; freed pages of the file keep their bytes until the store uses them again',
  args: {
    ...reachArgs,
    subject: { type: 'string', valueHint: 'CHANNEL:SENDER', description: 'whose, as irc:ann' },
    session: { type: 'string', valueHint: 'KEY', description: 'or all of this session' },
    reason: { type: 'string', valueHint: 'TEXT', description: 'why, for the record' },
    'dry-run': { type: 'boolean', description: 'only say what would be erased' },
    yes: { type: 'boolean', description: 'do it' },
  },
  async run(args) {
    const settings = await readSettings(args)
    const { subject, session, reason = '' } = args
    const scope = readScope(subject, session)
    if (reason.length > limits.eraseReasonCharsMax) {
      const message = `--reason: expected at most ${limits.eraseReasonCharsMax} characters, got ${quote(reason)}`
      throw new GatewayError('USAGE', message, { verb: 'history erase' })
    }
    const dryRun = args['dry-run'] === true || args.yes !== true
    const isRunning = isPortNamed(settings) || (await askLock(settings.stateDir)) !== null
    const params = { ...(subject === undefined ? { session } : { subject }), reason, dryRun }
    const report = isRunning
      ? await askAt(settings, 'history.erase', params)
      : await eraseHere(settings, scope, reason, dryRun)
    const isRefused = dryRun && args['dry-run'] !== true
    if (args.json) showJson({ ok: !isRefused, schema: 'openclaw-erase/1', ...report })
    else tell(report, isRefused)
    return isRefused ? EXIT.refused : 0
  },
})

function readScope(subject: string | undefined, session: string | undefined): EraseScope {
  try {
    return parseScope({ subject, session })
  } catch (thrown) {
    const { message } = toGatewayError(thrown)
    const text = `expected --subject CHANNEL:SENDER or --session KEY: ${message}`
    throw new GatewayError('USAGE', text, { verb: 'history erase' }, thrown)
  }
}

async function eraseHere(
  { stateDir }: Settings,
  scope: EraseScope,
  reason: string,
  dryRun: boolean,
): Promise<Payload> {
  const directory = await findJournal(stateDir)
  if (!dryRun) {
    const { eraseStopped } = await import('../history/erase-stopped.ts')
    return { ...(await eraseStopped(stateDir, { scope, reason, by: 'operator', dryRun })) }
  }
  const { openLmdbReader } = await import('../../store/lmdb/open.ts')
  const reader = await openLmdbReader(directory)
  try {
    return { ...(await previewErasure(reader, scope)).report }
  } finally {
    await reader.close()
  }
}

function tell(
  { scope, bodies, unnamed, bytes, dryRun, position }: Payload,
  isRefused: boolean,
): void {
  const what = `${String(bodies)} texts, ${String(bytes)} bytes, of ${String(scope)}`
  if (dryRun === true) show(`would erase ${what}`)
  else show(`erased ${what}; recorded as #${String(position)}`)
  if (Number(unnamed) > 0) {
    note(`${String(unnamed)} of them are named by nothing since their records were compacted away.`)
  }
  if (isRefused) note('Nothing was erased: it cannot be undone. Say --yes to do it.')
  if (dryRun !== true) {
    note('Freed pages keep their bytes until the store uses them again; older copies keep theirs.')
  }
}
