/**
 * `openclaw doctor`: looks at everything that can be wrong, and says what to do about each.
 *
 * Each check has an id that stays; `--fix` mends what is safe to mend, and looks again.
 */
import { systemClock } from '../../actors/services.ts'
import { GatewayError, toGatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { didYouMean, reachArgs } from '../arguments.ts'
import { CHECKS } from '../checks/all.ts'
import { checkConfig } from '../checks/config.ts'
import type { Check, CheckContext, Finding } from '../checks/finding.ts'
import { checkJournal } from '../checks/journal.ts'
import { show, showJson } from '../output.ts'
import { readSettings } from '../settings.ts'
import { readStanding } from '../standing.ts'
import { defineVerb } from '../verb.ts'

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', broken: '????' } as const

/** A finding with the check that made it; `broken`: the check itself could not be made. */
interface Row extends Omit<Finding, 'state'> {
  readonly id: string
  readonly state: keyof typeof MARKS
}

interface Examined {
  readonly checks: readonly Row[]
  readonly fixed: readonly string[]
}

/** Exit code 0: no findings; 1: findings; 2: a check could not be made. */
export const doctor = defineVerb({
  name: 'doctor',
  description: 'Check installation, configuration and journal',
  args: {
    ...reachArgs,
    only: { type: 'string', valueHint: 'ID', description: 'only this check; may be given again' },
    fix: { type: 'boolean', description: 'mend what is safe: modes, directories, leftovers' },
  },
  async run(args, all) {
    const wanted = select(all('only'))
    const settings = await readSettings(args)
    const context = openContext(settings, process.env)
    const { checks, fixed } = await examine(wanted, context, args.fix === true)
    const findings = checks.filter(({ state }) => state !== 'ok')
    if (args.json) {
      showJson({ ok: findings.length === 0, checks, fixed })
    } else {
      for (const line of fixed) show(`fixed ${line}`)
      for (const check of checks) showCheck(check)
      show(findings.length === 0 ? 'no findings' : `${findings.length} to look at`)
    }
    if (findings.some(({ state }) => state === 'broken')) return 2
    return findings.length === 0 ? 0 : 1
  },
})

function select(ids: readonly string[]): readonly Check[] {
  if (ids.length === 0) return CHECKS
  const known = CHECKS.map(({ id }) => id)
  for (const id of ids.filter((each) => !known.includes(each))) {
    const hint = didYouMean(id, known) || `, expected one of ${known.join(', ')}`
    throw new GatewayError('USAGE', `--only: no check ${quote(id)}${hint}`, { verb: 'doctor' })
  }
  return CHECKS.filter(({ id }) => ids.includes(id))
}

function openContext(settings: CheckContext['settings'], env: NodeJS.ProcessEnv): CheckContext {
  const checkedConfig = once(() => checkConfig(settings.configPath, env))
  return {
    settings,
    env,
    now: systemClock.now(),
    checkedConfig,
    config: async () => (await checkedConfig()).config,
    standing: once(() => readStanding(settings)),
    journal: once(() => checkJournal(settings.stateDir)),
  }
}

function once<T>(look: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | null = null
  return () => (found ??= look())
}

async function examine(
  wanted: readonly Check[],
  context: CheckContext,
  isMending: boolean,
): Promise<Examined> {
  const checks: Row[] = []
  const fixed: string[] = []
  for (const check of wanted) {
    try {
      if (isMending) fixed.push(...((await check.fix?.(context)) ?? []))
      checks.push(...(await check.run(context)).map((finding) => ({ id: check.id, ...finding })))
    } catch (thrown) {
      const { message } = toGatewayError(thrown)
      const todo = 'look at what it says; the other checks went on'
      checks.push({ id: check.id, name: check.id, state: 'broken', says: message, todo })
    }
  }
  return { checks, fixed }
}

function showCheck({ state, name, says, todo }: Row): void {
  show(`${MARKS[state]}  ${name}: ${says}`)
  if (todo !== undefined) show(`      -> ${todo}`)
}
