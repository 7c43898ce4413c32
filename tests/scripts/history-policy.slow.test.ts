/** `openclaw history policy`, `prune` and `compact`, and archives as their owner meets them. Rules RT7–RT9, AR7–AR9. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readCodeIdentity } from '../../actors/code.ts'
import { verifyJournal } from '../../store/lmdb/verify.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { impatient } from '../support/impatient.ts'
import { withDirectory } from '../support/directory.ts'
import { recordsOf, withReader } from '../support/journal.ts'
import type { Ended } from '../support/process.ts'
import { writeTraffic } from '../support/traffic.ts'

const test = cases('history policy')
const YEAR_MS = 365 * 24 * 3_600_000

type Json = Readonly<Record<string, unknown>>
type Call = (...args: readonly string[]) => Promise<Ended>

function withTraffic(run: (call: Call, stateDir: string) => Promise<void>): Promise<void> {
  return withDirectory(async (stateDir) => {
    mkdirSync(stateDir, { recursive: true })
    // As of a year ago: the traffic's clock stands in a time that may not have come yet.
    await writeTraffic(stateDir, readCodeIdentity(), (record) => record, Date.now() - YEAR_MS)
    await run((...args) => cli(stateDir, ['history', ...args]), stateDir)
  })
}

const read = ({ stdout }: Ended): Json => JSON.parse(stdout) as Json

test('RT7 a policy is shown with what it does not do yet, and what would go by then', async () => {
  await withTraffic(async (call, stateDir) => {
    const forever = await call('policy', '--dry-run', '--at', '+9y')
    const config = join(stateDir, 'openclaw.json')
    writeFileSync(config, '{ history: { preset: "privacy" } }', { mode: 0o600 })
    const privacy = await call('policy', '--at', '+2y', '--json')
    const named = await call('policy', '--preset', 'balanced')
    writeFileSync(config, '{ history: { preset: "sometimes" } }')
    const wrong = await call('policy')

    assert.match(forever.stdout, /texts that would go +0 /)
    assert.is(forever.stderr, '')
    const { preset, notYet, plan } = read(privacy) as { preset: string; notYet: []; plan: Json }
    assert.is(preset, 'privacy')
    assert.ok(notYet.length > 0)
    assert.ok(Number(plan['records']) > 0)
    assert.match(named.stdout, /go after 365 days/)
    assert.match(named.stderr, /Not yet: /)
    assert.is(wrong.code, 78)
    assert.is((await call('policy', '--at', 'soon')).code, 2)
  })
})

test('RT8 prune asks first, then leaves tombstones and a record, and the journal whole', async () => {
  await withTraffic(async (call, stateDir) => {
    const journal = join(stateDir, 'journal')

    const none = await call('prune', '--yes')
    const asked = await call('prune', '--preset', 'lean')
    const done = await call('prune', '--preset', 'lean', '--yes', '--json')

    assert.is(none.code, 10, 'forever lets nothing go')
    assert.equal([asked.code, done.code], [14, 0], done.stderr)
    const { report } = read(done) as { report: Json }
    assert.ok(Number(report['records']) > 0)
    const { ok, faults } = await verifyJournal(journal, { deep: true })
    assert.ok(ok, JSON.stringify(faults))
    const newest = await withReader(journal, (reader) => reader.head().position)
    assert.is(report['position'], newest)
  })
})

test('RT9 compact shortens one actor; none that is not there, and none beside a gateway', async () => {
  await withTraffic(async (call, stateDir) => {
    const journal = join(stateDir, 'journal')
    const run = (await recordsOf(journal)).find(({ stream }) => stream.startsWith('run:'))
    const stream = run?.stream ?? ''

    const asked = await call('compact', stream)
    const gone = await call('compact', 'run:none')
    await cli(stateDir, ['gateway', '--daemon', '--port', '0'])
    const beside = await call('compact', stream, '--yes')
    await cli(stateDir, ['gateway', 'stop'])
    const done = await call('compact', stream, '--yes', '--json')

    assert.equal([asked.code, gone.code, beside.code, done.code], [14, 10, 1, 0])
    assert.ok(Number(read(done)['records']) > 0)
    assert.is((await verifyJournal(journal, { deep: true })).ok, true)
    const first = await withReader(journal, (reader) => reader.link(run?.position ?? 0))
    assert.is(first?.pruned, true)
  })
})

test('AR7 a dry run says what would be archived and where; without an archive records go for good', async () => {
  await withTraffic(async (call, stateDir) => {
    const archive = join(stateDir, 'archive')

    const dry = await call('prune', '--preset', 'lean', '--dry-run')
    const one = await call('compact', 'run:r1', '--dry-run', '--json')
    const privacy = await call('prune', '--preset', 'privacy', '--dry-run')
    const isUntouched = !existsSync(archive)
    const bare = await call('compact', 'run:r1', '--yes', '--without-archive')
    const isBare = !existsSync(archive)
    const kept = await call('prune', '--preset', 'lean', '--yes')

    assert.equal([dry.code, one.code, bare.code, kept.code], [0, 0, 0, 0], kept.stderr)
    assert.match(dry.stdout, `would archive`)
    assert.match(dry.stdout, `1 files in ${archive}`)
    const { directory, files } = read(one)['archive'] as Json
    assert.equal([directory, files], [archive, 1])
    assert.match(privacy.stdout, /none of them: they go for good/)
    assert.ok(isUntouched && isBare)
    assert.match(kept.stdout, `archived in ${archive}`)
  })
})

test('AR8 an archive opens, holds and is read by the verbs of incidents and history, also in pieces', async () => {
  await withTraffic(async (call, stateDir) => {
    const archive = join(stateDir, 'archive')
    // So small that lives of actors are cut in two.
    const args = ['history', 'prune', '--preset', 'lean', '--yes']
    const { code, stderr } = await cli(stateDir, args, impatient({ archiveRecordsMax: 3 }))
    const names = readdirSync(archive)

    assert.is(code, 0, stderr)
    assert.ok(names.length > 2, names.join(' '))
    for (const name of names) {
      const verified = await cli(stateDir, ['incident', 'verify', join(archive, name), '--json'])
      const { ok, stateHashes, faults } = read(verified) as {
        stateHashes: Json
        ok: boolean
        faults: []
      }
      assert.ok(ok, `${name}: ${JSON.stringify(faults)}`)
      assert.equal([stateHashes['unfolded'], stateHashes['different']], [0, 0], name)
    }
    const [first = ''] = names.map((name) => join(archive, name))
    const opened = await cli(stateDir, ['incident', 'open', first])
    const timeline = await cli(stateDir, ['timeline', '--journal', first])
    assert.equal([opened.code, timeline.code], [0, 0], opened.stderr + timeline.stderr)
    assert.match(opened.stdout, /let go by lean; no text is in it/)
    assert.match(timeline.stdout, /run/)
    assert.ok((await call('compact', 'run:r1', '--dry-run')).stdout.includes('at most'))
  })
})

test('AR9 doctor names an archive that is broken or missing, and not one that is elsewhere', async () => {
  await withTraffic(async (call, stateDir) => {
    const doctor = async (): Promise<string> =>
      (await cli(stateDir, ['doctor', '--only', 'archives'])).stdout
    const before = await doctor()
    await call('prune', '--preset', 'lean', '--yes')
    const whole = await doctor()
    const [name = ''] = readdirSync(join(stateDir, 'archive'))
    const path = join(stateDir, 'archive', name)
    const bytes = readFileSync(path)

    writeFileSync(path, bytes.subarray(0, bytes.length - 9))
    const broken = await doctor()
    renameSync(path, join(stateDir, 'taken'))
    const missing = await doctor()
    writeFileSync(`${path}.away`, '')
    const away = await doctor()

    assert.match(before, /archives: none/)
    assert.match(whole, /1 files are whole/)
    assert.match(broken, `${path}: incident file, footer: the digest differs`)
    assert.match(missing, `${path} is missing`)
    assert.not.match(away, /missing/)
  })
})

test.run()
