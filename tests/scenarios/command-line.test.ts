/**
 * A person and a terminal: the whole gateway, used through the compiled bin and nothing else.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { until } from '../support/wait.ts'

const scenario = suite('command line')

/** Starts a gateway behind on a free port; resolves with its pid. */
async function startBehind(stateDir: string): Promise<number> {
  const { code, stdout, stderr } = await cli(stateDir, [
    'gateway',
    '--daemon',
    '--port',
    '0',
    '--json',
  ])
  assert.is(code, 0, stderr + stdout)
  return (JSON.parse(stdout) as { pid: number }).pid
}

async function killHard(stateDir: string, pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await until(async () => (await askLock(stateDir)) === null, 'end of the killed')
}

scenario('CL1 a turn, a kill -9, a restart: the session stands where it stood', async () => {
  await withDirectory(async (stateDir) => {
    const first = await startBehind(stateDir)
    const asked = await cli(stateDir, ['agent', '--message', 'hello there', '--key', 'k1'])
    const before = await cli(stateDir, ['sessions', '--json'])

    await killHard(stateDir, first)
    const between = await cli(stateDir, ['status'])
    const second = await startBehind(stateDir)

    assert.match(asked.stdout, /hello there\n$/)
    assert.is(between.code, 3)
    assert.is((await cli(stateDir, ['sessions', '--json'])).stdout, before.stdout)
    const again = await cli(stateDir, ['agent', '--message', 'hello there', '--key', 'k1'])
    assert.is(again.stdout, asked.stdout, 'the same key is answered from the journal')
    assert.is((await cli(stateDir, ['sessions', '--json'])).stdout, before.stdout)
    assert.is((await cli(stateDir, ['health', '--probe'])).code, 0)
    const stopped = await cli(stateDir, ['gateway', 'stop'])
    assert.match(stopped.stdout, `process ${second}`)
  })
})

scenario("CL2 doctor finds nothing, and after one flipped byte the record's position", async () => {
  await withDirectory(async (stateDir) => {
    await startBehind(stateDir)
    await cli(stateDir, ['agent', '--message', 'hello'])
    await cli(stateDir, ['gateway', 'stop'])
    const whole = await cli(stateDir, ['doctor', '--port', '0'])

    const path = join(stateDir, 'journal', 'journal.mdb')
    const bytes = readFileSync(path)
    const word = 'run.requested'
    // Older pages may still hold copies of the record.
    for (let at = bytes.indexOf(word); at !== -1; at = bytes.indexOf(word, at + 1))
      bytes[at + 4]! ^= 1
    writeFileSync(path, bytes)
    const damaged = await cli(stateDir, ['doctor', '--port', '0'])
    const start = await cli(stateDir, ['gateway', '--port', '0'])

    assert.is(whole.code, 0, whole.stdout)
    assert.is(damaged.code, 1)
    assert.match(damaged.stdout, /FAIL {2}journal: record #\d+: /)
    assert.is(start.code, 12, start.stderr)
    assert.match(start.stderr, /doctor/)
  })
})

scenario(
  'CL3 a wrong configuration stops the start with 78 and names file, line and column',
  async () => {
    await withDirectory(async (stateDir) => {
      const path = join(stateDir, 'openclaw.json')
      writeFileSync(path, '{ gateway: { port: ] }', { mode: 0o600 })

      const here = await cli(stateDir, ['gateway'])
      const behind = await cli(stateDir, ['gateway', '--daemon'])
      const logged = await cli(stateDir, ['logs', '--level', 'error'])

      assert.equal([here.code, behind.code], [78, 78])
      for (const { stderr } of [here, behind]) assert.match(stderr, `${path}:1:20`)
      assert.match(logged.stdout, `${path}:1:20`)
    })
  },
)

scenario(
  'CL4 with a token, verbs that do not show it are refused, and status says so',
  async () => {
    await withDirectory(async (stateDir) => {
      const path = join(stateDir, 'openclaw.json')
      writeFileSync(path, "{ gateway: { auth: { token: 'right-token' } } }", { mode: 0o600 })
      await startBehind(stateDir)

      const wrong = await cli(stateDir, ['gateway', 'status', '--token', 'wrong', '--json'])
      const right = await cli(stateDir, ['gateway', 'status', '--json'])
      const logged = await cli(stateDir, ['logs'])
      await cli(stateDir, ['gateway', 'stop'])

      const { auth, fault } = JSON.parse(wrong.stdout) as { auth: string; fault: string }
      assert.equal([wrong.code, auth, fault], [1, 'refused', 'token'])
      assert.is(right.code, 0, right.stdout)
      assert.match(logged.stdout, /websocket refused/)
      assert.not.match(logged.stdout, /right-token/)
    })
  },
)

scenario.run()
