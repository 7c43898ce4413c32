/**
 * A real InspIRCd for tests: `msgid`, `echo-message` and server-time, which ngIRCd has not. On
 * loopback, a free port, gone after the test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Ngircd } from './ngircd.ts'
import { until } from './wait.ts'

const MODULES = ['cap', 'ircv3', 'ircv3_batch', 'ircv3_ctctags', 'ircv3_echomessage'].concat([
  'ircv3_labeledresponse',
  'ircv3_msgid',
  'ircv3_servertime',
  'services_account',
])

/** Starts it, at a port of one's own where one is told. */
export async function startInspircd({ port: told }: { port?: number } = {}): Promise<Ngircd> {
  const directory = mkdtempSync(join(tmpdir(), 'inspircd-'))
  const port = told ?? (await freePort())
  const file = join(directory, 'inspircd.conf')
  writeFileSync(file, configuration(port, directory))
  const root = process.getuid?.() === 0 ? ['--runasroot'] : []
  const child = spawn('inspircd', ['--nofork', '--nolog', ...root, '--config', file], {
    stdio: 'ignore',
  })
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  await listening(child, port)
  return {
    port,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    stop: async () => {
      process.off('exit', kill)
      rmSync(directory, { recursive: true, force: true })
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      kill()
      await gone
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let fault: Error | null = null
  child.once('error', (cause) => {
    fault = new Error('inspircd cannot be started; install it: apt-get install inspircd', { cause })
  })
  child.once('exit', (code) => {
    fault ??= new Error(`inspircd ended with ${code}`)
  })
  await until(async () => {
    if (fault !== null) throw fault
    const socket = connect(port, '127.0.0.1')
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    return up
  }, 'inspircd listens')
}

function configuration(port: number, directory: string): string {
  return [
    '<server name="irc.test.local" description="t" network="T">',
    '<admin name="t" nick="t" email="t@localhost">',
    `<bind address="127.0.0.1" port="${port}" type="clients">`,
    '<connect name="m" allow="*" timeout="60" pingfreq="120" threshold="1000000" ' +
      'commandrate="1000000000" fakelag="no" localmax="1000" globalmax="1000" useident="no" ' +
      'resolvehostnames="no">',
    `<path datadir="${directory}" logdir="${directory}" runtimedir="${directory}">`,
    `<pid file="${join(directory, 'i.pid')}">`,
    ...MODULES.map((name) => `<module name="${name}">`),
  ].join('\n')
}
