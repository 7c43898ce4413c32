/**
 * `openclaw backup` as a person uses it: beside a gateway that runs, restored, damaged.
 * Rules BK, and rows F14, F54 of reliability.md.
 */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { MANIFEST_FILE } from '../../protocol/backup.ts'
import { verifyBackup } from '../../scripts/backup/verify.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import {
  backUp,
  backUpTurn,
  begin,
  givenJournal,
  type Json,
  read,
  withPlace,
} from '../support/backups.ts'
import { cli } from '../support/cli.ts'
import { whyNoSmallDisk, withSmallDisk } from '../support/directory.ts'
import { recordsOf, withReader } from '../support/journal.ts'

const test = cases('backup verbs')

test('BK9 a backup beside a gateway that runs, restored: the answer of a key is not given twice', async () => {
  await withPlace(async (place) => {
    const { call, stateDir } = place
    await begin(call)
    await call('agent', '--message', 'before', '--key', 'k1')
    assert.is((await call('history', 'witness')).code, 0)
    const path = await backUp(place, '--keys')
    await call('agent', '--message', 'after', '--key', 'k2')
    const running = await call('backup', 'restore', path, '--yes')
    await call('gateway', 'stop')
    await begin(call)
    assert.is((await call('history', 'witness')).code, 0)
    await call('gateway', 'stop')

    const refused = await call('backup', 'restore', path)
    const untouched = await recordsOf(join(stateDir, 'journal'))
    const restored = await call('backup', 'restore', path, '--yes', '--json')

    assert.is(running.code, 1)
    assert.match(running.stderr, /already running/)
    assert.is(refused.code, 14)
    assert.ok(untouched.some(({ event }) => event.type === 'gateway.stopped'))
    const report = read(restored)
    assert.is(restored.code, 0, restored.stderr)
    assert.is((report['carried'] as Json)['keys'], 1)
    assert.is(report['epoch'], 3, 'above every epoch that was')
    const aside = join(stateDir, String(report['aside']))
    assert.is((await verifyJournal(aside, { deep: true })).ok, true)
    await begin(call)
    const [first, second] = [
      await call('agent', '--message', 'before', '--key', 'k1'),
      await call('agent', '--message', 'after', '--key', 'k2'),
    ]
    assert.match(first.stdout, /before/)
    assert.is(second.code, 13)
    const witness = await call('history', 'witness')
    assert.is(witness.code, 12, 'whoever remembers a later head is told')
    assert.is((await call('history', 'verify')).code, 0)
  })
})

test('BK10 modes, names and lists; --keep removes the oldest of the same journal only', async () => {
  await withPlace(async (place) => {
    const { call, stateDir, out } = place
    await givenJournal(stateDir, 20)
    writeFileSync(join(stateDir, 'openclaw.json'), '{}')
    mkdirSync(join(stateDir, 'keys'))
    writeFileSync(join(stateDir, 'keys', 'config.key'), 'secret')
    mkdirSync(join(out, 'openclaw-20260101T000000Z-1'), { recursive: true })

    const paths = [await backUp(place), await backUp(place), await backUp(place, '--keep', '2')]
    const listed = read(await call('backup', 'list', '--out', out, '--json'))

    const [first = '', , last = ''] = paths
    assert.is(existsSync(first), false)
    assert.equal((listed['backups'] as Json[]).length, 3, 'two, and the one that is none')
    for (const name of readdirSync(last, { recursive: true, encoding: 'utf8' })) {
      const { mode } = statSync(join(last, name))
      assert.is(mode & 0o077, 0, name)
    }
    assert.is(existsSync(join(last, 'keys')), false)
    assert.is(existsSync(join(last, 'openclaw.json')), true)
    const withKeys = await backUp(place, '--keys')
    assert.is(readFileSync(join(withKeys, 'keys', 'config.key'), 'utf8'), 'secret')
    assert.is((await call('backup', 'verify', join(withKeys, MANIFEST_FILE))).code, 0)
  })
})

test('BK11 a place inside the state directory is refused, also by way of a link', async () => {
  await withPlace(async ({ call, stateDir, out }) => {
    await givenJournal(stateDir, 3)
    symlinkSync(stateDir, out)

    for (const place of [stateDir, join(stateDir, 'backups'), join(out, 'x')]) {
      const { code, stderr } = await call('backup', 'create', '--out', place)
      assert.is(code, 2, place)
      assert.match(stderr, /inside the state directory/)
    }

    assert.equal(readdirSync(stateDir), ['journal'])
  })
})

test('BK11 without a journal there is nothing to back up, verify or list', async () => {
  await withPlace(async ({ call, stateDir, out }) => {
    mkdirSync(stateDir)

    for (const args of [
      ['create', '--out', out],
      ['verify', out],
      ['restore', out],
      ['list', '--out', out],
    ]) {
      assert.is((await call('backup', ...args)).code, 10, args.join(' '))
    }
    assert.is((await call('backup', 'create', '--keep', '0')).code, 2)
    assert.is(existsSync(out), false)
  })
})

const damages: readonly [string, (path: string) => void][] = [
  ['a truncated journal', (path) => truncateSync(join(path, 'journal', 'journal.mdb'), 8_192)],
  [
    'a flipped byte',
    (path) => {
      const file = join(path, 'journal', 'journal.mdb')
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
      writeFileSync(file, bytes)
    },
  ],
  ['a longer file', (path) => appendFileSync(join(path, 'openclaw.json'), ' ')],
  ['a missing file', (path) => rmSync(join(path, 'openclaw.json'))],
  [
    'a link in the place of a file',
    (path) => {
      const file = join(path, 'openclaw.json')
      cpSync(file, `${file}.real`)
      rmSync(file)
      symlinkSync(`${file}.real`, file)
    },
  ],
  [
    'a path that leads out',
    (path) => {
      const file = join(path, MANIFEST_FILE)
      writeFileSync(
        file,
        readFileSync(file, 'utf8').replace('"openclaw.json"', '"../openclaw.json"'),
      )
    },
  ],
  [
    'another head in the manifest',
    (path) => {
      const file = join(path, MANIFEST_FILE)
      writeFileSync(file, readFileSync(file, 'utf8').replace('"position": 9', '"position": 8'))
    },
  ],
]

test('F14 a damaged backup is named, and is not restored', async () => {
  await withPlace(async (place) => {
    const { call, stateDir, out } = place
    await givenJournal(stateDir, 9)
    writeFileSync(join(stateDir, 'openclaw.json'), '{}')
    const path = await backUp(place)

    for (const [what, damage] of damages) {
      const copy = join(out, 'copy')
      cpSync(path, copy, { recursive: true })
      damage(copy)
      await refusal(() => verifyBackup(copy), 'STORE_CORRUPT', what)
      rmSync(copy, { recursive: true })
    }
    truncateSync(join(path, 'journal', 'journal.mdb'), 8_192)
    const [verified, restored] = [
      await call('backup', 'verify', path),
      await call('backup', 'restore', path, '--yes'),
    ]

    assert.equal([verified.code, restored.code], [12, 12])
    const head = await withReader(join(stateDir, 'journal'), (reader) => reader.head().position)
    assert.is(head, 9)
  })
})

test('F14 a damaged journal is not backed up, and a backup takes its place', async () => {
  await withPlace(async (place) => {
    const { call, stateDir } = place
    const path = await backUpTurn(place)
    const file = join(stateDir, 'journal', 'journal.mdb')
    truncateSync(file, statSync(file).size >> 1)

    const [made, restored] = [
      await call('backup', 'create', '--out', place.out),
      await call('backup', 'restore', path, '--yes'),
    ]

    assert.is(made.code, 12)
    assert.is(restored.code, 0, restored.stderr)
    assert.match(restored.stderr, /keys used after the backup are forgotten/)
    await begin(call)
    assert.is((await call('health')).code, 0)
  })
})

test.unless(
  whyNoSmallDisk(),
  'F08 a disk without room for a backup keeps nothing of it, and says so',
  async () => {
    await withPlace(async (place) => {
      const { call, stateDir, out } = place
      await givenJournal(stateDir, 9)
      const path = await backUp(place)
      const small = join(out, 'small')
      mkdirSync(small)

      await withSmallDisk(small, 8, async () => {
        const made = await call('backup', 'create', '--out', small)
        assert.is(made.code, 1, made.stderr)
        assert.match(made.stderr, /room/)
        assert.equal(readdirSync(small), [])
        const restored = await cli(join(small, 'state'), ['backup', 'restore', path])
        assert.is(restored.code, 1, restored.stdout)
        assert.equal(readdirSync(join(small, 'state')), [])
      })

      assert.is((await call('backup', 'verify', path)).code, 0)
    })
  },
)

test.unless(
  whyNoSmallDisk(),
  'F10 a medium that is read only: its backups can be verified and restored, none is made',
  async () => {
    await withPlace(async (place) => {
      const { call, stateDir, out } = place
      await begin(call)
      await call('gateway', 'stop')
      const path = await backUp(place)
      const medium = join(out, 'medium')
      mkdirSync(medium)

      await withSmallDisk(medium, 16, async ({ readOnly }) => {
        cpSync(path, join(medium, 'copy'), { recursive: true })
        readOnly()
        const made = await call('backup', 'create', '--out', medium)
        const verified = await call('backup', 'verify', join(medium, 'copy'))
        const other = join(stateDir, '..', 'other')
        const restored = await cli(other, ['backup', 'restore', join(medium, 'copy')])
        assert.equal([made.code, verified.code, restored.code], [1, 0, 0], restored.stderr)
        assert.match(made.stderr, /can it be written to/)
        const doctor = await cli(join(medium, 'copy'), ['doctor', '--only', 'permissions'])
        assert.is(doctor.code, 1)
      })
    })
  },
)

test('BK12 a configuration that is there stays, the restored one lies beside it; --config lets them change', async () => {
  await withPlace(async (place) => {
    const { call, stateDir } = place
    const file = join(stateDir, 'openclaw.json')
    const [backedUp, written] = ['{ session: { maxMessages: 7 } }', '{ gateway: { port: 0 } }']
    await begin(call)
    await call('gateway', 'stop')
    writeFileSync(file, backedUp)
    const path = await backUp(place)
    const same = await call('backup', 'restore', path, '--yes')
    writeFileSync(file, written)

    const kept = await call('backup', 'restore', path, '--yes')
    const [beside = ''] = readdirSync(stateDir).filter((name) => /restored-/.test(name))
    const besideText = readFileSync(join(stateDir, beside), 'utf8')
    const keptText = readFileSync(file, 'utf8')
    const replaced = await call('backup', 'restore', path, '--yes', '--config')
    const [old = ''] = readdirSync(stateDir).filter((name) => /json\.before-restore-/.test(name))

    assert.not.match(same.stderr, /was here already/)
    assert.equal([keptText, besideText], [written, backedUp])
    assert.match(kept.stderr, `stays as it is; that of the backup is ${join(stateDir, beside)}`)
    assert.match(kept.stderr, '--config')
    assert.is(readFileSync(file, 'utf8'), backedUp)
    assert.is(readFileSync(join(stateDir, old), 'utf8'), written)
    assert.match(replaced.stderr, `the one that was here is ${join(stateDir, old)}`)
    assert.is(statSync(join(stateDir, beside)).mode & 0o777, 0o600)
  })
})

test('F54 a backup is restored on another machine, where nothing is', async () => {
  await withPlace(async (place) => {
    const { call, stateDir, out } = place
    await begin(call)
    await call('agent', '--message', 'hello', '--session', 'talk')
    const path = await backUp(place, '--keys')
    await call('gateway', 'stop')
    const other = join(out, '..', 'other')

    const restored = await cli(other, ['backup', 'restore', path])
    const started = await cli(other, ['gateway', '--daemon', '--port', '0'])
    const sessions = await cli(other, ['sessions', '--json'])
    await cli(other, ['gateway', 'stop'])
    const { stdout: timeline } = await cli(other, ['timeline', 'start..'])

    assert.match(timeline, /journal\.restored[^\n]*\n[^\n]* epoch \d+, after a stop/)
    assert.equal([restored.code, started.code], [0, 0], restored.stderr + started.stderr)
    assert.match(sessions.stdout, 'agent:main:talk')
    const key = join('keys', 'journal.pem')
    assert.is(readFileSync(join(other, key), 'utf8'), readFileSync(join(stateDir, key), 'utf8'))
  })
})

test.run()
