/**
 * The gateway as a process: start, signals, daemon, stop, status, with a stand-in behind it.
 */
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { findPortHolder } from '../../scripts/port-holder.ts'
import { cli, startStandInGateway } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import type { Running } from '../support/process.ts'
import { until } from '../support/wait.ts'

const life = suite('gateway process')
const FREE = ['--port', '0'] as const

async function withGateway(
  run: (gateway: Running, stateDir: string) => Promise<void>,
  fault = '',
): Promise<void> {
  await withDirectory(async (stateDir) => {
    const gateway = startStandInGateway(stateDir, FREE, fault)
    await gateway.says(/ready at/)
    try {
      await run(gateway, stateDir)
    } finally {
      gateway.child.kill('SIGKILL')
      await gateway.ended
    }
  })
}

function logOf(stateDir: string): string {
  return readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')
}

life('G1 a start says in one line where it is, and what to type next', async () => {
  await withGateway(async (gateway, stateDir) => {
    const said = await gateway.says(/recovered/)

    const log = join(stateDir, 'logs', 'gateway.jsonl')
    assert.match(
      said,
      new RegExp(
        `ready at ws://127\\.0\\.0\\.1:\\d+ · pid ${gateway.pid} · state ${stateDir} · log ${log}\n`,
      ),
    )
    assert.match(said, /recovered: 3 sessions, 1 effects with unknown outcome, 2 timers/)
    gateway.child.kill('SIGTERM')
    const { stderr } = await gateway.ended
    assert.match(stderr, /next, in another terminal: .* agent --message "hello"/)
    assert.match(stderr, /warn {2}websocket refused/)
  })
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  life(`D16 ${signal} stops gracefully: exit code 0, lock free, said in the log`, async () => {
    await withGateway(async (gateway, stateDir) => {
      gateway.child.kill(signal)
      const { code } = await gateway.ended

      assert.is(code, 0)
      assert.is(await askLock(stateDir), null)
      assert.match(logOf(stateDir), `"signal":"${signal}","msg":"process stopped"`)
    })
  })
}

life('D16 a second signal ends at once, one that comes twice is one', async () => {
  await withGateway(async (gateway, stateDir) => {
    // Two of a kind would be one to the kernel already.
    gateway.child.kill('SIGINT')
    gateway.child.kill('SIGTERM')
    await until(() => logOf(stateDir).includes('process stops'), 'line of the stop')
    await new Promise((resolve) => setTimeout(resolve, 400)) // A person's second Ctrl-C.
    assert.equal([gateway.child.exitCode, gateway.child.signalCode], [null, null])

    gateway.child.kill('SIGINT')

    const { signal } = await gateway.ended
    assert.is(signal, 'SIGKILL')
  }, 'stuck')
})

life('D-R3 a failed store ends the process by SIGKILL, with its reason in the log', async () => {
  await withDirectory(async (stateDir) => {
    const { signal } = await startStandInGateway(stateDir, FREE, 'fails').ended

    assert.is(signal, 'SIGKILL')
    assert.match(logOf(stateDir), /"reason":"gateway failed".*STORE_FAILED/)
    assert.is(await askLock(stateDir), null)
  })
})

life('D-R10 F36 a rejection that nobody handles ends the process the same way', async () => {
  await withDirectory(async (stateDir) => {
    const { signal } = await startStandInGateway(stateDir, FREE, 'reject').ended

    assert.is(signal, 'SIGKILL')
    assert.match(logOf(stateDir), /"reason":"unhandled rejection".*nobody listens/)
  })
})

life('G2 a start that fails is told once, with the exit code of its reason', async () => {
  await withDirectory(async (stateDir) => {
    const { code, stderr, stdout } = await startStandInGateway(stateDir, FREE, 'config').ended

    assert.is(code, 78)
    assert.is(stdout, '')
    assert.is(stderr.match(/openclaw\.json:3:7: bad/g)?.length, 1)
    assert.match(logOf(stateDir), '"level":"error"')
    assert.is(await askLock(stateDir), null)
  })
})

life('G3 a taken port names the process that has it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await withDirectory(async (stateDir) => {
    const gateway = startStandInGateway(stateDir, ['--port', String(port)])

    const { code, stderr } = await gateway.ended

    assert.is(code, 1)
    assert.match(stderr, new RegExp(`port ${port} is taken by process ${process.pid} \\(`))
    assert.is((await findPortHolder(port))?.pid, process.pid)
    const status = await cli(stateDir, ['status', '--port', String(port)])
    assert.is(status.code, 3)
    assert.match(status.stdout, `no gateway is running for ${stateDir}; process ${process.pid}`)
  })
  server.close()
  await once(server, 'close')
  assert.is(await findPortHolder(port), null)
})

life("G4 the directories and files of a gateway are its owner's alone", async () => {
  await withGateway(async (_gateway, stateDir) => {
    assert.is(statSync(join(stateDir, 'logs')).mode & 0o777, 0o700)
    assert.is(statSync(join(stateDir, 'logs', 'gateway.jsonl')).mode & 0o777, 0o600)
  })
})

life(
  'G5 --daemon returns when the gateway is ready; a second is refused with its pid',
  async () => {
    await withDirectory(async (stateDir) => {
      const parent = await startStandInGateway(stateDir, [...FREE, '--daemon', '--json']).ended
      const { pid, url } = JSON.parse(parent.stdout) as { pid: number; url: string }
      const status = await cli(stateDir, ['gateway', 'status', '--json'])
      const health = await cli(stateDir, ['health'])
      const second = await startStandInGateway(stateDir, [...FREE, '--daemon', '--json']).ended
      const third = await startStandInGateway(stateDir, FREE).ended
      const stop = await cli(stateDir, ['gateway', 'stop'])
      const after = await cli(stateDir, ['gateway', 'stop'])

      assert.is(parent.code, 0)
      assert.match(parent.stderr, /warn {2}websocket refused/)
      const found = JSON.parse(status.stdout) as Record<string, unknown>
      assert.is(status.code, 0)
      assert.equal(
        [found['pid'], found['url'], found['auth'], found['fault']],
        [pid, url, 'ok', null],
      )
      assert.is(health.code, 0, 'a verb finds the port without being told')
      const refused = JSON.parse(second.stdout) as {
        error: { code: string; details: { pid: number } }
      }
      assert.equal(
        [second.code, refused.error.code, refused.error.details.pid],
        [1, 'ALREADY_RUNNING', pid],
      )
      assert.equal([third.code, third.stderr.includes(`as process ${pid}`)], [1, true])
      assert.match(stop.stdout, new RegExp(`^gateway stopped: process ${pid}, after \\d+ ms\n$`))
      assert.equal([stop.code, after.code], [0, 3])
    })
  },
)

life("G6 --daemon fails with the child's own reason, or with how it ended", async () => {
  await withDirectory(async (stateDir) => {
    const wrong = await startStandInGateway(stateDir, [...FREE, '--daemon'], 'config').ended
    const dead = await startStandInGateway(stateDir, [...FREE, '--daemon'], 'dies').ended

    assert.is(wrong.code, 78)
    assert.match(wrong.stderr, 'openclaw: openclaw.json:3:7: bad')
    assert.is(dead.code, 1)
    assert.match(dead.stderr, /the gateway ended before it was ready \(exit code 9\)/)
    assert.is(await askLock(stateDir), null)
  })
})

life('G7 status tells a gateway that hangs from one that starts', async () => {
  await withDirectory(async (stateDir) => {
    const gateway = startStandInGateway(stateDir, FREE, 'hang')
    await until(() => askLock(stateDir).catch(() => null), 'holder of the lock')

    const starting = await cli(stateDir, ['status'])
    gateway.child.kill('SIGSTOP')
    const hanging = await cli(stateDir, ['status', '--json'])

    assert.is(starting.code, 1)
    assert.match(starting.stdout, `process ${gateway.pid} is starting or stopping`)
    assert.is(hanging.code, 1)
    assert.is((JSON.parse(hanging.stdout) as { fault: string }).fault, 'process')
    gateway.child.kill('SIGKILL')
    await gateway.ended
  })
})

life('G8 the process is found by the name that people know', async () => {
  await withGateway(async (gateway) => {
    if (process.platform !== 'linux') return
    const name = readFileSync(`/proc/${gateway.pid}/cmdline`, 'utf8')

    assert.match(name, 'openclaw gateway')
  })
})

life.run()
