/**
 * The lock: one holder per state directory, whatever happens to the holder or its visitors.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, realpathSync, symlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { askLock, type LockInfo, type LockKind, takeLock } from '../../actors/lock.ts'
import { toGatewayError } from '../../protocol/errors.ts'
import { withDirectory } from '../support/directory.ts'
import { compiled, type Running, start } from '../support/process.ts'
import { until } from '../support/wait.ts'

const lock = suite('lock')
const KINDS: readonly LockKind[] = process.platform === 'linux' ? ['abstract', 'file'] : ['file']
const INFO: LockInfo = { pid: process.pid, port: null, startedAt: 1, version: '1', ready: false }

function startHolder(directory: string, kind: LockKind): Running {
  return start([compiled('tests/support/lock-holder.js'), directory, kind])
}

async function refusal(taking: Promise<unknown>): Promise<string> {
  try {
    await taking
  } catch (thrown) {
    const { code, details } = toGatewayError(thrown)
    return `${code} ${String(details['pid'])}`
  }
  return 'taken'
}

for (const kind of KINDS) {
  lock(`D-R7 a second taker is refused with the pid of the first (${kind})`, async () => {
    await withDirectory(async (directory) => {
      const held = await takeLock(directory, INFO, kind)

      const second = await refusal(takeLock(directory, INFO, kind))

      assert.is(second, `ALREADY_RUNNING ${process.pid}`)
      held.release()
      held.release()
      const third = await takeLock(directory, INFO, kind)
      third.release()
    })
  })

  lock(`D-R7 kill -9 of the holder frees the lock (${kind})`, async () => {
    await withDirectory(async (directory) => {
      const holder = startHolder(directory, kind)
      await holder.says(/held/)
      assert.is((await askLock(directory, kind))?.pid, holder.pid)

      holder.child.kill('SIGKILL')
      await holder.ended

      assert.is(await askLock(directory, kind), null)
      const held = await takeLock(directory, INFO, kind)
      held.release()
    })
  })

  lock(`D-R7 of two that race, exactly one wins, ten times over (${kind})`, async () => {
    await withDirectory(async (directory) => {
      // From the second round on, what the killed winner left behind is in the way.
      for (let round = 0; round < 10; round += 1) {
        const racers = [startHolder(directory, kind), startHolder(directory, kind)]
        try {
          const said = await Promise.all(racers.map((racer) => racer.says(/\n/)))

          assert.equal(
            new Set(said.map((text) => text.split(/\s/)[0])),
            new Set(['ALREADY_RUNNING', 'held']),
          )
          const winner = racers[said.indexOf('held\n')]
          // Null where the winner was too busy to say who it is; never anybody else.
          assert.match(said.join(''), new RegExp(`"pid":(${winner?.pid}|null)\\b`))
        } finally {
          for (const racer of racers) racer.child.kill('SIGKILL')
          await Promise.all(racers.map((racer) => racer.ended))
        }
      }
    })
  })

  lock(`K9 whoever asks is told what the holder said last (${kind})`, async () => {
    await withDirectory(async (directory) => {
      assert.is(await askLock(directory, kind), null)
      const held = await takeLock(directory, INFO, kind)
      assert.equal(await askLock(directory, kind), INFO)

      held.update({ ...INFO, port: 4_711, ready: true })

      assert.equal(await askLock(directory, kind), { ...INFO, port: 4_711, ready: true })
      held.release()
      assert.is(await askLock(directory, kind), null)
    })
  })
}

lock('K9 a directory that is not there is held by nobody and cannot be locked', async () => {
  await withDirectory(async (directory) => {
    const nowhere = join(directory, 'nowhere')

    assert.is(await askLock(nowhere), null)
    assert.match(await refusal(takeLock(nowhere, INFO)), /^INTERNAL/)
  })
})

lock('K9 two names of one directory are one lock', async () => {
  await withDirectory(async (directory) => {
    const other = join(directory, 'other')
    symlinkSync(directory, other)
    const held = await takeLock(directory, INFO)

    const second = await refusal(takeLock(other, INFO))

    assert.is(second, `ALREADY_RUNNING ${process.pid}`)
    held.release()
  })
})

lock('D-R7 a lock file is replaced by a link, and its holder leaves no other name', async () => {
  await withDirectory(async (directory) => {
    const held = await takeLock(directory, INFO, 'file')
    assert.equal(readdirSync(directory), ['gateway.sock'])
    assert.match(await refusal(takeLock(directory, INFO, 'file')), /^ALREADY_RUNNING/)
    assert.equal(readdirSync(directory), ['gateway.sock'])

    held.release()
    await until(() => readdirSync(directory).length === 0, 'the name to be free')
  })
})

lock('D-R7 visitors that misbehave do not disturb the holder', async () => {
  await withDirectory(async (directory) => {
    const path = join(realpathSync(directory), 'gateway.sock')
    const held = await takeLock(directory, INFO, 'file')

    const rude = Array.from({ length: 20 }, () => {
      const visitor = createConnection(path)
      visitor.on('error', () => {})
      visitor.write('\0\xff'.repeat(10_000))
      return visitor
    })
    await Promise.all(rude.map((visitor) => once(visitor, 'connect').catch(() => {})))
    for (const visitor of rude) visitor.destroy()

    assert.equal(await askLock(directory, 'file'), INFO)
    held.release()
  })
})

lock('D-R7 a holder that does not answer is not taken for none', async () => {
  await withDirectory(async (directory) => {
    const holder = startHolder(directory, 'file')
    await holder.says(/held/)
    holder.child.kill('SIGSTOP')

    const asked = await askLock(directory, 'file').catch(
      (error: unknown) => toGatewayError(error).code,
    )
    const taken = await refusal(takeLock(directory, INFO, 'file'))

    assert.is(asked, 'TIMEOUT')
    assert.is(taken, 'ALREADY_RUNNING null')
    holder.child.kill('SIGKILL')
    await holder.ended
  })
})

if (process.platform === 'linux') {
  lock('D-R7 the name tells nothing of the directory but its digest', async () => {
    await withDirectory(async (directory) => {
      const name = createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 32)
      const held = await takeLock(directory, INFO)
      const visitor = createConnection(`\0openclaw-${name}`)

      const [line] = (await once(visitor, 'data')) as [Buffer]

      assert.equal(JSON.parse(line.toString('utf8')), INFO)
      held.release()
      await until(() => visitor.destroyed || visitor.readableEnded, 'end of the visit')
    })
  })
}

lock.run()
