/**
 * `openclaw history verify`: is the journal what it was? Reads every record, in a child process.
 *
 * Tamper-evident after the last head that somebody else remembers: without `--head` this proves
 * that the journal is whole in itself, and that its signed heads are of one key; whoever has that
 * key could have written all of it anew. What no signed head covers is told as such.
 */
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import {
  parseCheckpoint,
  parseVerifier,
  type Verifier,
  verifyCheckpoint,
} from '../../protocol/history/checkpoint.ts'
import { quote } from '../../protocol/ids.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import type { VerifyFault, VerifyOptions, VerifyReport } from '../../store/lmdb/verify.ts'
import { showHoles } from '../history/holes-text.ts'
import { findJournal, journalArgs } from '../history/place.ts'
import type { StateHashes } from '../history/state-hashes.ts'
import { note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: whole; 12: damaged, or a head does not hold; 10: no journal. */
export const historyVerify = defineVerb({
  name: 'history verify',
  description: 'Check every record, the tree over them, and every signed head',
  args: {
    ...journalArgs,
    deep: {
      type: 'boolean',
      description: 'all that is kept beside the records, and every state recomputed',
    },
    head: {
      type: 'string',
      valueHint: 'FILE',
      description: 'a signed head kept elsewhere, which the journal must extend; - is stdin',
    },
    key: {
      type: 'string',
      valueHint: 'KEY',
      description: 'the only key that may have signed, as `history head` showed it',
    },
  },
  async run(args) {
    const directory = await findJournal(args.journal)
    const key = args.key === undefined ? null : readKey(args.key)
    const witnessed = args.head === undefined ? null : await readHead(args.head)
    const report = await verify(directory, {
      tree: true,
      deep: args.deep === true,
      ...(witnessed === null ? {} : { witnessed: witnessed.tree }),
      ...(args.key === undefined ? {} : { key: args.key.trim() }),
    })
    const signature = witnessed === null ? null : checkSignature(witnessed.text, key, report)
    const states = args.deep === true && report.ok ? await statesOf(args.journal) : null
    const faults = [...report.faults, ...(signature ?? []), ...stateFaults(states)]
    const result = { ...report, faults, states }
    const ok = faults.length === 0
    if (args.json) showJson(documentOf(result, ok))
    else tell(result, ok, key !== null)
    return ok ? 0 : 12
  },
})

async function statesOf(journal: string | undefined): Promise<StateHashes> {
  const { checkStates } = await import('../history/state-hashes.ts')
  return checkStates(journal)
}

interface Result extends VerifyReport {
  readonly states: StateHashes | null
}

// What was compacted away is no fault; that no whole snapshot stands for it is one.
function stateFaults(states: StateHashes | null): VerifyFault[] {
  const faults: VerifyFault[] = []
  if (states?.by === 'recorded' && states.first !== null) {
    const reason = 'its code arrives at another state than it recorded'
    faults.push({ code: 'REPLAY_DIVERGED', position: states.first, reason })
  }
  const lost = states?.holes.firstLost ?? null
  if (lost !== null) {
    const reason = 'what came before was compacted away, and no whole snapshot stands for it'
    faults.push({ code: 'STORE_CORRUPT', position: lost, reason })
  }
  return faults
}

function readKey(word: string): Verifier {
  try {
    return parseVerifier(word)
  } catch (cause) {
    const message = `--key: expected name+id+base64, got ${quote(word)}`
    throw new GatewayError('USAGE', message, { verb: 'history verify' }, cause)
  }
}

interface Witnessed {
  readonly text: string
  readonly tree: { readonly size: number; readonly root: string }
}

async function readHead(file: string): Promise<Witnessed> {
  const text = await (file === '-' ? readAll(process.stdin) : readFile(file, 'utf8')).catch(
    (cause: unknown) => {
      throw new GatewayError(
        'USAGE',
        `--head: ${file} cannot be read`,
        { verb: 'history verify' },
        cause,
      )
    },
  )
  const { size, root } = parseCheckpoint(text)
  return { text, tree: { size, root: Buffer.from(root).toString('base64') } }
}

/** Verifies, with the report of a damaged journal too. @throws what ends without a report. */
async function verify(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  try {
    return await verifyInChild(directory, options)
  } catch (thrown) {
    const fault = toGatewayError(thrown)
    const report = reportOf(fault)
    if (report === null || fault.code === 'NOT_FOUND') throw fault
    return report
  }
}

function reportOf({ details }: GatewayError): VerifyReport | null {
  const { report } = details
  return typeof report === 'object' && report !== null && 'faults' in report
    ? (report as VerifyReport)
    : null
}

/** Holds a witnessed head to the key that was named, else to those inside the journal. */
function checkSignature(
  text: string,
  key: Verifier | null,
  { tree }: VerifyReport,
): VerifyFault[] | null {
  const keys = key === null ? (tree?.keys ?? []).map(parseVerifier) : [key]
  const { origin } = parseCheckpoint(text)
  const own = keys.find(({ name }) => name === origin)
  if (own === undefined) {
    const reason = `the head is of ${origin}, which is no key of this journal`
    return [{ code: 'PROOF_INVALID', reason }]
  }
  try {
    verifyCheckpoint(text, own)
    return null
  } catch (thrown) {
    const { code, message } = toGatewayError(thrown)
    return [{ code, reason: message }]
  }
}

function documentOf({ head, records, tree, states, faults }: Result, ok: boolean): object {
  const unsigned = tree === null ? null : head - tree.signed
  return { ok, schema: 'openclaw-verify/1', head, records, unsigned, tree, states, faults }
}

function tell(
  { head, records, tree, states, faults }: Result,
  ok: boolean,
  isKeyed: boolean,
): void {
  for (const { position, database, reason } of faults) {
    const where = position === undefined ? (database ?? 'journal') : `#${position}`
    show(`FAULT  ${where}: ${reason}`)
  }
  show(`${records} of ${head} records are whole`)
  if (states !== null) {
    const whose = states.by === 'recorded' ? 'the code that wrote them' : 'this code, not theirs'
    show(`${states.same} of ${states.records} states are as recorded, by ${whose}`)
    showHoles(states.holes)
  }
  if (tree !== null) {
    show(`root of the first ${tree.size}: ${tree.root}`)
    show(
      tree.heads === 0 ? 'no signed head' : `${tree.heads} signed heads hold, to #${tree.signed}`,
    )
    if (head > tree.signed)
      show(`unsigned tail: ${head - tree.signed} records behind #${tree.signed}`)
    if (tree.witnessed !== null) show(`the journal extends the witnessed head of ${tree.witnessed}`)
  }
  if (!ok || tree === null) return
  if (tree.witnessed === null) {
    note(
      isKeyed
        ? 'No witnessed head was given (--head): records could have been removed together with heads.'
        : 'Nothing from outside was given (--head, --key): whoever wrote this copy may have made all of it.',
    )
  }
}
