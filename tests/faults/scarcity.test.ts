/** Too little of something: disk, memory, addresses, descriptors, threads. What was promised is kept. */
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { openCgroup, whyNoCgroup } from '../support/cgroup.ts'
import { cli, startCli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'
import { whyNoSmallDisk, withDirectory, withSmallDisk } from '../support/directory.ts'
import { impatient } from '../support/impatient.ts'
import {
  ask,
  askAll,
  configure,
  crowd,
  keepsItsWord,
  servesOrEnds,
  startReal,
  stopReal,
  turn,
} from '../support/real-gateway.ts'
import { until } from '../support/wait.ts'

const test = cases('scarcity')
const MIB = 2 ** 20
const noLinux = process.platform === 'linux' ? null : 'needs Linux'

test.unless(
  whyNoSmallDisk(),
  'F08 F56 a disk that fills up: refused before it fails, read on, taken in again, and killed when full',
  () =>
    withDirectory(async (directory) => {
      const stateDir = join(directory, 'disk')
      mkdirSync(stateDir)
      await withSmallDisk(stateDir, 64, async () => {
        configure(stateDir)
        const ballast = join(stateDir, 'ballast')
        const bounds = { spaceRefuseBytes: 24 * MIB, spaceStopBytes: 8 * MIB }
        const quick = impatient({ ...bounds, spaceCheckIntervalMs: 50 })
        const fill = (mib: number): void => writeFileSync(ballast, Buffer.alloc(mib * MIB))
        const gateway = await startReal(stateDir, quick)
        const { client } = gateway
        const promised = await askAll(client, ['a', 'b'])

        fill(44)
        const refused = await until(async () => {
          const answer = await ask(client, `full ${performance.now()}`)
          return answer.ok !== true && answer
        }, 'refusal')
        const health = await client.request('health')
        const sessions = await client.request('sessions.list')
        rmSync(ballast)
        await until(async () => (await ask(client, 'c')).ok === true, 'room')
        fill(58)
        await until(async () => (await ask(client, `end ${performance.now()}`)).ok !== true, 'end')
        gateway.child.kill('SIGKILL')
        await gateway.ended
        const tight = await cli(stateDir, ['gateway', '--port', '0'], quick)
        rmSync(ballast)
        const next = await startReal(stateDir, quick)
        const again = await askAll(next.client, [...promised.keys()])
        await stopReal(next)

        assert.is(refused.error?.code, 'STORE_LOW_SPACE')
        assert.is(refused.error?.retryable, true)
        assert.is(health.payload['status'], 'degraded')
        assert.is(sessions.ok, true)
        assert.is(tight.code, 1, tight.stderr)
        assert.match(tight.stderr, /free|room|space/)
        assert.equal([...again], [...promised])
      })
    }),
)

test('F28 a heap that is too small: it refuses or ends, and what was promised is kept', () =>
  withDirectory(async (stateDir) => {
    configure(stateDir)
    const gateway = await startReal(stateDir, { NODE_OPTIONS: '--max-old-space-size=40' })

    const load = await crowd(gateway, 50)
    await gateway.client.close()
    gateway.child.kill('SIGTERM')
    const { code, signal } = await gateway.ended

    assert.ok(load.promised.size > 0)
    assert.ok(code === 0 || /^SIG(?:ABRT|KILL|TRAP|ILL)$/.test(String(signal)), `${code} ${signal}`)
    assert.ok(await keepsItsWord(stateDir, load))
  }))

test.unless(
  whyNoCgroup('memory'),
  'F29 killed by the kernel for its memory: what was promised is kept, the next start says a crash',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const group = openCgroup('memory')
      assert.ok(group !== null)
      const gateway = await startReal(stateDir, {}, group.shell)
      await turn(gateway.client, 'before')
      const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8')
      const kib = Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1])
      group.limit((kib + 12 * 1_024) * 1_024)

      const load = await crowd(gateway, 600)
      gateway.child.kill('SIGKILL')
      const { signal } = await gateway.ended
      group.remove()
      const kept = await keepsItsWord(stateDir, load)
      const { stdout } = await cli(stateDir, ['timeline', 'start..'])

      assert.is(signal, 'SIGKILL')
      assert.ok(load.promised.size < 600, 'it was killed before we did it')
      assert.ok(kept)
      assert.match(stdout, /after a crash/)
    }),
)

test.unless(
  noLinux,
  'F30 few addresses: it serves or says why not, and no journal is called damaged',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const first = await startReal(stateDir)
      const promised = await askAll(first.client, ['a', 'b'])
      await stopReal(first)

      for (const kib of [500_000, 1_000_000]) {
        const tight = startCli(
          stateDir,
          ['gateway', '--json', '--port', '0'],
          {},
          `ulimit -v ${kib}; ulimit -c 0;`,
        )
        const serves = await servesOrEnds(tight)
        const { code, signal, stdout, stderr } = await tight.ended
        const words = stdout + stderr
        assert.ok(serves ? code === 0 : code !== 0 && words.length > 0, `${kib} ${code} ${signal}`)
        assert.not.match(words, /STORE_CORRUPT|restore/, `${kib}: ${words}`)
      }

      const next = await startReal(stateDir)
      assert.equal([...(await askAll(next.client, ['a', 'b']))], [...promised])
      await stopReal(next)
    }),
)

test.unless(
  noLinux,
  'F31 out of descriptors: who is connected is served on, and others again later',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const gateway = await startReal(stateDir, {}, 'ulimit -n 176;')
      const port = Number(new URL(gateway.url).port)
      await turn(gateway.client, 'before')

      const sockets = Array.from({ length: 192 }, () =>
        createConnection({ host: '127.0.0.1', port }),
      )
      const opened = await Promise.all(sockets.map(settled))
      const during = await ask(gateway.client, 'during')
      const health = await gateway.client.request('health')
      for (const socket of sockets) socket.destroy()
      const late = await until(async () => {
        const client = new TestClient(gateway.url)
        const { ok } = await client.connect({ deviceId: 'late' }).catch(() => ({ ok: false }))
        await client.close()
        return ok === true
      }, 'connection after the storm')
      await stopReal(gateway)
      const log = readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')

      assert.ok(opened.length === 192)
      assert.equal([during.ok, health.ok, late], [true, true, true])
      assert.match(log, '"msg":"process stopped"')
    }),
)

/** Resolves when a socket is open or refused. */
async function settled(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
}

test('F32 one thread for files and commits: it starts, serves and stops', () =>
  withDirectory(async (stateDir) => {
    configure(stateDir)
    const gateway = await startReal(stateDir, { UV_THREADPOOL_SIZE: '1' })
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => ask(gateway.client, `${n}`, `s${n}`)),
    )
    await stopReal(gateway)

    assert.ok(answers.every(({ ok }) => ok === true))
    assert.is((await gateway.ended).code, 0)
  }))

test.unless(
  whyNoCgroup('pids'),
  'F32 too few threads: it serves or ends with words, and never hangs',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const group = openCgroup('pids')
      assert.ok(group !== null)
      const quick = impatient({ storeOpenTimeoutMs: 3_000 }) // The child that verifies may find none.
      // With fewer Node itself waits for ever for the threads of its own platform.
      for (const threads of [11, 14, 20]) {
        group.limit(threads)
        const tight = startCli(stateDir, ['gateway', '--json', '--port', '0'], quick, group.shell)
        const serves = await servesOrEnds(tight)
        const { code, signal, stdout, stderr } = await tight.ended
        const words = stdout + stderr
        assert.ok(
          serves ? code === 0 : code !== 0 && words.length > 0,
          `${threads} ${code} ${signal}`,
        )
        assert.not.match(words, /STORE_CORRUPT|restore/, `${threads}: ${words}`)
      }
      group.remove()
      const next = await startReal(stateDir)
      await stopReal(next)
      assert.is((await next.ended).code, 0)
    }),
)

test.run()
