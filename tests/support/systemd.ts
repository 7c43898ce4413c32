/**
 * Stand-ins for systemd's commands, as scripts in a directory that is put before PATH. `systemctl`
 * keeps what it was asked and starts what a unit names; `systemd-notify` keeps what it was told.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface StandInSystemd {
  /** The environment in which the stand-ins are found. */
  readonly env: NodeJS.ProcessEnv
  /** What `systemctl` was asked, in order, without `--user`. */
  readonly asked: () => string[]
  /** What `systemd-notify` was told, in order. */
  readonly told: () => string[]
}

// A unit's variables and command are words that a shell reads the same way.
const SYSTEMCTL = `#!/bin/sh
shift
echo "$*" >>"$STAND_IN/asked"
unit=
for word; do unit=$word; done
file=$HOME/.config/systemd/user/$unit
begin() {
  ( eval "$(sed -n 's/^Environment=\\(.*\\)/export \\1/p' "$file")"
    eval "exec setsid $(sed -n 's/^ExecStart=//p' "$file")" ) >/dev/null 2>&1 </dev/null &
  echo $! >"$STAND_IN/pid"
}
finish() {
  [ -f "$STAND_IN/pid" ] || return 0
  kill "$(cat "$STAND_IN/pid")"
  while kill -0 "$(cat "$STAND_IN/pid")" 2>/dev/null; do sleep 0.02; done
  rm "$STAND_IN/pid"
}
case $1 in
  show) case $* in *ActiveState*) if [ -f "$STAND_IN/pid" ]; then echo active; else echo inactive; fi;; esac;;
  enable | start) begin;;
  restart) finish; begin;;
  disable) finish;;
esac
`

const NOTIFY = `#!/bin/sh
echo "$*" >>"$STAND_IN/told"
`

/** Puts the stand-ins into a directory. */
export function standInSystemd(directory: string): StandInSystemd {
  const bin = join(directory, 'stand-in-bin')
  mkdirSync(bin)
  for (const [name, text] of [
    ['systemctl', SYSTEMCTL],
    ['systemd-notify', NOTIFY],
  ] as const) {
    writeFileSync(join(bin, name), text)
    chmodSync(join(bin, name), 0o755)
  }
  const lines = (name: string): string[] => {
    const path = join(bin, name)
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []
  }
  return {
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, STAND_IN: bin },
    asked: () => lines('asked'),
    told: () => lines('told'),
  }
}
