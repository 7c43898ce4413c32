/** Whether a server of models is there and takes the key, without asking it to think. */
import { ModelFault } from './provider.ts'

/**
 * Asks for the list of models; resolves with what can be said of the answer.
 * @throws {ModelFault} network: nobody answers; auth: it refuses the key; server: 5xx.
 */
export async function knockAtModels(
  { baseUrl, apiKey }: { readonly baseUrl: string; readonly apiKey: string | null },
  signal: AbortSignal,
): Promise<string> {
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
  if (status === 401 || status === 403) throw new ModelFault(`${says}: it refuses the key`, 'auth')
  if (status >= 500) throw new ModelFault(`${says}: its server is in trouble`, 'server')
  return says
}

// Node's fetch hides why it failed in the cause.
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? thrown.cause.message : thrown.message
}
