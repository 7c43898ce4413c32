/**
 * Proofs in incident files: that its records are those of a journal whose head was signed.
 *
 * The newest signed head goes along with one inclusion proof for each record that it covers; the
 * key is named, so that whoever knows the gateway by its key can compare. Written in a file, a key
 * proves less than the same key remembered elsewhere.
 */
import {
  formatVerifier,
  parseCheckpoint,
  parseVerifier,
  verifierOf,
  verifyCheckpoint,
} from '../protocol/history/checkpoint.ts'
import { isIncluded, leafHash } from '../protocol/history/merkle.ts'
import { toGatewayError } from '../protocol/errors.ts'
import type { StoreReader } from '../store/contract.ts'
import type { Bundle, BundleProofs } from './bundle.ts'
import type { ProofReport } from './bundle-verify.ts'

const HASH_BYTES = 32

/** Proves the records at some positions by the newest signed head; null where nothing is signed. */
export function proveRecords(
  reader: StoreReader,
  positions: readonly number[],
): BundleProofs | null {
  const signed = reader.signedHead()
  if (signed === null) return null
  const { size, origin } = parseCheckpoint(signed.text)
  const verifier = reader
    .keys()
    .map(verifierOf)
    .find(({ name }) => name === origin)
  if (verifier === undefined) return null
  const inclusion = positions
    .filter((position) => position <= size)
    .map((position) => [position, Buffer.concat(reader.tree.inclusion(position, size))] as const)
  return { checkpoint: signed.text, key: formatVerifier(verifier), inclusion }
}

/** Checks the proofs of a file against its own records, and its head against the key it names. */
export function checkProofs({ proofs, chain }: Bundle): ProofReport {
  if (proofs === null) return { proved: 0, signer: '', faults: ['no proofs'] }
  const { checkpoint, key, inclusion } = proofs
  try {
    const tree = verifyCheckpoint(checkpoint, parseVerifier(key))
    const records = new Map(chain.records.map((record) => [record.position, record]))
    const faults: string[] = []
    for (const [position, proof] of inclusion) {
      const record = records.get(position)
      const leaf = record === undefined ? null : leafHash(record.hash, record.stream)
      const holds =
        leaf !== null && isIncluded({ leaf, index: position - 1, ...tree }, split(proof))
      if (!holds) faults.push(`#${position} is not in the tree of ${tree.size} that was signed`)
    }
    return { proved: inclusion.length - faults.length, signer: key, faults }
  } catch (thrown) {
    return { proved: 0, signer: key, faults: [toGatewayError(thrown).message] }
  }
}

function split(proof: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < proof.length; at += HASH_BYTES) {
    hashes.push(proof.subarray(at, at + HASH_BYTES))
  }
  return hashes
}
