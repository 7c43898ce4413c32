/**
 * Forks as people see them.
 */
import type { ForkFile } from '../../actors/forks.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { EXIT, reportError } from '../exit.ts'
import { columns, show, showJson } from '../output.ts'

/** Writes what a fork came to. */
export function showFork({ name, result, until }: ForkFile, json: boolean): void {
  const { at, control, effects, firstDivergence, outcomes, head, faults } = result
  if (json) {
    showJson({
      ok: faults.length === 0,
      schema: 'openclaw-fork/1',
      name,
      at,
      until,
      control,
      effects,
      firstDivergence,
      outcomes,
      faults,
      head: `@${name}#${head}`,
    })
    return
  }
  show(`control run: ${control.records}/${control.records} records identical`)
  const { recorded, lost, stub } = effects
  show(
    `effects: ${recorded} from recording, ${lost} kept lost as recorded, ${stub} stubbed; nothing left this machine`,
  )
  const where = firstDivergence === null ? 'identical' : `diverges at #${firstDivergence}`
  show(`@${name}: #${at + 1} to #${until} run again, head @${name}#${head}, ${where}`)
  const changed = outcomes.filter(({ recorded: before, branch }) => before !== branch)
  const delivered = (ends: readonly string[]): number =>
    ends.filter((end) => /^(?:sent|answered)/.test(end)).length
  const before = delivered(outcomes.map((outcome) => outcome.recorded))
  const then = delivered(outcomes.map((outcome) => outcome.branch))
  if (outcomes.length > 0) show(`answered or sent: recorded ${before} → ${name} ${then}`)
  const rows = changed.map(({ target, recorded: was, branch }) => [` ${target}`, was, '→', branch])
  for (const line of columns(rows)) show(line)
  for (const { stream, position, error } of faults)
    show(` ${stream} throws at #${position}: ${error}`)
}

/** Refuses what would have effects; returns the exit code. */
export function refuseLive(what: string, json: boolean): number {
  const message = `${what}: forks are dry and stay beside the journal; nothing makes one live yet`
  reportError(new GatewayError('FORBIDDEN', message), json)
  return EXIT.refused
}

/** Refuses an address of a fork where the journal itself is meant. @throws {GatewayError} USAGE */
export function refuseForks(flag: string, text: string | undefined): void {
  if (text === undefined || !text.includes('@')) return
  throw new GatewayError(
    'USAGE',
    `${flag}: expected a place of the journal, not of a fork: ${text}`,
  )
}
