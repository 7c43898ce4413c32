/**
 * The systemd user unit of a gateway, as text.
 *
 * Type=notify: systemd waits until clients can connect. The watchdog is fed while event loop and
 * journal answer (notifier.ts). Restarted is what crashed; a configuration that is refused, a wrong
 * flag and a damaged journal do not get better by that. The file system is read-only but for the
 * state directory and the configuration's; a secret for `${NAME}` goes into `gateway.env` beside
 * the journal.
 */
import { dirname, join } from 'node:path'
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'

/** What a unit is made of. */
export interface UnitPlan {
  readonly command: readonly string[] // node, script, verb and flags
  readonly stateDir: string // absolute
  readonly configPath: string // absolute
  readonly environment: Readonly<Record<string, string>>
}

/** Exit codes that a restart does not mend: usage, integrity, configuration (scripts/exit.ts). */
const FINAL_CODES = '2 12 78'

/** Writes the unit. @throws {GatewayError} CONFIG_INVALID: a path or value would end its line. */
export function formatUnit({ command, stateDir, configPath, environment }: UnitPlan): string {
  for (const text of [...command, stateDir, configPath, ...Object.values(environment)]) {
    assertOneLine(text)
  }
  const writable = [...new Set([stateDir, dirname(configPath)])]
  const variables = Object.entries(environment).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`)}`,
  )
  return [
    '[Unit]',
    `Description=OpenClaw gateway, state in ${specifiers(stateDir)}`,
    'StartLimitIntervalSec=300',
    'StartLimitBurst=10',
    '',
    '[Service]',
    'Type=notify',
    // systemd-notify, a child, speaks for the gateway.
    'NotifyAccess=all',
    `ExecStart=${command.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}`,
    ...variables,
    `EnvironmentFile=-${specifiers(join(stateDir, 'gateway.env'))}`,
    `WatchdogSec=${limits.watchdogMs / 1_000}`,
    'TimeoutStartSec=120',
    'TimeoutStopSec=10',
    'Restart=on-failure',
    'RestartSec=2',
    `RestartPreventExitStatus=${FINAL_CODES}`,
    'KillMode=mixed',
    'UMask=0077',
    'NoNewPrivileges=yes',
    // A private /tmp would hide a state that lies in the real one.
    ...(writable.some(isTemporary) ? [] : ['PrivateTmp=yes']),
    'ProtectSystem=strict',
    `ReadWritePaths=${writable.map(quoted).join(' ')}`,
    'LockPersonality=yes',
    'RestrictSUIDSGID=yes',
    'RestrictRealtime=yes',
    `MemoryHigh=${limits.unitMemoryHighMib}M`,
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n')
}

// What ends a line in a unit begins a setting of its own, or swallows the next one.
function assertOneLine(text: string): void {
  if (!/\p{Cc}|\\$/u.test(text)) return
  const reason = 'a unit cannot hold a control character, nor a backslash at the end'
  throw new GatewayError('CONFIG_INVALID', `${quote(text)}: ${reason}`)
}

function isTemporary(path: string): boolean {
  return /^\/(?:var\/)?tmp(?:\/|$)/.test(path)
}

// systemd.syntax(7): backslash escapes within quotes; `%` begins a specifier.
function quoted(word: string): string {
  return `"${specifiers(word).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

function specifiers(text: string): string {
  return text.replaceAll('%', '%%')
}
