/**
 * `openclaw history witness`: remembers the gateway's signed head, and tells whether it extends the
 * one that was remembered before. Best called from another machine, and regularly.
 */
import { GatewayError } from '../../protocol/errors.ts'
import {
  type Checkpoint,
  parseVerifier,
  verifyCheckpoint,
} from '../../protocol/history/checkpoint.ts'
import { isExtension } from '../../protocol/history/merkle.ts'
import { reachArgs } from '../arguments.ts'
import { askAt } from '../ask.ts'
import type { Payload } from '../client.ts'
import { show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { keepRemembered, readRemembered, type Remembered } from '../history/witness.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: remembered; 12: the journal does not extend what was remembered, which is kept. */
export const historyWitness = defineVerb({
  name: 'history witness',
  description: 'Remember the signed head, and check that it extends the last one remembered',
  args: reachArgs,
  async run(args) {
    const settings = await readSettings(args)
    const { stateDir } = settings
    const known = await readRemembered(stateDir)
    const before = known === null ? null : headOf(known)
    const answer = await askAt(settings, 'history.head', { since: before?.size ?? 0 })
    const found = foundIn(answer)
    if (known !== null && known.key !== found.key) {
      const reason = `signed by ${found.key}, but ${known.key} was remembered`
      throw invalid(`${reason}; where that is as it should be, remove witness.json`)
    }
    const now = headOf(found)
    if (before !== null) assertExtends(before, now, answer)
    keepRemembered(stateDir, found)
    const from = before?.size ?? null
    const size = Number(answer['size'])
    if (args.json) {
      const { key, checkpoint } = found
      const unsigned = size - now.size
      const result = { ok: true, from, to: now.size, size, unsigned, key, checkpoint }
      showJson({ schema: 'openclaw-witness/1', ...result })
    } else {
      show(from === null ? `remembered: ${now.size} records` : `${now.size} records extend ${from}`)
      show(`key ${found.key}`)
    }
    return 0
  },
})

function foundIn({ key, checkpoint }: Payload): Remembered {
  if (typeof key === 'string' && typeof checkpoint === 'string') return { key, checkpoint }
  throw new GatewayError(
    'UNAVAILABLE',
    'the gateway has signed no head yet, or cannot; see its log',
  )
}

function headOf({ key, checkpoint }: Remembered): Checkpoint {
  return verifyCheckpoint(checkpoint, parseVerifier(key))
}

function assertExtends(before: Checkpoint, now: Checkpoint, { consistency }: Payload): void {
  if (now.size < before.size) {
    throw invalid(`the signed head is of ${now.size} records, ${before.size} were remembered`)
  }
  const proof: unknown[] = Array.isArray(consistency) ? consistency : []
  const hashes = proof.map((hash) => Buffer.from(String(hash), 'base64'))
  if (isExtension(before, now, hashes)) return
  throw invalid(`these ${now.size} records are no continuation of the ${before.size} remembered`)
}

function invalid(reason: string): GatewayError {
  return new GatewayError('PROOF_INVALID', `witness: ${reason}`)
}
