/**
 * Idempotency: the same key has one effect, now, at the same moment, and after a restart.
 *
 * The key is a fact of the record that the first request made, so it is durable with it and
 * forgotten only with its retention. A second request is answered from that record. Between
 * acceptance and record a table in memory holds the promise (I9).
 *
 * The text of a message is no part of the digest: a short one could be guessed from it, and would
 * outlive its erasure. It is compared with the salted body that the record names; where that was
 * erased, the key and the rest of the request decide.
 */
import { keyOf, type OpenWork } from '../machines/projections/open-work.ts'
import type { IdempotencyMark } from '../machines/session-events.ts'
import { bodyRef, canonical, sha256Hex } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { type JournalRecord, parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'

/** Marks a request: whose key it is, and what was asked, the text left out. */
export function markRequest(
  owner: string,
  key: string,
  method: string,
  params: { readonly message: string },
): IdempotencyMark {
  return { owner, key, digest: sha256Hex(canonical([method, { ...params, message: null }])) }
}

const encoder = new TextEncoder()

/** Answers each key once. */
export class Idempotency {
  #store: StoreReader
  #work: OpenWork
  #inFlight = new Map<string, { digest: string; text: string; record: Promise<JournalRecord> }>()

  constructor(store: StoreReader, work: OpenWork) {
    this.#store = store
    this.#work = work
  }

  /**
   * Runs a request that makes a record, or returns the record that its key has made already.
   * @throws {GatewayError} IDEMPOTENCY_CONFLICT: the key belongs to another request;
   * HISTORY_PRUNED: it was used, and its answer is not in this journal.
   */
  async once(
    mark: IdempotencyMark | null,
    text: string,
    run: () => Promise<JournalRecord>,
  ): Promise<JournalRecord> {
    if (mark === null) return run()
    const key = keyOf(mark)
    const earlier = this.#inFlight.get(key)
    if (earlier !== undefined) {
      assertSame(mark, earlier.digest === mark.digest && earlier.text === text)
      return earlier.record
    }
    const use = this.#work.keys.get(key)
    if (use !== undefined) {
      const record = this.#recordAt(use.position)
      if (record.event.type === 'keys.carried') throw unanswered(mark, use.digest === mark.digest)
      assertSame(mark, use.digest === mark.digest && this.#isText(record.event['ref'], text))
      return record
    }
    const record = run()
    this.#inFlight.set(key, { digest: mark.digest, text, record })
    try {
      return await record
    } finally {
      this.#inFlight.delete(key)
    }
  }

  #isText(ref: unknown, text: string): boolean {
    const body = this.#store.salted(String(ref))
    return body === null || bodyRef(body.salt, encoder.encode(text)) === ref
  }

  #recordAt(position: number): JournalRecord {
    const stored = this.#store.read(position)
    if (stored !== null) return parseRecord(stored, stored.fields)
    const text = `the result of this idempotency key stood at #${position}, which was pruned`
    throw new GatewayError('HISTORY_PRUNED', text, { position })
  }
}

// The key was used after the backup that this journal was restored from.
function unanswered(mark: IdempotencyMark, isSame: boolean): GatewayError {
  assertSame(mark, isSame)
  const text = `the result of idempotency key ${JSON.stringify(mark.key)} stood in a journal that a restore moved aside`
  return new GatewayError('HISTORY_PRUNED', text, { path: 'idempotencyKey' })
}

function assertSame({ key }: IdempotencyMark, isSame: boolean): void {
  if (isSame) return
  throw new GatewayError(
    'IDEMPOTENCY_CONFLICT',
    `params.idempotencyKey: ${JSON.stringify(key)} was used for another request`,
    { path: 'idempotencyKey' },
  )
}
