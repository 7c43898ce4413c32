/**
 * Signed heads: tells clients what the journal is now, and signs it from time to time.
 *
 *   every limits.headEveryRecords records · every limits.headIntervalMs where something is new ·
 *   at each start where something is new · at an ordered stop
 *
 * Promises that the journal never waits for a signature: without a key, or where signing fails, a
 * line in the log says so and the records behind the newest head stay an unsigned tail.
 */
import { isEqual, type Tree } from '../protocol/history/merkle.ts'
import { formatVerifier } from '../protocol/history/checkpoint.ts'
import { limits } from '../protocol/limits.ts'
import type { SignedHead, Store } from '../store/contract.ts'
import type { JournalKey } from './journal-key.ts'
import type { Cancel, Services } from './services.ts'

/** The head as clients are told of it. */
export interface HeadNotice {
  readonly size: number
  readonly root: string // base64
  readonly checkpoint: string | null // text of the newest signed head
}

/** Heads of one journal. */
export class Heads {
  readonly #store: Store
  readonly #services: Services
  readonly #key: JournalKey | null
  #signed: SignedHead | null
  #signing: Promise<void> = Promise.resolve()
  #isSigning = false
  #isReady = false // roots are cheap
  #cancel: Cancel = () => {}

  /** `openKey` may throw: heads are told then, and not signed. */
  constructor(store: Store, openKey: () => JournalKey, services: Services) {
    this.#store = store
    this.#services = services
    this.#key = this.#attempt('no key to sign heads with', openKey)
    this.#signed = this.#attempt('newest signed head unreadable', () => store.signedHead())
    this.#attempt('keys of heads unreadable', () => this.#noteStranger())
    void this.#awaitTree()
  }

  /** The word of the key that signs, or null. */
  get key(): string | null {
    return this.#key === null ? null : formatVerifier(this.#key.verifier)
  }

  /** The head of now; null while an older journal's tree is being made, or cannot be. */
  current(): HeadNotice | null {
    if (!this.#isReady) return null
    const tree = this.#attempt('no root of the journal', () => this.#store.tree.head())
    if (tree === null) return null
    const root = Buffer.from(tree.root).toString('base64')
    return { size: tree.size, root, checkpoint: this.#signed?.text ?? null }
  }

  /** Begins to sign: at once what an earlier process left unsigned. */
  start(): void {
    this.#signLater()
    void this.sign()
  }

  /** Hears of each committed record. */
  committed(position: number): void {
    if (this.#isSigning) return
    if (position - (this.#signed?.position ?? 0) >= limits.headEveryRecords) void this.sign()
  }

  /** Signs what is there, where any of it is new; resolves when the head is on disk, or failed. */
  sign(): Promise<void> {
    this.#isSigning = true
    this.#signing = this.#signAfter(this.#signing)
    return this.#signing
  }

  /** Signs a last time and stops. */
  async stop(): Promise<void> {
    this.#cancel()
    if (this.#isReady) await this.sign()
  }

  // A lost key file is made anew: whoever remembered the old key must hear why it has changed.
  #noteStranger(): void {
    const own = this.#key?.verifier.publicKey
    const known = this.#store.keys()
    if (own === undefined || known.length === 0) return
    if (known.some((key) => isEqual(key, own))) return
    this.#services.log.warn('heads will be signed by another key than before', { key: this.key })
  }

  async #awaitTree(): Promise<void> {
    try {
      await this.#store.tree.ready
      this.#isReady = true
    } catch (error) {
      this.#warn('no tree over the journal', error)
    }
  }

  async #signAfter(before: Promise<void>): Promise<void> {
    await before
    try {
      await this.#signNow()
    } catch (error) {
      this.#warn('head not signed', error)
    }
    this.#isSigning = false
  }

  async #signNow(): Promise<void> {
    const key = this.#key
    if (key === null) return
    await this.#store.tree.ready
    const tree: Tree = this.#store.tree.head()
    if (tree.size === 0 || tree.size === this.#signed?.position) return
    const text = key.sign(tree)
    await this.#store.putKey(key.verifier.publicKey)
    await this.#store.putHead(tree.size, text)
    this.#signed = { position: tree.size, text }
  }

  #signLater(): void {
    this.#cancel = this.#services.clock.after(limits.headIntervalMs, () => {
      void this.sign()
      this.#signLater()
    })
  }

  #attempt<T>(phrase: string, work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      this.#warn(phrase, error)
      return null
    }
  }

  #warn(phrase: string, error: unknown): void {
    this.#services.log.warn(phrase, { error: String(error) })
  }
}
