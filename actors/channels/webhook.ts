/**
 * The webhook adapter: programs that post messages to us, and to which answers are posted.
 *
 * Promises: a post is answered with 200 when its message is on disk, however often it comes; what
 * goes out carries the delivery's id, so that the other side can tell a repetition. There is no link
 * that could be up or down: `open` only begins to listen. Where answers go is configured, and no
 * message can change it. Steps 1 and 7 of 8.
 */
import { type Bucket, fullBucket, takeOne } from '../../machines/rules/rate.ts'
import {
  formatDelivery,
  judgePost,
  parseWebhookPost,
  parseWebhookTarget,
  SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
} from '../../protocol/channels/webhook.ts'
import type { ResolvedWebhookChannel } from '../../protocol/config/channel-defaults.ts'
import { GatewayError, messageOf } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Services } from '../services.ts'
import type { PostWebhook } from '../webhook.ts'
import {
  type ChannelAdapter,
  type ChannelHost,
  DeliveryFault,
  type DeliveryReceipt,
  type HookAnswer,
  type HookRequest,
  type OutboundMessage,
  Unreached,
} from './adapter.ts'

const RATE = { burst: limits.webhookBurst, perSecond: limits.webhookPerSecond }

/** Makes the webhook adapter; `post` is what goes out through. */
export function openWebhook(
  config: ResolvedWebhookChannel,
  host: ChannelHost,
  services: Services,
  post: PostWebhook,
): ChannelAdapter {
  const hook = new Hook(config, host, services)
  return {
    open: async () => {},
    deliver: (message) => deliver(config, message, services, post),
    close: async () => {},
    hook: { path: config.path, answer: (request) => hook.take(request) },
  }
}

/** What comes in. */
class Hook {
  readonly #config: ResolvedWebhookChannel
  readonly #host: ChannelHost
  readonly #services: Services
  #bucket: Bucket

  constructor(config: ResolvedWebhookChannel, host: ChannelHost, services: Services) {
    this.#config = config
    this.#host = host
    this.#services = services
    this.#bucket = fullBucket(RATE, services.clock.monotonic())
  }

  /** Takes one post. Never rejects. */
  async take({ headers, body }: HookRequest): Promise<HookAnswer> {
    const { clock, log } = this.#services
    const timestamp = headers[TIMESTAMP_HEADER]
    const signature = headers[SIGNATURE_HEADER]
    const fault = judgePost(this.#config.secret, { timestamp, signature, body }, clock.now())
    if (fault !== null) return { status: 401, body: { error: fault } }
    // Counted behind the signature: nobody else's posts may use up what is ours to take.
    const taken = takeOne(RATE, this.#bucket, clock.monotonic())
    this.#bucket = taken.bucket
    if (taken.waitMs > 0) {
      return { status: 429, body: { error: 'too many messages' }, retryAfterMs: taken.waitMs }
    }
    try {
      await this.#host.received(parseWebhookPost(body))
      return { status: 200, body: { ok: true } }
    } catch (thrown) {
      if (thrown instanceof GatewayError && thrown.code === 'INVALID_REQUEST') {
        return { status: 400, body: { error: thrown.message } }
      }
      log.error('webhook message not taken', { fault: messageOf(thrown) })
      return { status: 503, body: { error: 'not taken, come again' }, retryAfterMs: 1_000 }
    }
  }
}

async function deliver(
  { url, secret, allowPrivate }: ResolvedWebhookChannel,
  { target, text, deliveryId }: OutboundMessage,
  { clock }: Services,
  post: PostWebhook,
): Promise<DeliveryReceipt> {
  const to = parseWebhookTarget(target)
  if (to === null) throw new DeliveryFault(`webhook: ${quote(target)} is no target`, 'no', false)
  if (text.trim() === '') throw new DeliveryFault('webhook: no text', 'no', false)
  if (url === null) throw new DeliveryFault('webhook: no url is configured', 'no', false)
  const body = formatDelivery(to, { deliveryId, text })
  const result = await post(
    { url, secret, allowPrivate },
    { id: deliveryId, body, at: clock.now() },
  )
  const { status, reason, retryable, retryAfterMs, connected } = result
  if (status >= 200 && status < 300) return { messageId: null }
  if (status === 0) {
    if (retryable && !connected) throw new Unreached(`webhook: ${reason}`)
    throw new DeliveryFault(`webhook: ${reason}`, connected ? 'maybe' : 'no', false)
  }
  // "Not now" is said before anything is done; other faults of a server come in the middle of it.
  const isRefusal = status < 500 || status === 503
  throw new DeliveryFault(
    `webhook: ${reason}`,
    isRefusal ? 'no' : 'maybe',
    isRefusal && retryable,
    retryAfterMs,
  )
}
