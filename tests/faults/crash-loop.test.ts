/**
 * A crash loop on real processes: channels are held, the gateway is up and says why, and a person
 * lets them start.
 */
import { createServer } from 'node:net'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { until } from '../support/wait.ts'

const loop = cases('crash loop')

/** A port that counts who dials it, as a chat server would be dialled. */
async function countDials(run: (port: number, dials: () => number) => Promise<void>) {
  let count = 0
  const server = createServer((socket) => {
    count += 1
    socket.on('error', () => {}).resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  try {
    await run(typeof address === 'object' && address !== null ? address.port : 0, () => count)
  } finally {
    server.close()
  }
}

async function startBehind(stateDir: string): Promise<number> {
  const { stdout } = await cli(stateDir, ['gateway', '--daemon', '--json'])
  return (JSON.parse(stdout) as { pid: number }).pid
}

loop(
  'CB5 three crashes: channels are held, status and log say so, release starts them',
  async () => {
    await withDirectory((stateDir) =>
      countDials(async (port, dials) => {
        const irc = { host: '127.0.0.1', port, tls: false, nick: 'heron', channels: ['#home'] }
        const text = JSON.stringify({ gateway: { port: 0 }, channels: { irc } })
        writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })
        for (let crash = 0; crash < 3; crash += 1) {
          process.kill(await startBehind(stateDir), 'SIGKILL')
          await until(async () => (await askLock(stateDir)) === null, 'end of the killed')
        }
        await startBehind(stateDir)
        const before = dials()

        const health = await cli(stateDir, ['health'])
        const status = await cli(stateDir, ['gateway', 'status'])
        const log = await cli(stateDir, ['logs', '--level', 'error'])
        const turn = await cli(stateDir, ['agent', '--message', 'are you there'])
        const during = dials()
        const released = await cli(stateDir, ['gateway', 'release'])
        await until(() => dials() > during, 'dial')
        const again = await cli(stateDir, ['gateway', 'release'])
        const after = await cli(stateDir, ['health', '--json'])
        await cli(stateDir, ['gateway', 'stop'])

        assert.is(before, during)
        assert.is(health.code, 1)
        for (const { stdout } of [health, status, log]) {
          assert.match(stdout, 'channels are held after 3 crashes in 5 minutes; they start at ')
          assert.match(stdout, 'openclaw gateway release')
        }
        assert.match(health.stdout, /channel irc +held/)
        assert.match(turn.stdout, 'are you there')
        assert.is(released.code, 0, released.stderr)
        assert.equal([again.code, again.stderr.includes('no channels are held')], [10, true])
        const { status: well, held } = JSON.parse(after.stdout) as Record<string, unknown>
        assert.equal([well, held], ['healthy', undefined])
      }),
    )
  },
)

loop.run()
