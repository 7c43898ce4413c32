/**
 * `openclaw upgrade --dry-run`: what would another version make of what is in this journal?
 *
 * Every record is recomputed under the new code, in a process without doors where it is not our own,
 * and what differs is told by its class. Nothing is installed and nothing is written.
 */
import { replayHistory } from '../../actors/other-code.ts'
import { REPLAY_CLASSES, type ReplayClass } from '../../machines/history/compare.ts'
import type { ReplayDiff, ReplayResult } from '../../machines/history/replay.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { EXIT } from '../exit.ts'
import { chooseCode, codeHouse, nameOfCode } from '../history/code.ts'
import { journalArgs } from '../history/place.ts'
import { showHoles } from '../history/holes-text.ts'
import { type Source, withSource } from '../history/source.ts'
import { columns, note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const WORDS: Readonly<Record<Exclude<ReplayClass, 'same'>, string>> = {
  ERROR: 'the new code throws: the actor would be set aside',
  STATE: 'another state, or an event that is ignored now',
  EFFECTS: 'other effects: something else would have been done',
  SENDS: 'other messages between actors',
  TIMERS: 'other waits',
  context: 'the same behaviour so far, from other memory',
}

/** Exit code 0: the new code does the same; 11: it does not. */
export const upgrade = defineVerb({
  name: 'upgrade',
  description: 'Replay the journal under the code of another version, and tell what differs',
  args: {
    ...journalArgs,
    'dry-run': { type: 'boolean', description: 'only look; nothing else is done here' },
    with: {
      type: 'string',
      valueHint: 'DIR',
      description: 'the unpacked new version (default: the one that this command is of)',
    },
  },
  async run(args) {
    if (args['dry-run'] !== true) {
      const message =
        'upgrade only looks, with --dry-run: install the new version as you installed this one, then restart the gateway'
      throw new GatewayError('USAGE', message, { verb: 'upgrade' })
    }
    return withSource(args.journal, async (source) => {
      const report = await examine(source, args.with ?? 'current')
      if (args.json) showJson({ ok: report.exit === 0, schema: 'openclaw-upgrade/1', ...report })
      else tell(report)
      return report.exit
    })
  },
})

interface UpgradeReport {
  readonly code: string // of the new version
  readonly recorded: Readonly<Record<string, number>> // records by the code that wrote them
  readonly head: number
  readonly records: number // recomputed
  readonly same: number
  readonly counts: ReplayResult['counts']
  readonly examples: readonly ReplayDiff[] // the first of each class
  readonly atWork: readonly string[] // actors that differ, and have something to do right now
  readonly holes: ReplayResult['holes']
  readonly exit: number
}

async function examine(source: Source, wanted: string): Promise<UpgradeReport> {
  const { history } = source
  const head = history.head()
  const house = codeHouse(source)
  const choice = await chooseCode(house, wanted)
  const recorded: Record<string, number> = {}
  for (const { code } of history.range(1, head)) recorded[code] = (recorded[code] ?? 0) + 1
  const examples = new Map<ReplayClass, ReplayDiff>()
  const different = new Set<string>()
  const diffed = (diff: ReplayDiff): void => {
    if (!examples.has(diff.class)) examples.set(diff.class, diff)
    different.add(diff.stream)
  }
  const range = { from: 1, to: head, choice }
  const { records, same, counts, holes } = await replayHistory(house, history, range, { diffed })
  const atWork = [...busyStreams(source)].filter((stream) => different.has(stream))
  const code = nameOfCode(choice, house.own.id)
  const listed = [...examples.values()]
  const exit = same === records ? 0 : EXIT.diverged
  return { code, recorded, head, records, same, counts, examples: listed, atWork, holes, exit }
}

function busyStreams(source: Source): Set<string> {
  const { effects, waits, sends } = source.openWork()
  return new Set([
    ...[...effects.values(), ...waits.values()].map(({ stream }) => stream),
    ...[...sends.values()].map(({ to }) => to),
  ])
}

function tell(report: UpgradeReport): void {
  const { code, recorded, records, same, counts, examples, atWork, holes } = report
  const writers = Object.entries(recorded).map(([id, count]) => `${id} (${count})`)
  show(`new code ${code}; recorded by ${writers.join(', ') || 'nothing yet'}`)
  show(`${records} records, ${same} identical, ${records - same} differ`)
  showHoles(holes)
  const rows = REPLAY_CLASSES.flatMap((name) => {
    if (name === 'same' || counts[name] === 0) return []
    const first = examples.find((diff) => diff.class === name)
    const where = first === undefined ? '' : `first at #${first.position} ${first.stream}`
    return [[` ${name}`, String(counts[name]), WORDS[name], where]]
  })
  for (const line of columns(rows)) show(line)
  if (atWork.length > 0) show(`at work right now, and different: ${atWork.join(', ')}`)
  if (same === records) note('The new version does the same with all of it. Still: backup create.')
  else note('Look closer: openclaw replay --with DIR, openclaw bisect. And first: backup create.')
}
