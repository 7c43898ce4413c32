/**
 * Standing grants: calls of tools that a person allowed from now on, honoured where a rule says ask.
 *
 *   tool, source, exact arguments, agent, place ─► HMAC under keys/grants.key ─► `grant:<32 hex digits>`
 *
 * Equal calls have one name, and nothing of what was allowed can be guessed from it without the key,
 * which is not in the journal. A call is the same only in the same place (for the same person in the
 * same room, or for clients), so that what was allowed for its owner's eyes is not done for a stranger;
 * of a tool of ours only in the same workspace, and of anybody else's only while it is described alike.
 *
 * Never granted: tools of clients, which are gone with their socket; arguments that are too long to be
 * read where they are shown; and, where limits.grantsMax stand, anything more.
 */
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import type { GrantContext, Granted } from '../machines/grant.ts'
import { canonical } from '../protocol/codec.ts'
import { GatewayError, messageOf } from '../protocol/errors.ts'
import { escapeHidden } from '../protocol/exact.ts'
import { cutText, isId, quote, type StreamId, streamId, streamName } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { agentOf, DEFAULT_AGENT_ID } from '../protocol/session-key.ts'
import type { StoreReader } from '../store/contract.ts'
import { readTextOrNull } from './bodies.ts'
import type { CallWish } from './call-ask.ts'
import type { Message } from './durable.ts'
import type { Registry } from './registry.ts'
import { openSecretKey } from './secret-key.ts'
import type { Services } from './services.ts'
import type { Tool } from './tools/tool.ts'

/** A grant that stands; `command` is null where its text was erased. */
export interface Grant {
  readonly context: GrantContext
  readonly command: string | null
  readonly holds: boolean // it was made under the key that is here
}

interface Setup {
  readonly registry: Registry
  readonly store: StoreReader
  readonly services: Services
  readonly stateDir: string
}

interface GrantKey {
  readonly id: string
  readonly bytes: Uint8Array
}

const CLIENT = 'client:'
const BUILT_IN = 'built-in'
const NAME_CHARS = 32
const KEY_ID_CHARS = 16

/** Names the key that is in a file, without telling it. */
export function keyIdOf(key: Uint8Array): string {
  return createHmac('sha256', key).update('id').digest('hex').slice(0, KEY_ID_CHARS)
}

/** Where the key of a state directory's grants is. */
export function grantKeyPath(stateDir: string): string {
  return join(stateDir, 'keys', 'grants.key')
}

/** Keeps the grants. */
export class Grants {
  #setup: Setup
  #key: GrantKey | null | undefined // null: it cannot be used; undefined: nobody has asked for it
  #given: Set<string> | null = null // ids of those that stand; null: not looked for yet

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** What `always` would grant of a call; null: it cannot be allowed always. */
  grantable(wish: CallWish, workspace: string | null): Granted | null {
    const { source } = wish.tool
    const isLong = escapeHidden(canonical(wish.args)).length > limits.approvalNoticeCharsMax
    if (source.startsWith(CLIENT) || isLong) return null
    const key = this.#openKey()
    if (key === null) return null
    const agentId = agentOf(wish.params.sessionKey) ?? DEFAULT_AGENT_ID
    const { channel, room, sender } = wish.params.asked
    const place = { channel, room, sender }
    const what = { tool: wish.tool.name, source, ...definitionOf(wish.tool, workspace) }
    const named = canonical({ ...what, arguments: wish.args, agentId, place })
    const digest = createHmac('sha256', key.bytes).update(named).digest('hex')
    const grantId = digest.slice(0, NAME_CHARS)
    return { grantId, keyId: key.id, tool: what.tool, source: cutText(source), agentId, place }
  }

  /** Tells whether a grant stands. */
  stands(grantId: string): boolean {
    return this.#ids().has(grantId)
  }

  /** Whether no more can be given. */
  get isFull(): boolean {
    return this.#ids().size >= limits.grantsMax
  }

  /** Those that stand, the newest last. */
  list(): Grant[] {
    const grants = [...this.#ids()].map((grantId) => this.#read(grantId))
    return grants.sort((a, b) => a.context.givenAt - b.context.givenAt)
  }

  /**
   * Takes a grant back: from now on it is asked again. What runs already goes on.
   * @throws {GatewayError} NOT_FOUND: there never was one.
   */
  async revoke(
    grantId: string,
    by: string,
    cited: Pick<Message, 'cause' | 'correlationId'>,
  ): Promise<{ position: number; isNew: boolean }> {
    const { registry, store } = this.#setup
    if (!isId(grantId) || store.version(streamId('grant', grantId)) === 0) {
      const text = `nothing was ever allowed always as ${quote(grantId)}`
      throw new GatewayError('NOT_FOUND', text, { path: 'grantId' })
    }
    const event = { type: 'grant.revoked', by }
    const record = await registry.deliver(streamId('grant', grantId), { event, ...cited })
    return { position: record.position, isNew: record.ignored === null }
  }

  /** Hears of a committed record; called once for each, in order. */
  committed({ stream, value }: JournalRecord): void {
    if (this.#given === null || !stream.startsWith('grant:')) return
    if (value === 'given') this.#given.add(streamName(stream))
    else this.#given.delete(streamName(stream))
  }

  #read(grantId: string): Grant {
    const { registry, store } = this.#setup
    const context = registry.snapshot(streamId('grant', grantId)).context as GrantContext
    const command = readTextOrNull(store, context.textRef)
    return { context, command, holds: context.keyId === this.#openKey()?.id }
  }

  // By what the journal says, once; from then on by its records.
  #ids(): ReadonlySet<string> {
    if (this.#given === null) {
      const streams = [...this.#setup.store.streams('grant')]
      const given = streams.filter((stream) => this.#isGiven(stream as StreamId))
      this.#given = new Set(given.map((stream) => streamName(stream)))
    }
    return this.#given
  }

  // One that is set aside grants nothing.
  #isGiven(stream: StreamId): boolean {
    try {
      return this.#setup.registry.snapshot(stream).value === 'given'
    } catch {
      return false
    }
  }

  // Without it nothing is granted, and everything is asked for.
  #openKey(): GrantKey | null {
    if (this.#key === undefined) {
      const { stateDir, services } = this.#setup
      try {
        const bytes = openSecretKey(grantKeyPath(stateDir))
        this.#key = { id: keyIdOf(bytes), bytes }
      } catch (error) {
        services.log.error('nothing can be allowed always', { reason: messageOf(error) })
        this.#key = null
      }
    }
    return this.#key
  }
}

// What else makes a call the same: for tools of ours where they work, for others what they say they do.
function definitionOf(
  { source, description, parameters }: Tool,
  workspace: string | null,
): Readonly<Record<string, unknown>> {
  return source === BUILT_IN ? { workspace } : { definition: { description, parameters } }
}
