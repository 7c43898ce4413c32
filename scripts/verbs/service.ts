/**
 * `openclaw gateway install` and `uninstall`: the gateway as a systemd service of this user.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { askLock } from '../../actors/lock.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { jsonArgs } from '../arguments.ts'
import { programName } from '../exit.ts'
import { note, show, showJson, showText } from '../output.ts'
import { isInstalled, systemctl, type Unit, unitOf, whyNoSystemd } from '../service/systemd.ts'
import { formatUnit } from '../service/unit.ts'
import { readSettings, type Settings } from '../settings.ts'
import { defineVerb } from '../verb.ts'

// What decides where things are; secrets belong into gateway.env.
const PASSED_ON = ['OPENCLAW_STATE_DIR', 'OPENCLAW_CONFIG_PATH', 'OPENCLAW_GATEWAY_PORT', 'PATH']

/** Exit code 0: installed and running, or printed as asked; 1: printed, as systemd is not here. */
export const install = defineVerb({
  name: 'gateway install',
  description: 'Make the gateway a service of this user, started at every boot',
  args: {
    ...jsonArgs,
    print: { type: 'boolean', description: 'print the unit and install nothing' },
  },
  async run(args) {
    const settings = await readSettings({})
    const unit = unitOf(settings.stateDir)
    const text = unitText(settings)
    const asJson = args.json === true
    if (args.print) {
      if (asJson) showJson({ ok: true, installed: false, ...unit, unit: text })
      else showText(text)
      return 0
    }
    const why = await whyNoSystemd()
    if (why !== null) return tellAbsent(unit, text, { why, asJson })
    await assertFree(settings, unit)
    write(unit, text, settings)
    await systemctl('daemon-reload')
    await systemctl('enable', '--now', unit.name)
    if (asJson) showJson({ ok: true, installed: true, ...unit })
    else show(`installed and running: ${unit.name} (${unit.path})`)
    note('to keep it running without a login: loginctl enable-linger')
    return 0
  },
})

/** Exit code 0: it was installed and is gone; 10: it was not. */
export const uninstall = defineVerb({
  name: 'gateway uninstall',
  description: 'Stop the service of this user and remove it; the state directory stays',
  args: jsonArgs,
  async run(args) {
    const { stateDir } = await readSettings({})
    const unit = unitOf(stateDir)
    if (!isInstalled(unit)) {
      throw new GatewayError('NOT_FOUND', `no service is installed (looked for ${unit.path})`)
    }
    const why = await whyNoSystemd()
    if (why === null) {
      await systemctl('disable', '--now', unit.name)
      // Where it had failed systemd would list it as failed for ever; else it has nothing to forget.
      await systemctl('reset-failed', unit.name).catch(() => {})
    }
    rmSync(unit.path)
    if (why === null) await systemctl('daemon-reload')
    if (args.json) showJson({ ok: true, installed: false, ...unit })
    else show(`uninstalled: ${unit.name}; the state in ${stateDir} stays`)
    return 0
  },
})

function unitText({ stateDir, configPath }: Settings): string {
  const script = process.argv[1] ?? ''
  const passed = PASSED_ON.flatMap((name) => {
    const value = process.env[name]
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  const environment = Object.fromEntries(passed)
  const command = [process.execPath, script, 'gateway']
  return formatUnit({ command, stateDir, configPath, environment })
}

function tellAbsent(
  unit: Unit,
  text: string,
  { why, asJson }: { why: string; asJson: boolean },
): number {
  if (asJson) showJson({ ok: false, installed: false, ...unit, why, unit: text })
  else showText(text)
  const program = programName()
  note(`openclaw: nothing was installed: ${why}`)
  note(`Where it does, put the unit above into ${unit.path}`)
  note(`Without it: ${program} gateway --daemon, from whatever starts programs here`)
  return 1
}

// systemd would start a second one again and again.
async function assertFree({ stateDir }: Settings, unit: Unit): Promise<void> {
  const holder = await askLock(stateDir)
  if (holder === null || isInstalled(unit)) return
  const { pid, port } = holder
  const message = `a gateway is already running here, as process ${pid}; stop it first`
  throw new GatewayError('ALREADY_RUNNING', message, { pid, port })
}

function write({ path }: Unit, text: string, { stateDir }: Settings): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 }) // ReadWritePaths must be there.
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, text, { mode: 0o600 })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError('PERMISSION', `the unit cannot be written: ${reason}`, { path }, cause)
  }
}
