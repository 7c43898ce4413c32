/** A backup and a restore that are killed at any moment. Row F04 of reliability.md. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { stagedJournal } from '../../actors/swap.ts'
import { cases } from '../store/cases.ts'
import { backUp, backUpTurn, begin, givenJournal, read, withPlace } from '../support/backups.ts'
import { startCli } from '../support/cli.ts'
import { recordsOf } from '../support/journal.ts'
import type { Ended, Running } from '../support/process.ts'
import { until } from '../support/wait.ts'

const test = cases('backup kills')

const isDraft = (name: string): boolean => !name.startsWith('openclaw-')

/** Waits until a verb is in the middle of its work, by what it has written; or it has ended. */
function begun({ child }: Running, isWriting: () => boolean): Promise<boolean> {
  return until(() => isWriting() || child.exitCode !== null, 'first file')
}

test('F04 kill -9 at any moment of a backup leaves only whole ones, and the next sweeps', async () => {
  await withPlace(async (place) => {
    const { call, stateDir, out } = place
    await givenJournal(stateDir, 3_000)

    for (const delayMs of [0, 50, 200]) {
      const running = startCli(stateDir, ['backup', 'create', '--out', out])
      await begun(running, () => existsSync(out) && readdirSync(out).some(isDraft))
      setTimeout(() => running.child.kill('SIGKILL'), delayMs)
      await running.ended
      const { stdout } = await call('backup', 'list', '--out', out, '--json')
      for (const { path } of read({ stdout } as Ended)['backups'] as { path: string }[]) {
        assert.is((await call('backup', 'verify', path)).code, 0)
      }
    }
    await backUp(place)

    assert.equal(readdirSync(out).filter(isDraft), [])
  })
})

test('F04 kill -9 at any moment of a restore leaves the old journal or the new one, whole', async () => {
  await withPlace(async (place) => {
    const { call, stateDir } = place
    const path = await backUpTurn(place)
    const before = (await recordsOf(join(stateDir, 'journal'))).length

    const isStaged = () => existsSync(stagedJournal(stateDir))
    const isMoved = () => readdirSync(stateDir).some((name) => name.startsWith('journal.before-'))

    for (const [isThere, delayMs] of [
      [isStaged, 0],
      [isStaged, 50],
      [isMoved, 0],
    ] as const) {
      const running = startCli(stateDir, ['backup', 'restore', path, '--yes'])
      await begun(running, isThere)
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
