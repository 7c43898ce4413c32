/**
 * Faults of process, clock and configuration, injected for real; the rows of the fault matrix that
 * no other suite holds.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { cli, serving, startCli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'
import { withDirectory } from '../support/directory.ts'
import { recordsOf } from '../support/journal.ts'
import { until } from '../support/wait.ts'

const fault = cases('faults')
const STARTERS = 5

function configure(stateDir: string, text = '{ gateway: { port: 0 } }'): void {
  writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })
}

fault('F18 of several that start at once exactly one serves, and the others name it', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir)
    const starters = Array.from({ length: STARTERS }, () => startCli(stateDir, ['gateway']))
    const owner = await serving(stateDir)
    const losers = starters.filter(({ pid }) => pid !== owner.pid)
    const ends = await Promise.all(losers.map(({ ended }) => ended))
    await cli(stateDir, ['gateway', 'stop'])

    assert.is(losers.length, STARTERS - 1)
    for (const { code, stderr } of ends) {
      assert.is(code, 1)
      assert.match(stderr, 'a gateway is already running here')
    }
    assert.ok(ends.some(({ stderr }) => stderr.includes(`as process ${owner.pid}`)))
  })
})

fault(
  'F24 a gateway that was stopped and goes on serves its clients, and did not sleep',
  async () => {
    await withDirectory(async (stateDir) => {
      configure(stateDir)
      const gateway = startCli(stateDir, ['gateway', '--json'])
      const { url } = JSON.parse(await gateway.says(/\n/)) as { url: string }
      const client = new TestClient(url)
      await client.connect({ subscribe: [] })

      gateway.child.kill('SIGSTOP')
      const asked = client.request('health')
      // Which takes the second that a lock's holder has to answer.
      const hanging = await cli(stateDir, ['gateway', 'status'])
      gateway.child.kill('SIGCONT')
      const answer = await asked
      await client.close()
      await cli(stateDir, ['gateway', 'stop'])

      assert.match(hanging.stdout, 'a gateway is running but does not answer')
      assert.is(answer.payload['status'], 'healthy')
      const records = await recordsOf(join(stateDir, 'journal'))
      assert.equal(
        records.filter(({ event }) => event.type === 'host.slept'),
        [],
      )
    })
  },
)

fault(
  'F44 a configuration that is no file, or too large, stops the start with its path',
  async () => {
    await withDirectory(async (stateDir) => {
      mkdirSync(join(stateDir, 'openclaw.json'))
      const directory = await cli(stateDir, ['gateway', '--port', '0'])
      const elsewhere = join(stateDir, 'large.json')
      writeFileSync(elsewhere, `{ /* ${'x'.repeat(limits.configBytesMax)} */ }`)
      const env = { OPENCLAW_CONFIG_PATH: elsewhere }
      const large = await cli(stateDir, ['gateway', '--port', '0'], env)

      assert.is.not(directory.code, 0)
      assert.match(directory.stderr, 'openclaw.json')
      assert.is(large.code, 78)
      assert.match(large.stderr, 'large.json')
      assert.is(await askLock(stateDir), null)
    })
  },
)

fault('F50 a SIGTERM while it starts ends it, and the next start finds all in order', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir)
    const lock = () => askLock(stateDir).catch(() => null)
    for (const isTime of [
      () => true,
      async () => (await lock()) !== null,
      () => existsSync(join(stateDir, 'keys')),
      () => existsSync(join(stateDir, 'journal', 'journal.mdb')),
      async () => (await lock())?.ready === true,
    ]) {
      const gateway = startCli(stateDir, ['gateway'])
      await until(isTime, 'time to stop it')
      gateway.child.kill('SIGTERM')
      const { code, signal, stderr } = await gateway.ended
      assert.ok(code === 0 || signal === 'SIGTERM', `${code} ${signal} ${stderr}`)
    }
    const next = await cli(stateDir, ['gateway', 'start', '--json'])
    await cli(stateDir, ['gateway', 'stop'])

    assert.is(next.code, 0, next.stdout)
    const crashed = await recordsOf(join(stateDir, 'journal'))
    assert.equal(
      crashed.filter(({ event, ignored }) => event.type === 'effect.lost' && ignored === null),
      [],
    )
  })
})

fault.run()
