/**
 * The gateway as a service of this user: its unit file, and systemctl, which is asked about it.
 *
 * One unit for each state directory: `openclaw-gateway` for the usual one, a name with a digest for
 * any other.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { sha256Hex } from '../../protocol/digest.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

/** A unit, installed or not. */
export interface Unit {
  readonly name: string // openclaw-gateway.service
  readonly path: string // of its file
}

/** Tells which unit belongs to a state directory. */
export function unitOf(stateDir: string, env: NodeJS.ProcessEnv = process.env): Unit {
  const home = env['HOME'] || homedir()
  const usual = join(home, '.openclaw')
  const suffix = stateDir === usual ? '' : `-${sha256Hex(stateDir).slice(0, 8)}`
  const name = `openclaw-gateway${suffix}.service`
  const directory = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'systemd', 'user')
  return { name, path: join(directory, name) }
}

/** Tells whether the unit's file is there. */
export function isInstalled({ path }: Unit): boolean {
  return existsSync(path)
}

/** Why no service of this user can be made here; null where one can. */
export async function whyNoSystemd(): Promise<string | null> {
  if (process.platform !== 'linux') return `systemd is not on ${process.platform}`
  try {
    await systemctl('show', '--property=Version')
    return null
  } catch (thrown) {
    return `systemd does not serve this user: ${thrown instanceof Error ? thrown.message : ''}`
  }
}

/** Tells the state of a unit: active, activating, inactive, failed, or why it cannot be told. */
export async function unitState({ name }: Unit): Promise<string> {
  try {
    const shown = await systemctl('show', '--property=ActiveState', '--value', name)
    return shown.trim() || 'unknown'
  } catch {
    return 'unknown'
  }
}

/** Tells whether systemd runs the gateway of a unit now. */
export async function isServed(unit: Unit): Promise<boolean> {
  if (!isInstalled(unit)) return false
  return ['active', 'activating', 'reloading'].includes(await unitState(unit))
}

/**
 * Runs `systemctl --user`; resolves with what it prints.
 * @throws {GatewayError} UNAVAILABLE: it is not here, or it refused; the message is its own.
 */
export function systemctl(...words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: limits.systemctlMs, encoding: 'utf8' } as const
    execFile('systemctl', ['--user', ...words], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const said = stderr.trim().split('\n')[0] || error.message
      reject(new GatewayError('UNAVAILABLE', said, { command: words[0] ?? '' }, error))
    })
  })
}
