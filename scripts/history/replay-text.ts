/**
 * How `replay` answers: what differs, file by file, and what a crash would have done.
 */
import type { ReplayDiff, ReplayResult } from '../../machines/history/replay.ts'
import { limits } from '../../protocol/limits.ts'
import { showHoles } from './holes-text.ts'
import { EXIT } from '../exit.ts'
import { columns, note, show, showJson } from '../output.ts'
import { type Explored, INVARIANT_WORDS } from './explore.ts'

export type Format = 'text' | 'json' | 'ndjson'

/** Prints what a replay of one history came to; returns the exit code. */
export function showResult(
  result: ReplayResult,
  format: Format,
  { code, head }: { code: string; head: number },
): number {
  const { records, same, allowed, first, worst, diffs, counts, holes } = result
  const exit = exitOf(result)
  const end = { records, same, allowed, counts, first, worst, holes, exit }
  if (format === 'ndjson') showJson({ t: 'end', ...end, listed: diffs.length, head })
  else if (format === 'json') {
    showJson({ ok: exit === 0, schema: 'openclaw-replay/1', code, ...end, diffs })
  } else showText(result)
  return exit
}

// Pruned only where nothing at all was left to recompute.
function exitOf({ records, first, holes }: ReplayResult): number {
  if (first !== null) return EXIT.diverged
  return records === 0 && holes.records + holes.stands + holes.lost > 0 ? EXIT.pruned : 0
}

/** Prints a replay for people. */
export function showText({ records, same, allowed, first, diffs, holes }: ReplayResult): void {
  const differ = records - same
  const parts = [`${records} records`, `${same} identical`, `${differ} differ`]
  if (allowed > 0) parts.push(`${allowed} of them as allowed`)
  if (first !== null) parts.push(`first at #${first}`)
  show(parts.join(', '))
  showHoles(holes)
  if (diffs.length === 0) return
  const rows = diffs.map((diff) => [
    ` ${diff.class}${diff.allowed ? ' (allowed)' : ''}`,
    `#${diff.position}`,
    diff.stream,
    sideText(diff.recorded),
    diff.now.error ?? sideText(diff.now),
    diff.paths.slice(0, 4).join(' '),
  ])
  const titles = [' class', 'position', 'actor', 'recorded', 'now', 'where']
  for (const line of columns([titles, ...rows])) show(line)
  if (differ > diffs.length) note(`${differ - diffs.length} more differ and are not listed.`)
}

function sideText({ value, stateHash, effects }: ReplayDiff['now']): string {
  const names = effects.map(({ name }) => ` + ${name}`).join('')
  return `${value} ${stateHash.slice(0, 8)}${names}`
}

/** Prints what an exploration found; returns the exit code. */
export function showExplored({ points, violations, code }: Explored, format: Format): number {
  const exit = violations.length === 0 ? 0 : EXIT.diverged
  const counts = Object.fromEntries(
    Object.keys(INVARIANT_WORDS).map((invariant) => {
      const those = violations.filter((each) => each.invariant === invariant)
      return [invariant, new Set(those.map(({ crashAt }) => crashAt)).size]
    }),
  )
  if (format === 'text') {
    const parts = Object.entries(INVARIANT_WORDS).map(
      ([invariant, words]) => `${counts[invariant] ?? 0} ${words}`,
    )
    show([`${points} crash points`, ...parts].join(', '))
    const rows = violations.map(({ crashAt, invariant, stream, detail }) => [
      ` #${crashAt}`,
      invariant,
      stream,
      detail,
    ])
    for (const line of columns(rows.slice(0, limits.replayDiffsMax))) show(line)
    return exit
  }
  const head = { schema: 'openclaw-explore/1', code, points }
  if (format === 'json') {
    showJson({ ok: exit === 0, ...head, counts, violations, exit })
    return exit
  }
  showJson({ t: 'head', ...head })
  for (const violation of violations) showJson({ t: 'violation', ...violation })
  showJson({ t: 'end', points, counts, exit })
  return exit
}
