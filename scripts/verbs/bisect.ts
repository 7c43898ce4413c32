/**
 * `openclaw bisect`: the first record behind which something holds of an actor.
 *
 *   bisect --session K --when PREDICATE [A..B]
 *   bisect run CMD --session K [A..B]      CMD gets OPENCLAW_AT and the state as JSON on stdin;
 *                                          exit 0 good, 125 skip, anything else bad
 */
import { spawnSync } from 'node:child_process'
import { kinds } from '../../machines/kinds.ts'
import { type Bisected, bisectStates } from '../../machines/history/bisect.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { parsePredicate, type Predicate } from '../../protocol/history/predicate.ts'
import { limits } from '../../protocol/limits.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, locateRange } from '../history/options.ts'
import { withSource } from '../history/source.ts'
import { note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

const SKIP = 125

/** Exit code 0: found; 10: it never holds. */
export const bisect = defineVerb({
  name: 'bisect',
  description: 'Find the first record behind which a predicate, or a command, says bad',
  args: {
    ...historyArgs,
    ...actorArgs,
    words: { type: 'positional', required: false, description: 'run CMD, and a range A..B' },
    when: { type: 'string', valueHint: 'PREDICATE', description: 'bad is where this holds' },
    first: { type: 'boolean', description: 'look at every record: for what comes and goes' },
  },
  run: (args) =>
    withSource(args.journal, (source) => {
      const { history } = source
      const isRun = args._[0] === 'run'
      const words = isRun ? args._.slice(2) : args._
      const predicate = isRun ? byCommand(args._[1]) : byPredicate(args.when)
      const range =
        words[0] === undefined
          ? { from: 1, to: history.head() }
          : locateRange(source, words[0], args)
      const stream = findStream(history, args)
      const found = bisectStates(history, kinds, stream, {
        ...range,
        predicate,
        scan: args.first === true,
      })
      if (args.json) showJson({ ok: true, ...formatBisected(found) })
      else showBisected(found)
      return 0
    }),
})

function byPredicate(text: string | undefined): Predicate {
  if (text === undefined)
    throw new GatewayError('USAGE', '--when PREDICATE is missing, or: bisect run CMD', {
      verb: 'bisect',
    })
  return parsePredicate(text)
}

function byCommand(command: string | undefined): Predicate {
  if (command === undefined)
    throw new GatewayError('USAGE', 'bisect run: CMD is missing', { verb: 'bisect' })
  return (subject) => {
    const env = { ...process.env, OPENCLAW_AT: `#${subject.position}` }
    const { status, error } = spawnSync('/bin/sh', ['-c', command], {
      env,
      input: JSON.stringify(subject),
      stdio: ['pipe', 'ignore', 'inherit'],
      timeout: limits.bisectRunMs,
    })
    if (error !== undefined)
      throw new GatewayError('USAGE', `bisect run: ${error.message}`, {}, error)
    // What the command cannot judge is taken for good: the search goes on behind it.
    return status !== 0 && status !== SKIP
  }
}

function formatBisected({ first, probes, records, monotone }: Bisected): object {
  const { position, stream, version, event, cause } = first
  return {
    first: { position, stream, version, type: event.type, cause },
    probes,
    records,
    monotone,
  }
}

function showBisected({ first, probes, records, monotone }: Bisected): void {
  const looked = probes.map(({ position, bad }) => `${bad ? 'bad' : 'good'} #${position}`)
  if (looked.length > 0) show(looked.join(' · '))
  show(
    `first bad: #${first.position} ${first.event.type} (${probes.length} probes, ${records} records)`,
  )
  if (!monotone)
    note(
      'It held at the beginning of the range as well: it comes and goes. --first looks at every record.',
    )
}
