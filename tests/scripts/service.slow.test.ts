/**
 * The gateway as a service: its unit, the verbs around it, and what systemd is told.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { formatUnit } from '../../scripts/service/unit.ts'
import { cases } from '../store/cases.ts'
import { cli, serving } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { compiled, start } from '../support/process.ts'
import { standInSystemd } from '../support/systemd.ts'
import { until } from '../support/wait.ts'

const service = cases('service')

function has(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined
}

function portFree(stateDir: string): void {
  writeFileSync(join(stateDir, 'openclaw.json'), '{ gateway: { port: 0 } }', { mode: 0o600 })
}

service('U1 the unit says notify, watchdog, restarts and hardening; words are quoted', async () => {
  await withDirectory(async (directory) => {
    const stateDir = join(directory, 'a state "of" 100%')
    mkdirSync(stateDir)
    const text = formatUnit({
      command: [process.execPath, join(stateDir, '$HOME.js'), 'gateway'],
      stateDir,
      configPath: '/etc/openclaw.json',
      environment: { OPENCLAW_STATE_DIR: stateDir },
    })

    for (const line of [
      'Type=notify',
      'NotifyAccess=all',
      'WatchdogSec=30',
      'Restart=on-failure',
      'RestartPreventExitStatus=2 12 78',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'UMask=0077',
      'MemoryHigh=512M',
    ])
      assert.ok(text.includes(`\n${line}\n`), line)
    assert.match(text, `state \\"of\\" 100%%/$$HOME.js" "gateway"\n`)
    assert.match(text, `ReadWritePaths="${directory}/a state \\"of\\" 100%%" "/etc"\n`)
    const home = { command: [], stateDir: '/home/ann/.openclaw', environment: {} }
    const usual = formatUnit({ ...home, configPath: '/home/ann/.openclaw/openclaw.json' })
    assert.ok(usual.includes('\nPrivateTmp=yes\n'))
    const shared = formatUnit({ ...home, stateDir: '/tmp/state', configPath: '/etc/openclaw.json' })
    assert.not.ok(shared.includes('PrivateTmp'), 'it would hide the state')
    if (!has('systemd-analyze')) return
    const path = join(directory, 'openclaw-gateway.service')
    writeFileSync(path, text.replaceAll('/etc', directory))
    const verify = spawnSync('systemd-analyze', ['verify', '--user', path], {
      env: { ...process.env, HOME: directory, XDG_RUNTIME_DIR: directory },
      encoding: 'utf8',
    })
    assert.equal([verify.status, verify.stdout + verify.stderr], [0, ''])
  })
})

service('U1 a path or value that would end its line in the unit is refused', () => {
  const plan = { command: ['/usr/bin/node'], stateDir: '/s', configPath: '/c/x', environment: {} }
  const evil = '/s\nExecStartPre=/bin/evil'
  const refused = /a unit cannot hold/

  assert.throws(() => formatUnit({ ...plan, stateDir: evil }), refused)
  assert.throws(() => formatUnit({ ...plan, stateDir: '/s\\' }), refused)
  assert.throws(() => formatUnit({ ...plan, configPath: evil }), refused)
  assert.throws(() => formatUnit({ ...plan, command: [evil] }), refused)
  assert.throws(() => formatUnit({ ...plan, environment: { PATH: evil } }), refused)
  assert.match(formatUnit(plan), /\n$/)
})

service(
  'U2 where systemd is absent the unit is printed, nothing installed, and it is said',
  async () => {
    await withDirectory(async (stateDir) => {
      const empty = { PATH: stateDir }

      const install = await cli(stateDir, ['gateway', 'install'], empty)
      const asked = await cli(stateDir, ['gateway', 'install', '--print'], empty)
      const uninstall = await cli(stateDir, ['gateway', 'uninstall'], empty)

      assert.is(install.code, 1)
      assert.match(install.stdout, /^\[Unit\]\n[^]*ExecStart="[^"]+" "[^"]+openclaw\.js" "gateway"/)
      assert.match(install.stderr, 'nothing was installed: systemd does not serve this user')
      assert.not.ok(existsSync(join(stateDir, '.config')))
      assert.equal([asked.code, asked.stdout, asked.stderr], [0, install.stdout, ''])
      assert.is(uninstall.code, 10)
      assert.match(uninstall.stderr, 'no service is installed')
    })
  },
)

service('U3 installed, it runs by systemd: started, told, restarted, removed', async () => {
  await withDirectory(async (stateDir) => {
    const systemd = standInSystemd(stateDir)
    portFree(stateDir)
    const run = (...words: string[]) => cli(stateDir, ['gateway', ...words], systemd.env)

    const installed = await run('install')
    const first = await serving(stateDir)
    const status = await run('status')
    const again = await run('restart', '--json')
    const second = await askLock(stateDir)
    const removed = await run('uninstall')

    assert.is(installed.code, 0, installed.stderr)
    const [, name = ''] = /installed and running: (\S+)/.exec(installed.stdout) ?? []
    const unit = join(stateDir, '.config', 'systemd', 'user', name)
    assert.match(name, /^openclaw-gateway-[0-9a-f]{8}\.service$/)
    assert.match(status.stdout, new RegExp(`service +${name}: active\n`))
    assert.is(again.code, 0, again.stdout)
    assert.is((JSON.parse(again.stdout) as { how: string }).how, 'systemd')
    assert.is.not(second?.pid, first.pid)
    assert.is(removed.code, 0, removed.stderr)
    assert.not.ok(existsSync(unit))
    assert.is(await askLock(stateDir), null)
    assert.equal(
      systemd.asked().filter((line) => !line.startsWith('show')),
      [
        'daemon-reload',
        `enable --now ${name}`,
        `restart ${name}`,
        `disable --now ${name}`,
        `reset-failed ${name}`,
        'daemon-reload',
      ],
    )
  })
})

service('U4 a unit is its owner’s alone, and not made beside a gateway that runs', async () => {
  await withDirectory(async (stateDir) => {
    const systemd = standInSystemd(stateDir)
    portFree(stateDir)
    const started = await cli(stateDir, ['gateway', 'start', '--json'], systemd.env)
    const { pid, how } = JSON.parse(started.stdout) as { pid: number; how: string }

    const beside = await cli(stateDir, ['gateway', 'install'], systemd.env)
    const twice = await cli(stateDir, ['gateway', 'start'], systemd.env)
    await cli(stateDir, ['gateway', 'stop'], systemd.env)
    const installed = await cli(stateDir, ['gateway', 'install', '--json'], systemd.env)
    await serving(stateDir)
    await cli(stateDir, ['gateway', 'uninstall'], systemd.env)

    assert.is(how, 'behind')
    assert.equal([beside.code, twice.code], [1, 1])
    for (const { stderr } of [beside, twice]) assert.match(stderr, `as process ${pid}`)
    const { path } = JSON.parse(installed.stdout) as { path: string }
    assert.not.ok(existsSync(path))
    const directory = join(stateDir, '.config', 'systemd')
    assert.is(statSync(directory).mode & 0o077, 0)
  })
})

service(
  'U5 restart: in its own process, telling what it took up; none running is started',
  async () => {
    await withDirectory(async (stateDir) => {
      portFree(stateDir)
      const first = await cli(stateDir, ['gateway', 'restart', '--json'])
      await cli(stateDir, ['agent', '--message', 'hello'])
      const { pid } = JSON.parse(first.stdout) as { pid: number }

      const again = await cli(stateDir, ['gateway', 'restart'])
      const after = await askLock(stateDir)
      const stopped = await cli(stateDir, ['gateway', 'stop'])

      assert.is(first.code, 0, first.stdout)
      assert.is(again.code, 0, again.stderr)
      assert.match(
        again.stdout,
        `gateway started in its own process: process ${pid}, running and ready`,
      )
      assert.match(again.stdout, 'recovered: 1 sessions')
      assert.equal([after?.pid, after?.boots], [pid, 2])
      assert.is(stopped.code, 0)
    })
  },
)

service('U6 a restart that finds the configuration broken says so, and runs on', async () => {
  await withDirectory(async (stateDir) => {
    portFree(stateDir)
    await cli(stateDir, ['gateway', 'start'])
    writeFileSync(join(stateDir, 'openclaw.json'), '{ gateway: {', { mode: 0o600 })

    const again = await cli(stateDir, ['gateway', 'restart'])
    await cli(stateDir, ['gateway', 'stop'])
    const { code, stderr } = await cli(stateDir, ['gateway', 'restart'])
    await cli(stateDir, ['gateway', 'stop'])

    assert.is(again.code, 1)
    assert.match(again.stdout, 'running, but degraded')
    assert.match(again.stderr, 'configuration: the written one is not used')
    assert.is(code, 1)
    assert.match(stderr, 'openclaw.json:1:')
  })
})

function startNotified(
  stateDir: string,
  env: NodeJS.ProcessEnv,
  fault = '',
): ReturnType<typeof start> {
  return start([compiled('tests/support/stand-in-gateway.js'), 'gateway', '--port', '0'], {
    OPENCLAW_STATE_DIR: stateDir,
    HOME: stateDir,
    WATCHDOG_USEC: '60000',
    STAND_IN_FAULT: fault,
    ...env,
  })
}

service('U7 systemd is told ready, then signs of life, then the stop', async () => {
  await withDirectory(async (stateDir) => {
    const systemd = standInSystemd(stateDir)
    const gateway = startNotified(stateDir, { ...systemd.env, NOTIFY_SOCKET: '/nowhere' })
    const beats = () => systemd.told().filter((line) => line === 'WATCHDOG=1').length
    await until(() => beats() >= 3, 'third sign of life')
    gateway.child.kill('SIGTERM')
    const { code } = await gateway.ended
    await until(() => systemd.told().includes('STOPPING=1'), 'word of the stop')

    assert.is(code, 0)
    const [first = ''] = systemd.told()
    assert.match(first, `--ready --pid=${gateway.pid} --status=ready at ws://127.0.0.1:`)
  })
})

service(
  'U8 no sign of life while the journal does not answer, or for another process',
  async () => {
    await withDirectory(async (stateDir) => {
      const systemd = standInSystemd(stateDir)
      const env = { ...systemd.env, NOTIFY_SOCKET: '/nowhere' }
      const hanging = startNotified(stateDir, env, 'pulseless')
      await until(async () => {
        const { stdout } = await cli(stateDir, ['logs', '--level', 'error'])
        return stdout.includes('the watchdog is not fed') && stdout.includes('a commit hangs')
      }, 'line of a watchdog that is not fed')
      hanging.child.kill('SIGTERM')
      await hanging.ended
      const fed = systemd.told().filter((line) => line === 'WATCHDOG=1')
      const other = startNotified(stateDir, { ...env, WATCHDOG_PID: '1' })
      await other.says(/ready at/)
      other.child.kill('SIGTERM')
      await other.ended

      assert.equal(fed, [])
      assert.not.ok(systemd.told().includes('WATCHDOG=1'))
    })
  },
)

const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($s, sockaddr_un($ARGV[0])) or die $!;
print "bound\\n";
while (1) { recv($s, my $m, 4096, 0); print "$m\\n" if length $m }
`

service('U9 the real systemd-notify says it to a real socket', async () => {
  if (!has('systemd-notify') || !has('perl')) return
  await withDirectory(async (stateDir) => {
    const path = join(stateDir, 'notify')
    const receiver = spawn('perl', ['-e', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let heard = ''
    receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text
    })
    await until(() => heard.includes('bound'), 'receiver')

    const gateway = startNotified(stateDir, { NOTIFY_SOCKET: path })
    await until(
      () => heard.includes('READY=1') && heard.includes('WATCHDOG=1'),
      'word of a gateway that lives',
    )
    gateway.child.kill('SIGTERM')
    await gateway.ended
    receiver.kill('SIGKILL')

    assert.match(heard, `MAINPID=${gateway.pid}`)
  })
})

service('U10 where systemd cannot be told, the gateway runs and says so once', async () => {
  await withDirectory(async (stateDir) => {
    const gateway = startNotified(stateDir, { PATH: stateDir, NOTIFY_SOCKET: '/nowhere' })
    await gateway.says(/ready at/)
    await until(async () => {
      const { stdout } = await cli(stateDir, ['logs', '--level', 'error'])
      return stdout.includes('systemd cannot be told')
    }, 'line that systemd cannot be told')
    gateway.child.kill('SIGTERM')
    const { code } = await gateway.ended

    const { stdout } = await cli(stateDir, ['logs', '--level', 'error'])
    assert.is(code, 0)
    assert.is(stdout.match(/systemd cannot be told/g)?.length, 1)
  })
})

service.run()
