/** Whether a server of models is there and takes the key, without asking it to think. */
import { ModelFault } from './provider.ts'

interface Endpoint {
  readonly baseUrl: string
  readonly apiKey: string | null
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
export async function askForModels(
  { baseUrl, apiKey }: Endpoint,
  signal: AbortSignal,
): Promise<Knocked> {
  const headers: Record<string, string> =
    apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }
  const answer = await fetch(`${baseUrl}/models`, { headers, signal, redirect: 'manual' }).catch(
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

// Node's fetch hides why it failed in the cause.
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? thrown.cause.message : thrown.message
}
