/**
 * Foreign hands at the journal while a gateway serves, or before it starts: files taken away, readers
 * that stay or die, a lock that is not given back.
 */
import { cpSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openEnvironment } from '../../store/lmdb/environment.ts'
import { ReaderWatch } from '../../store/lmdb/readers.ts'
import { cases } from '../store/cases.ts'
import { closedJournal, fill } from '../store/journals.ts'
import { cli, startCli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { impatient } from '../support/impatient.ts'
import { compiled, type Running, start } from '../support/process.ts'
import {
  ask,
  askAll,
  configure,
  type RealGateway,
  startReal,
  stopReal,
  turn,
} from '../support/real-gateway.ts'
import { until, within } from '../support/wait.ts'

const test = cases('foreign hands')
const noLinux = process.platform === 'linux' ? null : 'needs Linux'
const QUICK = impatient({ inodeCheckIntervalMs: 50, readersLookMs: 100, heartbeatMs: 100 })

const logOf = (stateDir: string): string =>
  readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')

/** Starts what holds readers, or the lock, of a journal; resolves once it does. */
async function startHolder(journal: string, ...what: string[]): Promise<Running> {
  const holder = start([compiled('tests/store/holder-child.js'), journal, ...what])
  await holder.says(/^holds \d+/)
  return holder
}

async function end({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

async function withServing(
  run: (gateway: RealGateway, stateDir: string, journal: string) => Promise<void>,
  env: NodeJS.ProcessEnv = QUICK,
): Promise<void> {
  await withDirectory(async (stateDir) => {
    configure(stateDir)
    const gateway = await startReal(stateDir, env)
    try {
      await turn(gateway.client, 'before')
      await run(gateway, stateDir, join(stateDir, 'journal'))
    } finally {
      await gateway.client.close()
      await end(gateway)
    }
  })
}

const journalProbe = async ({ client }: RealGateway): Promise<string> =>
  JSON.stringify((await client.request('health', { probe: true })).payload['probes'])

for (const [how, take] of [
  ['unlinked', (file: string) => rmSync(file)],
  [
    'replaced by a copy',
    (file: string) => {
      cpSync(file, `${file}.copy`)
      renameSync(`${file}.copy`, file)
    },
  ],
] as const) {
  test(`F16 a data file that is ${how} under a gateway ends it, with its path`, () =>
    withServing(async (gateway, stateDir, journal) => {
      take(join(journal, 'journal.mdb'))

      const { signal } = await within(gateway.ended, 'end')

      assert.is(signal, 'SIGKILL')
      assert.match(logOf(stateDir), 'journal.mdb was replaced or removed')
      if (how !== 'unlinked') return
      const next = await cli(stateDir, ['gateway', '--port', '0'])
      assert.is(next.code, 12)
      assert.match(next.stderr, 'the journal file is gone')
    }))
}

test('F17 a lock file that is removed ends the gateway; until then a second one is refused', () =>
  withServing(async (gateway, stateDir, journal) => {
    const promised = await askAll(gateway.client, ['a', 'b'])
    gateway.child.kill('SIGSTOP') // So that the second comes before the look.
    rmSync(join(journal, 'journal.mdb-lock'))
    const second = await cli(stateDir, ['gateway', '--port', '0'])
    gateway.child.kill('SIGCONT')
    const { signal } = await within(gateway.ended, 'end')

    assert.is(second.code, 1)
    assert.match(second.stderr, 'a gateway is already running here')
    assert.is(signal, 'SIGKILL')
    assert.match(logOf(stateDir), 'journal.mdb-lock was replaced or removed')
    const next = await startReal(stateDir)
    assert.equal([...(await askAll(next.client, ['a', 'b']))], [...promised])
    await stopReal(next)
  }))

test('F20 a reader that was killed keeps no page for longer than one look', async () => {
  const directory = await closedJournal((store) => fill(store, 50))
  const environment = openEnvironment(directory, 'write')
  const watch = new ReaderWatch(environment)
  const grow = async (): Promise<number> => {
    const before = statSync(join(directory, 'journal.mdb')).size
    for (let n = 0; n < 100; n += 1) {
      await environment.tables.meta.put('test', Buffer.alloc(16_384, n))
    }
    return statSync(join(directory, 'journal.mdb')).size - before
  }
  await grow()

  const holder = await startHolder(directory, 'read', '1')
  const living = await grow()
  await end(holder)
  const dead = await grow()
  watch.look()
  const swept = await grow()
  watch.stop()
  await environment.close()

  assert.ok(living > 500_000 && dead > 500_000, `${living} ${dead}`)
  assert.is(swept, 0)
})

test('F21 a reader that stays is named by log and probe, until it ends', () =>
  withServing(async (gateway, stateDir, journal) => {
    const holder = await startHolder(journal, 'read', '1')
    await turn(gateway.client, 'meanwhile')
    const says = `process ${holder.pid} reads an old moment`

    await until(async () => (await journalProbe(gateway)).includes(says), 'probe that names it')
    await until(() => logOf(stateDir).includes(says), 'line that names it')
    await end(holder)
    await until(async () => !(await journalProbe(gateway)).includes(says), 'end of it')

    assert.is((await ask(gateway.client, 'after')).ok, true)
  }))

test('F22 a full table of readers: who comes is told so, and the gateway serves on', () =>
  withServing(async (gateway, stateDir, journal) => {
    const holder = await startHolder(journal, 'read', '1100')

    const refused = await cli(stateDir, ['timeline', 'start..'])
    const doctor = await cli(stateDir, ['doctor', '--only', 'journal'])
    await turn(gateway.client, 'meanwhile')
    await end(holder)
    const read = await until(async () => {
      const { code } = await cli(stateDir, ['timeline', 'start..'])
      return code === 0
    }, 'place for a reader')

    assert.is(refused.code, 1, refused.stderr)
    assert.match(refused.stderr, '1024 readers have')
    assert.match(doctor.stdout, '1024 readers have')
    assert.not.match(doctor.stdout, 'restore')
    assert.ok(read)
  }))

test.unless(
  noLinux,
  'F23 a foreign lock that is not given back: the start names its process and ends',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const first = await startReal(stateDir)
      const promised = await askAll(first.client, ['a'])
      await stopReal(first)
      const holder = await startHolder(join(stateDir, 'journal'), 'write')
      holder.child.kill('SIGSTOP')

      const quick = impatient({ storeLockMs: 300 })
      const refused = await within(
        startCli(stateDir, ['gateway', '--port', '0'], quick).ended,
        'end of the start',
      )
      await end(holder)
      const next = await startReal(stateDir)
      const again = await askAll(next.client, ['a'])
      await stopReal(next)

      assert.is(refused.code, 1)
      assert.match(refused.stderr, `process ${holder.pid} holds its lock and does not let go`)
      assert.equal([...again], [...promised])
    }),
)

test('F23 a foreign lock under a gateway: it is told, and served on when the lock is free', () =>
  withServing(
    async (gateway, _stateDir, journal) => {
      const holder = await startHolder(journal, 'write')
      holder.child.kill('SIGSTOP')
      const asked = ask(gateway.client, 'waits')

      await until(
        async () => (await journalProbe(gateway)).includes('a commit has been under way'),
        'commit that hangs',
      )
      await end(holder)

      assert.is((await asked).ok, true)
    },
    impatient({ commitHangMs: 200 }),
  ))

test.run()
