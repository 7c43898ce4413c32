/** Bodies: texts on their way into and out of the store, named by salted digests (K1). */
import { bodyRef } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import type { BodyDraft, StoreReader } from '../store/contract.ts'
import type { Chance } from './services.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Drafts a body for a text; it is written in the commit of the record that names it. */
export function draftText(chance: Chance, text: string): BodyDraft {
  const salt = chance.bytes(16)
  const bytes = encoder.encode(text)
  return { ref: bodyRef(salt, bytes), salt, bytes }
}

// Stands for an erased text where the words around it are still needed.
const ERASED_TEXT = '[erased]'

/** Reads a text of a conversation; an erased one is told as such. @throws as readText */
export function readTextOrMark(store: StoreReader, ref: string): string {
  const text = readTextOrNull(store, ref)
  if (text !== null) return text
  return store.bodyState(ref) === 'erased' ? ERASED_TEXT : readText(store, ref)
}

/** Reads a text back; null where its bytes are not there. */
export function readTextOrNull(store: StoreReader, ref: string): string | null {
  const bytes = store.body(ref)
  return bytes === null ? null : decoder.decode(bytes)
}

/**
 * Reads a text back.
 * @throws {GatewayError} HISTORY_PRUNED with details.erased: it was erased; NOT_FOUND: never written.
 */
export function readText(store: StoreReader, ref: string): string {
  const text = readTextOrNull(store, ref)
  if (text !== null) return text
  if (store.bodyState(ref) === 'erased') {
    throw new GatewayError('HISTORY_PRUNED', `body ${ref}: erased`, { ref, erased: true })
  }
  throw new GatewayError('NOT_FOUND', `body ${ref}: not in the journal`, { ref })
}
