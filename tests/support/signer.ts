/** A key that signs heads in tests: a new one each time. */
import { generateKeyPairSync } from 'node:crypto'
import { signCheckpoint, type Verifier, verifierOf } from '../../protocol/history/checkpoint.ts'
import type { Store } from '../../store/contract.ts'

export interface TestSigner {
  readonly verifier: Verifier
  /** Signs the head of a store of now and keeps it there, with the key; returns its text. */
  readonly sign: (store: Store) => Promise<string>
}

/** Makes a signer. */
export function openSigner(): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const verifier = verifierOf(raw)
  return {
    verifier,
    sign: async (store) => {
      const tree = store.tree.head()
      const text = signCheckpoint(tree, verifier, privateKey)
      await store.putKey(raw)
      await store.putHead(tree.size, text)
      return text
    },
  }
}
