/** The unit under a real user manager of systemd: started, told, killed, broken, removed. */
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { withDirectory } from '../support/directory.ts'
import { compiled } from '../support/process.ts'

const test = cases('systemd')
const MANAGER = fileURLToPath(new URL('../../../tests/fixtures/user-manager.sh', import.meta.url))
const UNIT = 'openclaw-gateway.service'
const LIFE_MS = 60_000

/** Tells why there can be no user manager; null: there can. */
function whyNoManager(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root'
  if (!existsSync('/sys/fs/cgroup/systemd')) return 'needs the group of systemd (cgroup v1)'
  if (!existsSync('/run/systemd')) return 'needs /run/systemd'
  const missing = ['systemd', 'systemctl', 'dbus-daemon', 'unshare'].filter(
    (name) => spawnSync('which', [name]).status !== 0,
  )
  return missing.length === 0 ? null : `needs ${missing.join(', ')}`
}

// Prints what is looked at, one line for each; a part that waits gives up after some seconds.
const SCRIPT = `
claw() { "$NODE" "$BIN" "$@"; }
show() { systemctl --user show -p "$1" --value ${UNIT}; }
wait_for() { for _ in $(seq 150); do [ "$(show "$1")" = "$2" ] && return; sleep 0.1; done; }
claw gateway install >/dev/null; echo "install $?"
echo "active $(show ActiveState) type $(show Type) status $(show StatusText)"
first=$(show MainPID)
kill -9 "$first"
wait_for NRestarts 1; wait_for ActiveState active
second=$(show MainPID)
[ "$first" != "$second" ] && [ "$second" != 0 ] && echo restarted
claw gateway status >/dev/null; echo "status $?"
echo '{ nonsense' >"$OPENCLAW_STATE_DIR/openclaw.json"
rm -r "$OPENCLAW_STATE_DIR/config"
kill -9 "$second"
wait_for ActiveState failed
echo "broken $(show ActiveState) code $(show ExecMainStatus)"
claw gateway uninstall >/dev/null; echo "uninstall $?"
echo "left $(show ActiveState) $(ls "$HOME/.config/systemd/user" | grep -c service)"
systemctl --user exit
`

test.unless(
  whyNoManager(),
  'U8 under a real user manager: told ready, restarted after kill -9, not after 78, removed',
  () =>
    withDirectory(async (directory) => {
      const stateDir = join(directory, 'home', '.openclaw')
      const script = join(directory, 'script.sh')
      writeFileSync(
        script,
        `mkdir -p -m 700 "$OPENCLAW_STATE_DIR"
echo '{ gateway: { port: 0 } }' >"$OPENCLAW_STATE_DIR/openclaw.json"
${SCRIPT}`,
      )
      const unshare = ['--mount', '--pid', '--fork', '--mount-proc']
      const { stdout, stderr } = spawnSync(
        'unshare',
        [...unshare, 'bash', MANAGER, directory, 'bash', script],
        {
          encoding: 'utf8',
          timeout: LIFE_MS,
          killSignal: 'SIGKILL',
          env: {
            PATH: process.env['PATH'],
            NODE: process.execPath,
            BIN: compiled('scripts/openclaw.js'),
            OPENCLAW_STATE_DIR: stateDir,
            NO_COLOR: '1',
          },
        },
      )

      const lines = stdout.trim().split('\n')
      assert.equal(lines.length, 7, stdout + stderr)
      assert.match(lines[1] ?? '', /^active active type notify status ready at ws:/)
      assert.equal(
        lines.filter((_, index) => index !== 1),
        [
          'install 0',
          'restarted',
          'status 0',
          'broken failed code 78',
          'uninstall 0',
          'left inactive 0',
        ],
      )
    }),
)

test.run()
