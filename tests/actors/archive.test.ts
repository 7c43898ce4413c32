/** Archives: what retention takes is in a file before it goes, or it stays. Rules AR1–AR6, AR10. */
import '../../actors/trap.ts'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type Archive, archiveBytes, listArchives, openArchive } from '../../actors/archive.ts'
import { listSideFiles } from '../../actors/backup-files.ts'
import { openBundle } from '../../actors/bundle.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { applyRetention, planRetention, type RetentionReport } from '../../actors/retention.ts'
import { foldStream } from '../../machines/history/fold.ts'
import { kinds } from '../../machines/kinds.ts'
import { POLICIES } from '../../machines/rules/retention.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { cases } from '../store/cases.ts'
import { whyNoSmallDisk, withDirectory, withSmallDisk } from '../support/directory.ts'
import type { TestKernel } from '../support/kernel.ts'
import { openTalk, textsOf } from '../support/talk.ts'
import { TEST_CODE } from '../support/traffic.ts'

const test = cases('archive')
const DAY_MS = 24 * 3_600_000
const KIB = 1_024
const TEXTS = textsOf(['ann', 1], ['bob', 2], ['ann', 3])

const openIn = (stateDir: string, { services: { clock } }: TestKernel): Archive =>
  openArchive(stateDir, { code: TEST_CODE, tool: '9.9.9', clock })

/** Applies `lean` as of forty days from now. */
async function prune(house: TestKernel, archive: Archive): Promise<RetentionReport> {
  const { store, kernel, services } = house
  const now = services.clock.now() + 40 * DAY_MS
  const wish = { policy: POLICIES.lean, now, held: [] }
  const plan = await planRetention(store, kernel.work, wish)
  const how = { by: 'test', correlationId: '00', archive }
  return applyRetention(kernel, wish, plan, how)
}

function prunedIn({ store }: TestKernel): number[] {
  const all = Array.from({ length: store.head().position }, (_, index) => index + 1)
  return all.filter((position) => store.link(position)?.pruned === true)
}

/** Nothing went: no tombstone of a record, none of a text, no record of a removal. */
function isWhole(house: TestKernel): boolean {
  const told = house.records().some(({ event }) => event.type === 'history.pruned')
  return prunedIn(house).length === 0 && !told && TEXTS.every((ref) => house.store.body(ref))
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  return String((thrown as { code?: unknown } | null)?.code)
}

test('AR1 what goes is in a file first, record by record, and tells the same states', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const { store } = house

    const { archives, records } = await prune(house, openIn(stateDir, house))
    const [name = '', ...more] = archives
    const bundle = openBundle(join(stateDir, 'archive', name))
    const report = verifyBundle(bundle, { code: TEST_CODE })
    const gone = prunedIn(house)

    assert.equal(more, [])
    assert.match(name, /^\d{9}-\d{9}-[0-9a-f]{12}\.ocinc$/)
    assert.is(gone.length, records)
    const { range, head, archive } = bundle.manifest
    assert.equal(archive, { policy: 'lean' })
    assert.ok(gone.every((position) => position >= range.from && position <= range.to))
    assert.ok(range.to <= head.position)
    const kept = new Map(bundle.chain.records.map((record) => [record.position, record]))
    for (const position of gone) {
      assert.equal(
        Buffer.from(kept.get(position)?.hash ?? []),
        Buffer.from(store.link(position)?.hash ?? []),
      )
    }
    assert.ok(report.ok, JSON.stringify(report.faults))
    assert.equal([report.stateHashes.unfolded, report.stateHashes.different], [0, 0])
    const run: StreamId = 'run:r1'
    const [told, now] = [bundle.history, house.kernel.registry.actor(run)]
    assert.is(foldStream(told, kinds, run).snapshot.value, now.snapshot.value)
    assert.is(foldStream(told, kinds, run).version, now.version)
    const { event } = house.records().at(-1) ?? {}
    assert.equal(event?.['archives'], [name], 'the removal says where its records are')
  }))

test('AR2 no text is in an archive, nor outlives there what is erased; its owner alone reads it', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const archive = openIn(stateDir, house)

    const { archives } = await prune(house, archive)
    const path = join(archive.directory, archives[0] ?? '')
    const { bodies, manifest } = openBundle(path)

    assert.is(bodies.size, 0)
    assert.is(manifest.tier, 'skeleton')
    assert.match(manifest.title, /no text is in it/)
    assert.ok(manifest.redaction.withheld > 0)
    assert.ok(TEXTS.every((ref) => house.store.bodyState(ref) === 'erased'))
    assert.equal(
      [statSync(path).mode & 0o777, statSync(archive.directory).mode & 0o777],
      [0o600, 0o700],
    )
    assert.is(archive.bytes(), statSync(path).size)
    assert.is(archiveBytes(stateDir), archive.bytes())
  }))

test('AR3 where the archive cannot be written nothing goes: a file in its place, a link, no right', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const place = join(stateDir, 'archive')
    const codes: string[] = []

    writeFileSync(place, '')
    codes.push(await refusal(prune(house, openIn(stateDir, house))))
    const sealed = join(stateDir, 'sealed')
    mkdirSync(join(sealed, 'archive'), { recursive: true })
    chmodSync(join(sealed, 'archive'), 0o500)
    const isRoot = process.getuid?.() === 0 // Whom no mode keeps out.
    if (!isRoot) codes.push(await refusal(prune(house, openIn(sealed, house))))

    assert.ok(
      codes.every((code) => code === 'PERMISSION'),
      codes.join(' '),
    )
    assert.ok(isWhole(house))
  }))

test.unless(
  whyNoSmallDisk(),
  'AR3 on a disk that is full nothing goes, and no half file stays',
  () =>
    withDirectory(async (stateDir) => {
      const house = await openTalk()
      const place = join(stateDir, 'archive')
      mkdirSync(place)

      await withSmallDisk(place, 1, async () => {
        const { bavail, bsize } = statfsSync(place)
        writeFileSync(join(place, 'ballast'), Buffer.alloc(bavail * bsize - KIB))
        const code = await refusal(prune(house, openIn(stateDir, house)))

        assert.is(code, 'STORE_LOW_SPACE')
        assert.equal(readdirSync(place), ['ballast'])
        assert.ok(isWhole(house))
        writeFileSync(join(place, 'ballast'), '')
        const { archives } = await prune(house, openIn(stateDir, house))
        assert.is(archives.length, 1, 'and with room again it goes')
      })
    }),
)

test('AR4 of an actor that goes on meanwhile nothing goes that is not in the file', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const archive = openIn(stateDir, house)
    const late: Archive = {
      ...archive,
      keep: async (...args) => {
        const kept = await archive.keep(...args)
        for (let n = 0; n < 3; n += 1) await house.tell('run:r1', { type: 'run.nothing' })
        return kept
      },
    }

    const { archives } = await prune(house, late)
    const { records } = openBundle(join(archive.directory, archives[0] ?? '')).chain
    const positions = new Set(records.map(({ position }) => position))

    assert.ok(prunedIn(house).every((position) => positions.has(position)))
    const newest = records.findLast(({ stream }) => stream === 'run:r1')
    assert.is(house.store.version('run:r1'), (newest?.version ?? 0) + 3)
    assert.ok(house.store.read(newest?.position ?? 0) !== null)
  }))

test('AR5 what a crash left behind is archived once more, and nothing is written over', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const archive = openIn(stateDir, house)
    const streams = ['run:r1', 'run:r2'] as const

    const first = await archive.keep(house.store, streams, 'lean')
    const before = readFileSync(join(archive.directory, first.files[0] ?? ''))
    const second = await archive.keep(house.store, streams, 'lean')

    assert.is(new Set([...first.files, ...second.files]).size, 2)
    assert.equal(readFileSync(join(archive.directory, first.files[0] ?? '')), before)
    assert.equal(listArchives(stateDir), [...first.files, ...second.files].toSorted())
    assert.equal(archive.plan(house.store, ['run:none']).files, 0)
  }))

test('AR6 archives count against the budget of the journal', async () => {
  const { kernel, store } = await openTalk()
  const { usedBytes } = store.stats()
  kernel.registry.budget = () => usedBytes * 2
  const before = kernel.registry.space().level
  kernel.registry.besides = () => usedBytes

  assert.equal([before, kernel.registry.space().level], ['ample', 'scarce'])
})

test('AR10 a backup takes archives along, and not what is half written', () =>
  withDirectory(async (stateDir) => {
    const house = await openTalk()
    const { archives } = await prune(house, openIn(stateDir, house))
    writeFileSync(join(stateDir, 'archive', `${archives[0]}.1.tmp`), 'half')

    const paths = listSideFiles(stateDir, join(stateDir, 'openclaw.json'), false)

    assert.equal(
      paths.map(({ path }) => path),
      [`archive/${archives[0]}`],
    )
  }))

test.run()
