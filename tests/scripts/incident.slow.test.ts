/** The incident verbs: as a real process, on a journal that no gateway has open. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openIncidents } from '../../actors/incidents.ts'
import type { Incident } from '../../protocol/history/incident.ts'
import { findMarkIn } from '../../scripts/history/marks.ts'
import { openSource } from '../../scripts/history/source.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { replyLost } from '../support/incidents.ts'

const incident = cases('incident verbs')

type Answer = Readonly<Record<string, unknown>>

/** Makes a state directory in which a reply was lost; no gateway runs. */
function withStory(run: (stateDir: string, from: number, to: number) => Promise<void>) {
  return withDirectory(async (stateDir) => {
    const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
    const { from, to } = await replyLost(store)
    await store.close()
    await run(stateDir, from, to)
  })
}

async function json(stateDir: string, args: readonly string[]): Promise<Answer> {
  const { stdout, stderr } = await cli(stateDir, [...args, '--json'])
  assert.is(stdout.split('\n').length, 2, `one document: ${stdout}${stderr}`)
  return JSON.parse(stdout) as Answer
}

function draft(changes: Partial<Incident> = {}): Omit<Incident, 'id'> {
  return {
    schema: 'openclaw-incident-notes/1',
    title: 'x',
    severity: 3,
    author: 'ann',
    createdAt: 1,
    command: '',
    ranges: [],
    notes: [],
    exports: [],
    imported: null,
    ...changes,
  }
}

incident('IN1 an incident is opened, noted, added to, listed and dropped', () =>
  withStory(async (stateDir, from, to) => {
    const made = await cli(stateDir, ['incident', 'new', 'no reply', '--range', `${from}..`])
    assert.equal([made.code, made.stdout], [0, 'inc-1\n'])
    const noted = await json(stateDir, ['incident', 'note', 'last(type=effect.lost)', 'it died'])
    await json(stateDir, ['incident', 'add', '1..2', `#${to}`])

    const { incidents } = await json(stateDir, ['incident', 'ls'])

    const [only] = incidents as Incident[]
    assert.is(only?.title, 'no reply')
    assert.equal(
      only!.ranges.map((range) => [range.from, range.to]),
      [
        [from, to],
        [1, 2],
        [to, to],
      ],
    )
    const [note] = only!.notes
    assert.equal([note?.text, note?.address], ['it died', 'last(type=effect.lost)'])
    assert.match(note?.command ?? '', /^openclaw incident note 'last\(/)
    assert.is((noted['note'] as Answer)['position'], note?.position)
    const refused = await cli(stateDir, ['incident', 'drop', 'inc-1'])
    assert.is(refused.code, 2)
    assert.match(refused.stderr, /1 notes would be gone for good/)
    assert.is((await cli(stateDir, ['incident', 'drop', '1', '--yes'])).code, 0)
    assert.is(existsSync(join(stateDir, 'incidents', 'inc-1')), false)
  }),
)

incident('IN2 only the owner may read what is written', () =>
  withStory(async (stateDir) => {
    await cli(stateDir, ['incident', 'new', 'x', '--range', '1..'])
    await cli(stateDir, ['incident', 'export'])

    const directory = join(stateDir, 'incidents', 'inc-1')
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
    assert.is(mode(join(stateDir, 'incidents')), '700')
    assert.is(mode(directory), '700')
    assert.is(mode(join(directory, 'incident.json')), '600')
    assert.is(mode(join(directory, 'inc-1-skeleton.ocinc')), '600')
  }),
)

incident('IN3 without incident, range or title there is a refusal that says so', () =>
  withStory(async (stateDir) => {
    const refusals: [string[], number, RegExp][] = [
      [['incident', 'show'], 10, /none yet/],
      [['incident', 'new'], 2, /TITLE is missing/],
      [['incident', 'new', ' '], 2, /1 to 200 characters/],
      [['incident', 'new', 'x', '--sev', '9'], 2, /from 1 to 5/],
      [['incident', 'new', 'x', '--range', '99'], 10, /#99/],
      [['incident', 'show', '../../etc'], 10, /expected inc-N/],
      [['incident', 'verify', 'nowhere.ocinc'], 10, /no such file/],
      [['incident', 'redact', 'a', '-o', 'b'], 2, /--bodies/],
      [['incident', 'export', '--range', '1..', '--bodies', 'ful'], 2, /did you mean full/],
    ]
    for (const [args, code, message] of refusals) {
      const ended = await cli(stateDir, args)
      assert.is(ended.code, code, `${args.join(' ')}: ${ended.stderr}`)
      assert.match(ended.stderr, message)
    }
    assert.is((await cli(stateDir, ['incident', 'new', 'without range'])).code, 0)
    const ended = await cli(stateDir, ['incident', 'timeline'])
    assert.equal([ended.code, /has no range yet/.test(ended.stderr)], [10, true])
  }),
)

incident('IN4 timeline and report tell what was lost, with the command that shows it', () =>
  withStory(async (stateDir, from) => {
    await cli(stateDir, ['incident', 'new', 'no <b>reply</b>', '--range', `${from}..`])
    await cli(stateDir, ['incident', 'note', '#12', 'a | b [x](javascript:1)'])

    const markdown = (await cli(stateDir, ['incident', 'timeline', '--md'])).stdout
    const report = (await cli(stateDir, ['incident', 'report'])).stdout
    const told = await json(stateDir, ['incident', 'timeline'])

    assert.match(markdown, /^\| time \(UTC\) \| what \| evidence \| command that shows it \|$/m)
    assert.match(markdown, /message\.deliver lost.*`openclaw why '#9'`/)
    assert.match(markdown, /a \\\| b \\\[x\\\]/)
    for (const line of markdown.trim().split('\n'))
      assert.is(line.replaceAll('\\|', '').split('|').length, 6, line)
    assert.match(report, /no \\<b\\>reply/)
    assert.match(report, /effects: 3 done, 1 lost/)
    assert.ok((told['lines'] as unknown[]).length > 10)
  }),
)

incident('IN5 a file is exported, verified, opened, redacted and imported elsewhere', () =>
  withStory(async (stateDir, from, to) => {
    const file = join(stateDir, 'x.ocinc')
    const less = join(stateDir, 'y.ocinc')
    await cli(stateDir, ['incident', 'new', 'no reply', '--range', `${from}..`])
    const wrote = await cli(stateDir, ['incident', 'export', '-o', file, '--bodies', 'masked'])
    assert.match(wrote.stdout, /^wrote .*x\.ocinc \d\.\d kB: 17 of 17 records, 4 bodies/)

    const verified = await json(stateDir, ['incident', 'verify', file])
    const opened = await cli(stateDir, ['incident', 'open', file])
    const whole = await cli(stateDir, ['timeline', 'start..', '--journal', file])
    await cli(stateDir, ['incident', 'redact', file, '-o', less, '--bodies', 'skeleton'])

    assert.equal([verified['ok'], verified['schema']], [true, 'openclaw-verify/1'])
    assert.match(whole.stdout, /\d+ records here are not in this file/)
    assert.match(opened.stdout, /states recomputed by other code/)
    assert.match(opened.stdout, /^ {2}delivery {2,}changed/m)
    assert.match(opened.stdout, /next:/)
    await withDirectory(async (elsewhere) => {
      assert.is((await cli(elsewhere, ['incident', 'import', less])).stdout.split('\n')[0], 'inc-1')
      rmSync(less)
      const lines = await cli(elsewhere, ['incident', 'timeline', 'inc-1'])
      assert.match(lines.stdout, /effect\.lost ⇒ uncertain/)
      const range = ['incident', 'timeline', '--journal', 'inc-1', '--range', 'inc:1/A..inc:1/B']
      assert.is((await cli(elsewhere, range)).stdout, lines.stdout)
      assert.is((await cli(elsewhere, ['incident', 'export', 'inc-1'])).code, 2)
    })
    assert.ok(to > from)
  }),
)

incident(
  'IF10 a file for others has pseudonyms; --names keeps names, hashes and what is said of them',
  () =>
    withStory(async (stateDir) => {
      const range = ['incident', 'export', '--range', '1..', '-o']
      const [other, named, less] = ['other', 'named', 'less'].map((name) =>
        join(stateDir, `${name}.ocinc`),
      )

      const wrote = await cli(stateDir, [...range, other!])
      const kept = await cli(stateDir, [...range, named!, '--names'])
      await cli(stateDir, ['incident', 'redact', named!, '-o', less!, '--bodies', 'skeleton'])

      assert.match(wrote.stderr, 'Hashes are its own: replayable.')
      assert.match(wrote.stderr, /Pseudonyms stand for \d+ people and rooms/)
      assert.match(kept.stderr, /Records, hashes and states unchanged: replayable/)
      const verified = await json(stateDir, ['incident', 'verify', other!])
      assert.equal(
        [verified['ok'], verified['pseudonyms'], verified['proofs']],
        [true, true, 'none'],
      )
      const lines = async (file: string) =>
        (await cli(stateDir, ['timeline', '--all', '--ndjson', '--journal', file])).stdout
      assert.match(await lines(named!), 'direct:ann')
      for (const file of [other!, less!]) assert.not.match(await lines(file), /\bann\b/)
      assert.is((await json(stateDir, ['incident', 'verify', named!]))['pseudonyms'], false)
    }),
)

incident('IN6 a file that was touched is told: 12, and is not imported', () =>
  withStory(async (stateDir) => {
    const file = join(stateDir, 'x.ocinc')
    await cli(stateDir, ['incident', 'export', '--range', '1..', '-o', file])
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(file, bytes)

    for (const verb of ['verify', 'open', 'import']) {
      const { code, stderr } = await cli(stateDir, ['incident', verb, file])
      assert.equal([verb, code], [verb, 12])
      assert.match(stderr, /the digest differs/)
    }
    assert.is(existsSync(join(stateDir, 'incidents')), false)
  }),
)

incident('IN7 full texts leave only when somebody says so', () =>
  withStory(async (stateDir) => {
    const file = join(stateDir, 'x.ocinc')
    const args = ['incident', 'export', '--range', '1..', '-o', file, '--bodies', 'full']

    const refused = await cli(stateDir, args)
    assert.equal([refused.code, existsSync(file)], [2, false])
    assert.match(refused.stderr, /in clear; add --yes/)
    assert.is((await cli(stateDir, [...args, '--yes'])).code, 0)

    const verified = await json(stateDir, ['incident', 'verify', file])
    const { tier, count, proved } = verified['bodies'] as Record<string, unknown>
    assert.equal([tier, proved], ['full', count])
  }),
)

incident('IN8 marks: a note by a part of its text, an incident by its ends', () =>
  withStory(async (stateDir) => {
    const note = { address: '#9', position: 9, author: 'ann', at: 1, command: '' }
    const source = { ...(await openSource(stateDir)), stateDir }
    const incidents = openIncidents(stateDir)
    incidents.create(
      draft({
        ranges: [
          { from: 4, to: 9, text: '' },
          { from: 7, to: 15, text: '' },
        ],
        notes: [
          { ...note, text: 'Delivery stuck here' },
          { ...note, position: 11, address: '#11', text: 'restart, stuck' },
        ],
      }),
    )
    const find = findMarkIn(source)

    assert.is(find('note', 'delivery', null), 9)
    assert.is(find('note', '#11', null), 11)
    assert.equal([find('inc', '1/A', null), find('inc', 'inc-1/B', null)], [4, 15])
    assert.is(find('inc', '1', null), 4)
    await refusal(() => find('note', 'stuck', null), 'USAGE')
    await refusal(() => find('note', 'nothing', null), 'NOT_FOUND')
    await refusal(() => find('inc', '2', null), 'NOT_FOUND')
    await refusal(() => find('fork', 'x', null), 'NOT_FOUND')
    await source.close()
  }),
)

incident('IN9 ids are never given twice, and a document that is damaged hides no other', () =>
  withDirectory(async (stateDir) => {
    const incidents = openIncidents(stateDir)
    assert.is(incidents.create(draft()).id, 'inc-1')
    mkdirSync(join(stateDir, 'incidents', 'inc-7'))
    assert.is(incidents.create(draft()).id, 'inc-8')
    writeFileSync(join(stateDir, 'incidents', 'inc-8', 'incident.json'), '{"schema":')

    assert.equal(
      incidents.list().map(({ id }) => id),
      ['inc-1'],
    )
    assert.is(incidents.read('inc-1').id, 'inc-1')
    await refusal(() => incidents.read('8'), 'RECORD_FORMAT')
  }),
)

incident('IN9 two who write at once do not lose each other; a dead one holds nobody up', () =>
  withDirectory(async (stateDir) => {
    const incidents = openIncidents(stateDir)
    const { id } = incidents.create(draft())
    const claim = join(incidents.directory(id), 'incident.claim')
    const rename = () => incidents.update(id, (now) => ({ ...now, title: 'y' }))

    writeFileSync(claim, String(process.ppid))
    await refusal(rename, 'UNAVAILABLE')
    writeFileSync(claim, '999999999')
    assert.is(rename().title, 'y')

    assert.equal([incidents.read(id).title, existsSync(claim)], ['y', false])
    await refusal(() => incidents.update('7', (now) => now), 'NOT_FOUND')
  }),
)

incident('IN10 a note cannot pass for lines of the timeline, nor command a terminal', () =>
  withStory(async (stateDir) => {
    await cli(stateDir, ['incident', 'new', 'x', '--range', '1..'])
    await cli(stateDir, [
      'incident',
      'note',
      '#1',
      'a\n2026-11-22T10:30:00.000Z  #2  forged \u001b[2J',
    ])

    const { stdout } = await cli(stateDir, ['incident', 'timeline'])

    assert.is(stdout.match(/forged/g)?.length, 1)
    assert.not.match(stdout, /^2026-11-22T10:30:00\.000Z {2}#2 {2}forged/m)
    assert.not.ok(stdout.includes('\u001b'))
  }),
)

incident('IN10 a place that cannot be written is told, and nothing is left there', () =>
  withStory(async (stateDir) => {
    const file = join(stateDir, 'nowhere', 'x.ocinc')

    const ended = await cli(stateDir, ['incident', 'export', '--range', '1..', '-o', file])

    assert.is(ended.code, 1)
    assert.match(ended.stderr, /not written/)
  }),
)

incident.run()
