/**
 * `openclaw doctor`: looks at everything that can be wrong, and says what to do about each.
 */
import { reachArgs } from '../arguments.ts'
import { checkAlerts } from '../checks/alerts.ts'
import { checkConfig, checkModels } from '../checks/config.ts'
import type { Finding } from '../checks/finding.ts'
import { checkGateway } from '../checks/gateway.ts'
import { checkDisk, checkNode, checkStateDir } from '../checks/house.ts'
import { checkJournal } from '../checks/journal.ts'
import { checkTls } from '../checks/tls.ts'
import { show, showJson } from '../output.ts'
import { readSettings, type Settings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const

/** Exit code 0: no findings; 1: findings. */
export const doctor = defineVerb({
  name: 'doctor',
  description: 'Check installation, configuration and journal',
  args: reachArgs,
  async run(args) {
    const checks = await examine(await readSettings(args), process.env)
    const findings = checks.filter(({ state }) => state !== 'ok')
    if (args.json) {
      showJson({ ok: findings.length === 0, checks })
    } else {
      for (const check of checks) showCheck(check)
      show(findings.length === 0 ? 'no findings' : `${findings.length} to look at`)
    }
    return findings.length === 0 ? 0 : 1
  },
})

async function examine(settings: Settings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const { stateDir, configPath } = settings
  const { findings, config } = await checkConfig(configPath, env)
  return [
    checkNode(),
    await checkStateDir(stateDir),
    ...findings,
    ...(config === null ? [] : await checkTls(config.gateway.tls, configPath)),
    await checkDisk(stateDir),
    ...(await checkGateway(settings)),
    ...(await checkJournal(stateDir)),
    ...(config === null ? [] : await checkModels(config, env)),
    ...(config === null ? [] : await checkAlerts(config.gateway.alerts)),
  ]
}

function showCheck({ name, state, says, todo }: Finding): void {
  show(`${MARKS[state]}  ${name}: ${says}`)
  if (todo !== undefined) show(`      -> ${todo}`)
}
