/** What a channel is made of, and what it needs of the house. */
import type { ChannelContext } from '../machines/channel.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import type { ChannelPolicy } from '../machines/rules/policy.ts'
import type { Directive } from '../protocol/directives.ts'
import { streamId } from '../protocol/ids.ts'
import type { InboundMessage } from '../protocol/message.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import type { ChannelAdapter, ChannelHost } from './channels/adapter.ts'
import type { Arriving, RunDefaults } from './intake.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

/** One configured channel. */
export interface ChannelSetup {
  readonly name: string
  readonly policy: ChannelPolicy
  /** Our account on the platform, where its message ids and cursor belong to one; absent: they do not. */
  readonly account?: string | undefined
  readonly open: (host: ChannelHost) => ChannelAdapter
  /** Checks a target before anything is accepted for it; returns why not, or null. */
  readonly refuseTarget: (target: string) => string | null
  /** The session that an inbound message belongs to. */
  readonly sessionKey: (message: InboundMessage) => string
}

/** What the door asks of the configuration about a message. */
export interface Intake {
  readonly defaults: (arriving: Arriving) => Promise<RunDefaults>
  /** Reads a directive off its text; null where it is for the agent. */
  readonly directive: (text: string) => { directive: Directive; rest: string } | null
}

/** What channels need of the house. */
export interface ChannelHouse {
  readonly registry: Registry
  readonly store: StoreReader
  readonly work: OpenWork
  readonly services: Services
  /** Hears of every committed record. */
  readonly listen: (committed: (record: JournalRecord) => void) => void
}

/** What a channel's actor knows; null where it is set aside: the house stands without it. */
export function readChannel(registry: Registry, name: string): ChannelContext | null {
  try {
    return registry.snapshot(streamId('channel', name)).context as ChannelContext
  } catch {
    return null
  }
}
