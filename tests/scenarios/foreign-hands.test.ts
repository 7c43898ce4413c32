/**
 * Foreign hands at the journal while a gateway serves, or before it starts: files taken away, readers
 * that stay or die, a lock that is not given back, a file system that is none of ours, a part missing.
 */
import { cpSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { judgeFileSystem } from '../../actors/state-dir.ts'
import { openEnvironment } from '../../store/lmdb/environment.ts'
import { ReaderWatch } from '../../store/lmdb/readers.ts'
import { cases } from '../store/cases.ts'
import { closedJournal, fill } from '../store/journals.ts'
import { cli, startCli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { mountFuse, whyNoFuse } from '../support/fuse.ts'
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

test.unless(
  whyNoFuse(),
  'F46 a FUSE file system is refused by start and doctor, unless it is forced',
  () =>
    withDirectory(async (directory) => {
      const stateDir = join(directory, 'mounted')
      mkdirSync(stateDir)
      const mounted = await mountFuse(stateDir)
      const refused = await cli(stateDir, ['gateway', '--port', '0'], { HOME: directory })
      const doctor = await cli(stateDir, ['doctor', '--only', 'permissions'], { HOME: directory })
      const forced = await cli(stateDir, ['gateway', '--port', '0'], {
        HOME: directory,
        OPENCLAW_FOREIGN_FS: 'allow',
      })
      await mounted.unmount()

      assert.equal([refused.code, doctor.code], [1, 1])
      for (const { stdout, stderr } of [refused, doctor])
        assert.match(stdout + stderr, 'lies on FUSE')
      assert.match(refused.stderr, 'OPENCLAW_FOREIGN_FS=allow')
      assert.not.match(forced.stderr, 'lies on FUSE')
    }),
)

test('F46 file systems of other machines are known by their numbers, those of disks are not meant', () => {
  const NAMES = [0x6969, 0xff534d42, -12_890_814, 0x01021997, 0xef53, 0x01021994, 0x9123683e]

  assert.equal(NAMES.map(judgeFileSystem), ['NFS', 'CIFS', null, '9p', null, null, null])
})

for (const [what, damage] of [
  ['missing', (file: string) => rmSync(file)],
  ['one of another platform', (file: string) => writeFileSync(file, 'MZ no ELF')],
] as const) {
  test(`F55 lmdb's native part is ${what}: start and doctor say so, and nothing is made in its place`, () =>
    withDirectory(async (directory) => {
      const house = join(directory, 'house')
      const stateDir = join(directory, 'state')
      copyHouse(house)
      const addons = join(house, 'node_modules', '@lmdb')
      for (const name of readdirSync(addons)) {
        for (const file of readdirSync(join(addons, name))) {
          if (file.endsWith('.node')) damage(join(addons, name, file))
        }
      }
      const env = { OPENCLAW_STATE_DIR: stateDir, HOME: directory, NO_COLOR: '1' }
      const run = (...words: string[]) =>
        start(['--preserve-symlinks', join(house, 'dist/scripts/openclaw.js'), ...words], env).ended
      const [whole] = [await startReal(stateDir)]
      await turn(whole.client, 'before')
      await stopReal(whole)

      const [begun, doctor] = [await run('gateway', '--port', '0'), await run('doctor')]

      assert.is(begun.code, 1)
      for (const { stdout, stderr } of [begun, doctor]) {
        assert.match(stdout + stderr, /lmdb: its native part for \S+ is missing, or is not one for/)
        assert.match(stdout + stderr, 'npm ci')
        assert.not.match(stdout + stderr, 'restore from a backup')
      }
    }))
}

/** A copy of the program whose modules are links, but for lmdb's native parts. */
function copyHouse(house: string): void {
  const root = compiled('..')
  mkdirSync(join(house, 'node_modules'), { recursive: true })
  cpSync(join(root, 'package.json'), join(house, 'package.json'))
  cpSync(join(root, 'dist'), join(house, 'dist'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const [from, to] = [join(root, 'node_modules', name), join(house, 'node_modules', name)]
    if (name === '@lmdb' || name === 'lmdb') cpSync(from, to, { recursive: true })
    else symlinkSync(from, to)
  }
}

test.run()
