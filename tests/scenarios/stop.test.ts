/** An ordered stop under load: quick, with exit code 0, and nothing lost that was acknowledged. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import { cases } from '../store/cases.ts'
import { cli, startCli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { withReader } from '../support/journal.ts'
import { LoadClient } from '../support/load-client.ts'
import { until } from '../support/wait.ts'

const stop = cases('stop under load')
const CLIENTS = 4

function makeClient(n: number): LoadClient {
  let count = 0
  return new LoadClient(`load-${n}`, () => {
    count += 1
    const idempotencyKey = `key-${n}-${count}`
    const sessionKey = `agent:main:load-${n}`
    return { method: 'agent', params: { message: `message ${count}`, sessionKey, idempotencyKey } }
  })
}

stop('F49 SIGTERM under load: exit code 0 in a second, what was promised is kept', async () => {
  await withDirectory(async (stateDir) => {
    writeFileSync(join(stateDir, 'openclaw.json'), '{ gateway: { port: 0 } }', { mode: 0o600 })
    const clients = Array.from({ length: CLIENTS }, (_, n) => makeClient(n))
    const first = startCli(stateDir, ['gateway', '--json'])
    const { url } = JSON.parse(await first.says(/\n/)) as { url: string }
    const work = clients.map((client) => client.work(url))
    await until(() => clients.every(({ promised }) => promised.size > 20), 'load of every client')

    const startedAt = performance.now()
    first.child.kill('SIGTERM')
    const { code, signal } = await first.ended
    const ms = performance.now() - startedAt
    await Promise.all(work)
    const isClean = await withReader(join(stateDir, 'journal'), (reader) => {
      const checkpoint = reader.checkpoint('open-work')
      return { clean: loadOpenWork(reader, '').cleanEnd, at: checkpoint?.position ?? 0 }
    })
    const second = startCli(stateDir, ['gateway', '--json'])
    const ready = JSON.parse(await second.says(/\n/)) as { url: string }
    await Promise.all(clients.map((client) => client.work(ready.url, true)))
    await cli(stateDir, ['gateway', 'stop'])

    assert.equal([code, signal], [0, null])
    assert.ok(ms < limits.shutdownMs + limits.crashGraceMs, `${Math.round(ms)} ms`)
    assert.is(isClean.clean, true)
    assert.ok(isClean.at > 0, 'a checkpoint was written')
    assert.equal(
      clients.flatMap(({ faults }) => faults),
      [],
    )
    assert.ok(clients.every(({ repeated }) => repeated > 0))
  })
})

stop('D16 a second SIGTERM under load ends at once, and loses nothing', async () => {
  await withDirectory(async (stateDir) => {
    writeFileSync(join(stateDir, 'openclaw.json'), '{ gateway: { port: 0 } }', { mode: 0o600 })
    const client = makeClient(9)
    const first = startCli(stateDir, ['gateway', '--json'])
    const { url } = JSON.parse(await first.says(/\n/)) as { url: string }
    const work = client.work(url)
    await until(() => client.promised.size > 20, 'load')

    // While it is stopped, both signals of a kind are one to the kernel: so two kinds.
    first.child.kill('SIGSTOP')
    first.child.kill('SIGTERM')
    first.child.kill('SIGCONT')
    const again = setInterval(() => first.child.kill('SIGINT'), limits.signalRepeatMs)
    await first.ended
    clearInterval(again)
    await work
    const second = startCli(stateDir, ['gateway', '--json'])
    const ready = JSON.parse(await second.says(/\n/)) as { url: string }
    await client.work(ready.url, true)
    await cli(stateDir, ['gateway', 'stop'])

    assert.equal(client.faults, [])
    assert.ok(client.repeated > 0)
  })
})

stop.run()
