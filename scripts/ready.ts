/**
 * What a gateway says when it is ready, and what it took up again of an earlier life.
 */
import type { Recovered } from '../actors/kernel.ts'
import { programName } from './exit.ts'
import { note, show } from './output.ts'

/** What a gateway says when it is ready. */
export interface ReadyReport {
  readonly url: string
  readonly pid: number
  readonly stateDir: string
  readonly log: string
  readonly model: string
  readonly version: string
  readonly recovered: Recovered
}

/** Tells people that a gateway is ready, here or behind. */
export function showReady(report: ReadyReport, behind: boolean): void {
  const { url, pid, stateDir, log, model, version, recovered } = report
  const program = programName()
  show(`openclaw ${version} ready at ${url} · pid ${pid} · state ${stateDir} · log ${log}`)
  const found = recoveredText(recovered)
  if (found !== '') show(`recovered: ${found}`)
  note(`model: ${model}`)
  note(`next${behind ? '' : ', in another terminal'}: ${program} agent --message "hello"`)
  note(behind ? `stop it: ${program} gateway stop` : 'stop it: Ctrl-C')
}

/** Lists what was recovered; '' where there was nothing. */
export function recoveredText({ sessions, effectsLost, sends, waits }: Recovered): string {
  const counts = [
    [sessions, 'sessions'],
    [effectsLost, 'effects with unknown outcome'],
    [sends, 'messages between actors'],
    [waits, 'timers'],
  ] as const
  return counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ')
}
