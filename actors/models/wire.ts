/**
 * The one HTTP request of a call, watched at its bytes: idleness, size, redirects, aborts.
 *
 * Libraries hide what arrives: keep-alive comments, error bodies, reasoning. So everything is counted
 * here, below them. Step 7 of 8.
 */
import { limits } from '../../protocol/limits.ts'
import type { Cancel, Services } from '../services.ts'
import { modelFaultOf } from './fault.ts'
import { ModelFault } from './provider.ts'

/** What a library is given in place of `fetch`, and why its request was ended. */
export interface Wire {
  readonly fetch: typeof fetch
  readonly signal: AbortSignal // ends the request: the caller's abort, idleness, too many bytes
  readonly fault: () => ModelFault | null // why we ended it, where we did and not the caller
  readonly close: () => void
}

/**
 * Runs one call over a wire of its own; `apiKey` is taken out of what a server says.
 * @throws {ModelFault} whatever went wrong, in its class.
 */
export async function overWire<T>(
  services: Services,
  signal: AbortSignal,
  apiKey: string | null,
  call: (wire: Wire) => Promise<T>,
): Promise<T> {
  const wire = openWire(services, signal)
  try {
    return await call(wire)
  } catch (thrown) {
    if (signal.aborted) throw new ModelFault('the call was aborted', 'aborted')
    throw wire.fault() ?? modelFaultOf(thrown, services.clock.now(), apiKey)
  } finally {
    wire.close()
  }
}

/** The fault of an answer that is larger than a bound. */
export function tooLarge(what: string, bytesMax: number): ModelFault {
  return new ModelFault(`the answer has more than ${bytesMax} bytes of ${what}`, 'request')
}

function openWire({ clock }: Services, signal: AbortSignal): Wire {
  const control = new AbortController()
  let fault: ModelFault | null = null
  let cancelIdle: Cancel = () => {}
  let bytes = 0
  const end = (reason: ModelFault): void => {
    fault ??= reason
    control.abort()
  }
  const touch = (): void => {
    cancelIdle()
    cancelIdle = clock.after(limits.modelIdleMs, () =>
      end(new ModelFault(`no byte in ${limits.modelIdleMs} ms`, 'network')),
    )
  }
  const count = (chunk: Uint8Array): void => {
    touch()
    bytes += chunk.length
    if (bytes > limits.modelStreamBytesMax) end(tooLarge('stream', limits.modelStreamBytesMax))
  }
  const abort = (): void => control.abort()
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    signal: control.signal,
    fault: () => fault,
    fetch: async (url, init) => {
      touch()
      const response = await fetch(url, { ...init, redirect: 'manual' })
      return response.body === null ? response : tapped(response, response.body, count)
    },
    close: () => {
      cancelIdle()
      signal.removeEventListener('abort', abort)
      control.abort()
    },
  }
}

/** The same response, each of its chunks shown to `count` on the way. */
function tapped(
  { status, statusText, headers }: Response,
  body: ReadableStream<Uint8Array>,
  count: (chunk: Uint8Array) => void,
): Response {
  const tap = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      count(chunk)
      controller.enqueue(chunk)
    },
  })
  return new Response(body.pipeThrough(tap), { status, statusText, headers })
}
