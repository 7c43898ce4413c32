/** A backup and a restore that are killed at any moment. Row F04 of reliability.md. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { backUp, backUpTurn, begin, givenJournal, read, withPlace } from '../support/backups.ts'
import { startCli } from '../support/cli.ts'
import { recordsOf } from '../support/journal.ts'
import type { Ended } from '../support/process.ts'

const test = cases('backup kills')

test('F04 kill -9 at any moment of a backup leaves only whole ones, and the next sweeps', async () => {
  await withPlace(async (place) => {
    const { call, stateDir, out } = place
    await givenJournal(stateDir, 3_000)

    for (const delayMs of [200, 400, 600]) {
      const running = startCli(stateDir, ['backup', 'create', '--out', out])
      setTimeout(() => running.child.kill('SIGKILL'), delayMs)
      await running.ended
      const { stdout } = await call('backup', 'list', '--out', out, '--json')
      for (const { path } of read({ stdout } as Ended)['backups'] as { path: string }[]) {
        assert.is((await call('backup', 'verify', path)).code, 0)
      }
    }
    await backUp(place)

    assert.equal(
      readdirSync(out).filter((name) => !name.startsWith('openclaw-')),
      [],
    )
  })
})

test('F04 kill -9 at any moment of a restore leaves the old journal or the new one, whole', async () => {
  await withPlace(async (place) => {
    const { call, stateDir } = place
    const path = await backUpTurn(place)
    const before = (await recordsOf(join(stateDir, 'journal'))).length

    for (const delayMs of [300, 600, 900]) {
      const running = startCli(stateDir, ['backup', 'restore', path, '--yes'])
      setTimeout(() => running.child.kill('SIGKILL'), delayMs)
      await running.ended
      await begin(call)
      const records = await recordsOf(join(stateDir, 'journal'))
      assert.is((await call('health')).code, 0)
      await call('gateway', 'stop')
      const isNew = records.some(({ event }) => event.type === 'journal.restored')
      assert.ok(isNew || records.length >= before, `${delayMs} ms: ${records.length} records`)
    }

    assert.is((await call('backup', 'restore', path, '--yes')).code, 0)
    assert.is(existsSync(join(stateDir, 'journal.restoring')), false)
  })
})

test.run()
