/**
 * `openclaw fork`: what would have happened. History is cut at a place and run again, dry, under
 * edits or other code; nothing leaves this machine.
 */
import { readFileSync, statSync } from 'node:fs'
import { systemChance, systemClock } from '../../actors/services.ts'
import { checkForkName, FORK_SCHEMA, type ForkFile, writeFork } from '../../actors/forks.ts'
import { type Edit, type EditFlag, parseEdit } from '../../machines/history/edits.ts'
import { CONTROL } from '../../machines/history/fork.ts'
import type { RerunPlan } from '../../machines/history/plan.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import { codeArgs, codeHouse } from '../history/code.ts'
import { runFork } from '../history/fork-run.ts'
import { refuseForks, refuseLive, showFork } from '../history/forks.ts'
import { findStream } from '../../machines/history/find-stream.ts'
import { actorArgs, historyArgs, locate } from '../history/options.ts'
import { withSource } from '../history/source.ts'
import { defineVerb } from '../verb.ts'

const EDIT_FLAGS = ['edit', 'insert', 'skip', 'delay', 'answer'] as const satisfies EditFlag[]

const edited = (valueHint: string, description: string) =>
  ({ type: 'string', valueHint, description: `${description}; may be given again` }) as const

export const fork = defineVerb({
  name: 'fork',
  description: 'Run history again from a place, dry, under edits or other code',
  args: {
    ...historyArgs,
    ...actorArgs,
    ...codeArgs,
    at: { type: 'string', valueHint: 'T', description: 'the cut: the last record that stays' },
    until: { type: 'string', valueHint: 'B', description: 'the last record that is run again' },
    as: { type: 'string', valueHint: 'NAME', description: 'the name of the fork' },
    edit: edited('#8.facts.X=JSON', 'change a fact of an event'),
    insert: edited('after:#10 STREAM TYPE {JSON}', 'let an event come from outside'),
    skip: edited('#11', 'let a record not happen'),
    delay: edited('#11 +500ms', 'let a record happen later'),
    answer: edited('#8.e0=JSON|@FILE', 'give an effect another outcome'),
    'on-lost': {
      type: 'enum',
      options: ['lose', 'ok', 'fail'],
      description: 'effects that were lost (default lose)',
    },
    'on-miss': {
      type: 'enum',
      options: ['stub', 'error'],
      description: 'effects that the recording does not have (default stub)',
    },
    dry: { type: 'boolean', description: 'nothing leaves this machine (always so)' },
    live: { type: 'boolean', description: 'refused: forks are dry' },
  },
  async run(args, all) {
    if (args.live === true) return refuseLive('--live', args.json === true)
    if (args.at === undefined) throw new GatewayError('USAGE', '--at is missing', { verb: 'fork' })
    const name = checkForkName(args.as ?? `fork-${systemChance.hex(3)}`)
    const plan: RerunPlan = {
      ...CONTROL,
      edits: EDIT_FLAGS.flatMap((flag) => all(flag).map((text) => readEdit(flag, text))),
      onLost: args['on-lost'] ?? CONTROL.onLost,
      onMiss: args['on-miss'] ?? 'stub',
    }
    return withSource(args.journal, async (source) => {
      const isNamed = (args.session ?? args.actor) !== undefined
      const stream = isNamed ? findStream(source.history, args) : null
      refuseForks('--at', args.at)
      refuseForks('--until', args.until)
      const { position: at } = locate(source, args.at ?? '', args)
      const head = source.history.head()
      const until = args.until === undefined ? head : locate(source, args.until, args).position
      if (until <= at) {
        throw new GatewayError(
          'USAGE',
          `fork: nothing lies behind #${at}, so there is nothing to run`,
        )
      }
      const run = await runFork(source, codeHouse(source, args['run-code'] === true), {
        from: at + 1,
        to: until,
        plan,
        code: args.with ?? 'current',
        about: stream?.startsWith('session:') === true ? stream : null,
      })
      const file: ForkFile = {
        schema: FORK_SCHEMA,
        name,
        parent: { position: head, hash: source.headHash() },
        at,
        until,
        createdAt: systemClock.now(),
        edits: plan.edits,
        stream,
        ...run,
      }
      await writeFork(source.stateDir, file)
      showFork(file, args.json === true)
      return run.result.faults.length === 0 ? 0 : 1
    })
  },
})

function readEdit(flag: EditFlag, text: string): Edit {
  const file = flag === 'answer' ? /^([^=]+)=\s*@(.+)$/s.exec(text) : null
  return parseEdit(flag, file === null ? text : `${file[1] ?? ''}=${readAnswer(file[2] ?? '')}`)
}

function readAnswer(path: string): string {
  try {
    if (statSync(path).size <= limits.recordBytesMax) return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new GatewayError('USAGE', `--answer: cannot read ${quote(path)}`, {}, cause)
  }
  const text = `--answer: ${quote(path)} is larger than ${limits.recordBytesMax} bytes`
  throw new GatewayError('USAGE', text)
}
