/** Whose port it is: no credential is shown to another user of this machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { takeLock } from '../../actors/lock.ts'
import { assertOwnPort } from '../../scripts/port-holder.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const holder = cases('port holder')

const NOBODY = 65_534
const isRoot = process.getuid?.() === 0

/** Runs with a port of loopback on which another process listens: another user's, where we may. */
async function withListener(address: string, run: (port: number) => Promise<void>): Promise<void> {
  // Changed from within: the other user may not be able to run a Node that lies in our own files.
  const as = isRoot ? `process.setuid(${NOBODY})` : ''
  const script = `${as};const s = require('net').createServer((c) => c.on('data', (d) => process.stderr.write(d)))
    s.listen(0, '${address}', () => process.stdout.write(String(s.address().port)))`
  const child = spawn(process.execPath, ['-e', script])
  try {
    const [port] = (await once(child.stdout, 'data')) as [Buffer]
    await run(Number(port.toString()))
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}

holder(
  'S47 P25 a port of loopback is ours, root’s or of who owns the state, or it is refused',
  async () => {
    if (process.platform !== 'linux') return
    for (const address of ['127.0.0.1', '0.0.0.0', '::1', '::']) {
      await withListener(address, async (port) => {
        const stranger = isRoot ? 0 : (process.getuid?.() ?? 0) + 1
        let told = 'nothing'
        await assertOwnPort(port, '/nowhere', stranger).catch((error: Error) => {
          told = error.message
        })
        assert.match(told, 'another user', address)
        await assertOwnPort(port, '/nowhere', isRoot ? NOBODY : process.getuid?.())
      })
    }
    await assertOwnPort(1, '/nowhere')
  },
)

holder('S47 P25 who squats the lock is shown no token by any verb', async () => {
  if (process.platform !== 'linux' || !isRoot) return
  await withDirectory(async (stateDir) => {
    const config = '{ gateway: { auth: { token: "canary-of-the-owner" } } }'
    writeFileSync(join(stateDir, 'openclaw.json'), config, { mode: 0o600 })
    await withListener('127.0.0.1', async (port) => {
      const said = { pid: process.pid, port, startedAt: 1, version: '0.1.0', ready: true }
      const lock = await takeLock(stateDir, said)
      try {
        for (const verb of [['sessions'], ['agent', '--message', 'x'], ['gateway', 'status']]) {
          const { code, stdout, stderr } = await cli(stateDir, verb)
          assert.is(code, 1, verb.join(' '))
          assert.match(stdout + stderr, 'another user', verb.join(' '))
        }
      } finally {
        lock.release()
      }
    })
  })
})

holder.run()
