/**
 * Replay, forks and exploration of what a real gateway has recorded: beside it, after `kill -9`,
 * and after the next boot.
 */
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { makeStateDir, startServing } from '../support/child.ts'
import { cli } from '../support/cli.ts'
import { TestClient } from '../support/client.ts'

const test = cases('replay scenario')

async function ask(url: string, message: string): Promise<void> {
  const client = new TestClient(url)
  await client.connect()
  const { ok, error } = await client.request('agent', { message, sessionKey: 'agent:main:main' })
  if (ok !== true) throw new Error(error?.message)
  await client.event('agent.done')
  await client.close()
}

/** Each verb's exit code, in the order in which they are asked. */
async function examine(stateDir: string): Promise<(number | null)[]> {
  const verbs = [
    ['replay', '--ndjson'],
    ['replay', '--with', 'recorded'],
    ['fork', '--at', '#1'],
    ['replay', '--explore', 'crash', '--budget', '40'],
  ]
  const codes: (number | null)[] = []
  for (const args of verbs) {
    const { code, stderr, stdout } = await cli(stateDir, args)
    if (code !== 0) throw new Error(`${args.join(' ')}: ${String(code)} ${stderr}${stdout}`)
    codes.push(code)
  }
  return codes
}

test('V-5 beside a gateway, behind a dead one, and after the next boot, all is as recorded', async () => {
  const state = makeStateDir()
  try {
    const first = await startServing(state.path)
    await ask(first.url, 'hello')
    await ask(first.url, 'and again')
    assert.equal(await examine(state.path), [0, 0, 0, 0])

    await first.kill()
    assert.equal(await examine(state.path), [0, 0, 0, 0])

    const second = await startServing(state.path)
    await ask(second.url, 'once more')
    assert.equal(await examine(state.path), [0, 0, 0, 0])
    assert.is(await second.stop(), 0)
  } finally {
    state.remove()
  }
})

test.run()
