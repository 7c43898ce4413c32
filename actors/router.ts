/**
 * The router: carries sends and fired waits to the actors they are for, until they are on disk.
 *
 * A send is open work until a record cites it, so what cannot be delivered now (the disk is nearly
 * full, the stream is set aside) is tried again here and, after a restart, at boot.
 */
import { type GatewayError, isRetryable, toGatewayError } from '../protocol/errors.ts'
import { outputAddress, type StreamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord, Send } from '../protocol/record.ts'
import type { Message } from './durable.ts'
import type { Registry } from './registry.ts'
import type { Services } from './services.ts'

export interface Router {
  /** Carries the sends of a committed record. */
  readonly committed: (record: JournalRecord) => void
  /** Carries one send, also one that an earlier process left behind. */
  readonly carry: (address: string, send: Send, correlationId: string) => void
  /** Delivers from inside until it is on disk; gives up only what can never be taken. */
  readonly insist: (stream: StreamId, message: Message) => Promise<JournalRecord | null>
  readonly stop: () => void
}

/** Opens the router over a registry. */
export function openRouter(registry: Registry, { clock, log }: Services): Router {
  const state = { stopped: false }

  async function insist(stream: StreamId, message: Message): Promise<JournalRecord | null> {
    let backoffMs: number = limits.actorBackoffMs
    while (!state.stopped) {
      try {
        return await registry.deliver(stream, message)
      } catch (thrown) {
        const error = toGatewayError(thrown)
        if (!isRetryable(error.code)) return giveUp(stream, message, error)
        await new Promise<void>((resume) => {
          clock.after(backoffMs, resume)
        })
        backoffMs = Math.min(backoffMs * 2, limits.channelBackoffMsMax)
      }
    }
    return null
  }

  function giveUp(stream: StreamId, { event, cause }: Message, error: GatewayError): null {
    const { code, message } = error
    log.error('message not taken', { stream, event: event.type, cause, code, error: message })
    return null
  }

  function carry(address: string, send: Send, correlationId: string): void {
    void insist(send.to, { event: send.event, cause: address, correlationId })
  }

  return {
    insist,
    carry,
    committed: ({ position, sends, correlationId }) => {
      for (const [index, send] of sends.entries()) {
        carry(outputAddress(position, 's', index), send, correlationId)
      }
    },
    stop: () => {
      state.stopped = true
    },
  }
}
