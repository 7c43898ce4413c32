/**
 * Exit codes of verbs, and what to type next after an error (decisions.md 15).
 */
import { basename, relative } from 'node:path'
import type { ErrorCode, GatewayError } from '../protocol/errors.ts'
import { note, showJson } from './output.ts'

/** Exit codes of what was asked and answered: those that verbs end with by themselves. */
export const EXIT = { nothing: 10, diverged: 11, pruned: 13, refused: 14 } as const

/** Exit codes with their meaning, in the order in which `--help` lists them. */
export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, 'good; doctor: no findings'],
  [1, 'failed; doctor: findings; status: running, but not well'],
  [2, 'usage: an unknown verb, flag or value; doctor: a check could not be made'],
  [3, 'no gateway is running'],
  [EXIT.nothing, 'nothing found'],
  [EXIT.diverged, 'replay diverged'],
  [12, 'integrity: the journal is damaged, or a proof does not hold'],
  [EXIT.pruned, 'history pruned, or a body erased'],
  [EXIT.refused, 'refused: it would have live effects, or --yes is missing'],
  [78, 'configuration'],
]

const CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  USAGE: 2,
  NOT_RUNNING: 3,
  NOT_FOUND: EXIT.nothing,
  HISTORY_PRUNED: EXIT.pruned,
  REPLAY_DIVERGED: EXIT.diverged,
  STORE_CORRUPT: 12,
  STORE_ROLLBACK: 12,
  RECORD_FORMAT: 12,
  PROOF_INVALID: 12,
  CONFIG_INVALID: 78,
}

/** Tells the exit code of an error. */
export function exitCode(code: ErrorCode): number {
  return CODES[code] ?? 1
}

/** Writes an error as the JSON document that `--json` promises. */
export function formatError({ code, message, details }: GatewayError): object {
  const more = Object.keys(details).length > 0 ? { details } : {}
  return { ok: false, error: { code, message, ...more } }
}

/** Tells the person or the program what went wrong; returns the exit code. */
export function reportError(error: GatewayError, json: boolean): number {
  if (json) {
    showJson(formatError(error))
  } else {
    note(`openclaw: ${error.message}`)
    const next = hintOf(error, programName())
    if (next !== null) note(next)
  }
  return exitCode(error.code)
}

/** Says in one line what to try next; null where nothing general helps. */
function hintOf({ code, details }: GatewayError, program: string): string | null {
  switch (code) {
    case 'USAGE':
      return `See: ${[program, details['verb'], '--help'].filter(Boolean).join(' ')}`
    case 'NOT_RUNNING':
      return `Start it: ${program} gateway --daemon`
    case 'ALREADY_RUNNING':
      return `Look at it: ${program} status    Stop it: ${program} gateway stop`
    case 'UNAUTHORIZED':
      return 'Show the token: --token TOKEN, OPENCLAW_GATEWAY_TOKEN, or gateway.auth.token in the configuration'
    case 'PAIRING_REQUIRED':
      return `Where the gateway runs: ${program} pairing approve ${textOr(details['code'], 'CODE')}`
    case 'PORT_TAKEN':
      return `Take another: ${program} gateway --port N`
    case 'CONFIG_INVALID':
    case 'STORE_CORRUPT':
    case 'STORE_ROLLBACK':
    case 'RECORD_FORMAT':
    case 'STORE_LOW_SPACE':
    case 'PERMISSION':
      return `Find out more: ${program} doctor`
    case 'INTERNAL':
    case 'TIMEOUT':
    case 'UNAVAILABLE':
    case 'STORE_LOCKED':
      return `Find out more: ${program} status    ${program} logs --level warn`
    default:
      return null
  }
}

function textOr(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other
}

/**
 * Tells how this program was called, so that what we print can be typed: `openclaw` where it is
 * installed, `npx openclaw` under npm, else `node` and the path.
 */
export function programName(
  path: string = process.argv[1] ?? '',
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (env['npm_command'] !== undefined) return 'npx openclaw'
  if (basename(path) === 'openclaw') return 'openclaw'
  return `node ${relative(process.cwd(), path)}`
}
