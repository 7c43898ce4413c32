/**
 * What a failed call of the AI SDK was: every error it throws or streams -> a ModelFault.
 *
 * Errors are known by their fields, not by their classes, so that this file needs no SDK.
 */
import { limits } from '../../protocol/limits.ts'
import { memberOf } from '../../protocol/members.ts'
import { parseRetryAfter } from '../../protocol/retry-after.ts'
import { ModelFault, type ModelFaultClass } from './provider.ts'

/**
 * Classifies a failure. `now` (ms since epoch) dates a Retry-After; a key that a server repeats in
 * its message is taken out.
 */
export function modelFaultOf(thrown: unknown, now: number, apiKey: string | null): ModelFault {
  if (thrown instanceof ModelFault) return thrown
  const status = memberOf(thrown, 'statusCode')
  const message = messageOf(thrown, apiKey)
  // A 2xx failed behind its head: what broke is the stream, and the status says nothing of it.
  if (typeof status === 'number' && (status < 200 || status > 299)) {
    const retryAfterMs = retryAfterOf(memberOf(thrown, 'responseHeaders'), now)
    return new ModelFault(`HTTP ${status}: ${message}`, classOfStatus(status), retryAfterMs)
  }
  return new ModelFault(message, classOfError(thrown))
}

// 400 of Ollama and vLLM, 404 of OpenRouter, 422 of others: in words only.
const OF_TOOLS = /\btools?\b|\btool[_ ]choice\b|\bfunction[ _-]?call/i

/** Names a refusal of tools as one, where some were told of; `path`: of the model's switch. */
export function toolFaultOf(thrown: unknown, isTold: boolean, path: string): unknown {
  if (!(thrown instanceof ModelFault) || !isTold || thrown.class !== 'request') return thrown
  if (!thrown.message.startsWith('HTTP 4') || !OF_TOOLS.test(thrown.message)) return thrown
  const text = `it refuses tools (${thrown.message}): set ${path}.compat.supportsTools to false`
  return new ModelFault(text, 'tools')
}

function classOfStatus(status: number): ModelFaultClass {
  if (status === 429) return 'rate'
  if (status === 401 || status === 403) return 'auth'
  // 408: the server gave up waiting for us, or for its own upstream.
  if (status >= 500 || status === 408) return 'server'
  return 'request'
}

const NAMES_OF_MALFORMED: ReadonlySet<unknown> = new Set([
  'AI_JSONParseError',
  'AI_TypeValidationError',
])
const NAMES_OF_OURS: ReadonlySet<unknown> = new Set([
  'AI_InvalidPromptError',
  'AI_InvalidArgumentError',
  'AI_MissingToolResultsError',
])

function classOfError(thrown: unknown): ModelFaultClass {
  if (!(thrown instanceof Error)) return classOfReport(thrown)
  if (NAMES_OF_MALFORMED.has(thrown.name) || NAMES_OF_OURS.has(thrown.name)) return 'request'
  // What is left is a refused, reset, cut or unfinished connection.
  return 'network'
}

/** Classifies an error that the server wrote into its stream, as its type and code name it. */
function classOfReport(report: unknown): ModelFaultClass {
  const words = `${String(memberOf(report, 'type'))} ${String(memberOf(report, 'code'))}`
  if (/rate|quota|429/i.test(words)) return 'rate'
  if (/auth|permission|api_key|40[13]/i.test(words)) return 'auth'
  return /invalid|not_found|context_length|40\d/i.test(words) ? 'request' : 'server'
}

/** Reads Retry-After, or OpenAI's retry-after-ms, which is finer. */
function retryAfterOf(headers: unknown, now: number): number | null {
  const ms = Number.parseFloat(String(memberOf(headers, 'retry-after-ms')))
  if (ms >= 0) return Math.ceil(ms)
  return parseRetryAfter(memberOf(headers, 'retry-after'), now)
}

/** Joins what an error and its causes say: the outer ones of the SDK say little by themselves. */
function messageOf(thrown: unknown, apiKey: string | null): string {
  const told: string[] = []
  let error = thrown
  for (let depth = 0; depth < 4; depth += 1) {
    for (const part of [memberOf(error, 'message'), memberOf(error, 'code')]) {
      if (typeof part === 'string' && part !== '' && !told.join().includes(part)) told.push(part)
    }
    error = memberOf(error, 'cause')
  }
  const whole = told.length === 0 ? 'the call failed' : told.join(': ')
  const shown = apiKey === null || apiKey === '' ? whole : whole.replaceAll(apiKey, '***')
  return shown.slice(0, limits.modelFaultCharsMax)
}
