/** Whether a server of models is there and takes the key, without asking it to think. */
import type { ModelApi } from '../../protocol/config/model.ts'
import { ModelFault } from './provider.ts'

/** Where a server of models is, what it speaks, and with which key it is asked. */
export interface Endpoint {
  readonly baseUrl: string
  readonly apiKey: string | null
  readonly api: ModelApi
}

/** What a server of models answered to whoever knocked. */
export interface Knocked {
  readonly says: string
  readonly fault: 'auth' | 'server' | null // it refuses the key; 5xx
}

/**
 * Asks for the list of models; resolves with what can be said of the answer.
 * @throws {ModelFault} network: nobody answers; auth: it refuses the key; server: 5xx.
 */
export async function knockAtModels(endpoint: Endpoint, signal: AbortSignal): Promise<string> {
  const { says, fault } = await askForModels(endpoint, signal)
  if (fault === 'auth') throw new ModelFault(`${says}: it refuses the key`, 'auth')
  if (fault === 'server') throw new ModelFault(`${says}: its server is in trouble`, 'server')
  return says
}

/**
 * Asks for the list of models, and judges the answer.
 * @throws {ModelFault} network: nobody answers.
 */
export async function askForModels(endpoint: Endpoint, signal: AbortSignal): Promise<Knocked> {
  const { baseUrl, api } = endpoint
  const url = `${api === 'anthropic-messages' ? versionedUrl(baseUrl) : baseUrl}/models`
  const headers = headersOf(endpoint)
  const answer = await fetch(url, { headers, signal, redirect: 'manual' }).catch(
    (thrown: unknown) => {
      throw new ModelFault(`${baseUrl} does not answer: ${reasonOf(thrown)}`, 'network')
    },
  )
  await answer.body?.cancel()
  const { status } = answer
  const says = `${baseUrl} answers (HTTP ${status})`
  if (status === 401 || status === 403) return { says, fault: 'auth' }
  return { says, fault: status >= 500 ? 'server' : null }
}

/** Upstream's configurations name the host alone, Anthropic's SDK the version too: both are right. */
export function versionedUrl(baseUrl: string): string {
  return /\/v\d+$/.test(baseUrl) ? baseUrl : `${baseUrl}/v1`
}

function headersOf({ apiKey, api }: Endpoint): Record<string, string> {
  if (api === 'anthropic-messages') {
    const version = { 'anthropic-version': '2023-06-01' }
    return apiKey === null ? version : { ...version, 'x-api-key': apiKey }
  }
  return apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }
}

// Node's fetch hides why it failed in the cause.
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? thrown.cause.message : thrown.message
}
