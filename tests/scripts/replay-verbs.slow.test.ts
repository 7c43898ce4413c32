/** `openclaw replay` and `openclaw fork`, on a journal that nobody serves and on a copy of it. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readCodeIdentity } from '../../actors/code.ts'
import { readCodeTree } from '../../actors/code-files.ts'
import { type ForkFile, readFork } from '../../actors/forks.ts'
import { openBranch } from '../../machines/history/branch.ts'
import { findMarkIn } from '../../scripts/history/marks.ts'
import { type Source, withSource } from '../../scripts/history/source.ts'
import { archiveId, type CodeArchive, formatArchive } from '../../store/code-archive.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { compiled } from '../support/process.ts'
import { patchMachines, type Traffic, writeTraffic } from '../support/traffic.ts'

const test = cases('replay verbs')

interface Scene {
  readonly stateDir: string
  readonly directory: string
  readonly traffic: Traffic
  readonly run: (...args: string[]) => Promise<{ code: number | null; out: string; err: string }>
  readonly json: (...args: string[]) => Promise<Record<string, unknown>>
}

function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    mkdirSync(stateDir)
    const traffic = await writeTraffic(stateDir, readCodeIdentity())
    const call: Scene['run'] = async (...args) => {
      const { code, stdout, stderr } = await cli(stateDir, args)
      return { code, out: stdout, err: stderr }
    }
    const json: Scene['json'] = async (...args) =>
      JSON.parse((await call(...args, '--json')).out) as Record<string, unknown>
    await run({ stateDir, directory, traffic, run: call, json })
  })
}

const deaf = (directory: string): string =>
  patchMachines(join(directory, 'deaf'), 'run.js', ["'effect.lost': [", "'effect.gone': ["])

test('V-1 replay of what we recorded is identical: text, JSON, NDJSON, and a copy', () =>
  withScene(async ({ run, json, stateDir, directory, traffic }) => {
    const events = traffic.records().filter(({ kind }) => kind === 'event').length
    const copy = join(directory, 'copy')
    cpSync(stateDir, copy, { recursive: true })

    const text = await run('replay')
    const document = await json('replay')
    const lines = (await run('replay', '5..20', '--ndjson')).out.trim().split('\n')
    const copied = await run('replay', '--journal', copy, '--with', 'recorded')

    assert.equal([text.code, text.out], [0, `${events} records, ${events} identical, 0 differ\n`])
    assert.equal([document['ok'], document['worst'], document['first']], [true, 'same', null])
    assert.equal(
      lines.map((line) => (JSON.parse(line) as { t: string }).t),
      ['head', 'end'],
    )
    assert.equal([copied.code, copied.out], [0, text.out])
  }))

test('V-1 other code that differs ends with 11, unless it was expected', () =>
  withScene(async ({ run, directory, traffic }) => {
    const other = deaf(directory)
    const lost = traffic.find(
      ({ event, stream }) => event.type === 'effect.lost' && stream.startsWith('run:'),
    )

    const { code, out } = await run('replay', '--with', other)
    const lines = (await run('replay', '--with', other, '--ndjson')).out.trim().split('\n')
    const allowed = await run('replay', '--with', other, '--allow', 'STATE:run:*')

    assert.is(code, 11)
    assert.match(out, `first at #${lost}`)
    const [head, first] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    const end = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>
    assert.is(head?.['schema'], 'openclaw-replay/1')
    assert.equal([first?.['t'], first?.['position'], first?.['class']], ['diff', lost, 'STATE'])
    assert.equal([end['exit'], end['first'], end['worst']], [11, lost, 'STATE'])
    assert.is(allowed.code, 0)
  }))

test('V-2 exploration finds nothing in ours, and writes out what it finds in others', () =>
  withScene(async ({ run, json, directory }) => {
    const out = join(directory, 'violations')

    const ours = await json('replay', '--explore', 'crash', '--budget', '20')
    const theirs = await run(
      'replay',
      '..12',
      '--explore',
      'crash',
      '--with',
      deaf(directory),
      '--out',
      out,
    )

    assert.equal([ours['ok'], ours['violations']], [true, []])
    assert.is(theirs.code, 11)
    assert.match(theirs.out, /^12 crash points, \d+ lose a reply, 0 send twice/)
    const file = readdirSync(out).find((name) => /^crash-\d+-reply\.lost\.ocinc$/.test(name)) ?? ''
    // The file is an incident like any other; ours tells another story from it.
    const opened = await run('incident', 'open', join(out, file))
    assert.match(opened.out, /explored, not recorded: reply\.lost/)
    const replayed = await json('replay', out)
    assert.ok(Number(replayed['files']) > 0)
    assert.is(replayed['failed'], replayed['files'])
    const timeline = await json('timeline', 'start..', '--journal', join(out, file))
    assert.ok(
      (timeline['records'] as { type: string }[]).some(({ type }) => type === 'effect.lost'),
    )
  }))

test('V-1 incident files are a regression corpus: one that differs fails, and is named', () =>
  withScene(async ({ run, json, directory }) => {
    const corpus = join(directory, 'corpus')
    mkdirSync(corpus)
    for (const range of ['#1..#20', '#5..']) {
      const file = join(corpus, `${range.replaceAll(/\W/g, '')}.ocinc`)
      assert.is((await run('incident', 'export', '--range', range, '-o', file)).code, 0)
    }

    const same = await json('replay', corpus)
    const lines = (await run('replay', corpus, '--with', deaf(directory), '--ndjson')).out.trim()
    const [head, ...rest] = lines
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

    assert.equal([same['ok'], same['files'], same['failed']], [true, 2, 0])
    assert.is(head?.['schema'], 'openclaw-replay/1')
    const files = rest.filter(({ t }) => t === 'file')
    assert.is(files.length, 2)
    assert.ok(files.some(({ worst, first }) => worst === 'STATE' && typeof first === 'number'))
    assert.is(rest.at(-1)?.['exit'], 11)
    const empty = join(directory, 'empty')
    mkdirSync(empty)
    assert.is((await run('replay', empty)).code, 10)
  }))

test('S55 code that came in an incident file runs only where that is asked for', () =>
  withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    const id = await writeForeign(stateDir, join(directory, 'code'))
    const run = (...args: string[]) => cli(stateDir, args)
    const file = join(directory, 'one.ocinc')
    const cut = ['incident', 'export', '--range', '#1..#9', '-o', file]
    assert.is((await run(...cut, '--with-code')).code, 0)
    assert.is.not(id, readCodeIdentity())

    for (const named of [[file], ['--journal', file]]) {
      const replay = ['replay', ...named, '--with', 'recorded']
      const refused = await run(...replay)
      const allowed = await run(...replay, '--run-code')

      assert.equal([refused.code, refused.stderr.includes(id)], [10, true], refused.stderr)
      assert.is(allowed.code, 0, allowed.stderr)
      assert.match(allowed.stdout, '9 records, 9 identical')
    }
  }))

test('S55 records of our own code need none of an incident file', () =>
  withScene(async ({ run, directory }) => {
    const file = join(directory, 'one.ocinc')
    await run('incident', 'export', '--range', '#1..#9', '-o', file)

    assert.is((await run('replay', file, '--with', 'recorded')).code, 0)
    assert.is((await run('replay', file, '--with', 'recorded', '--run-code')).code, 0)
  }))

/** Makes a journal and keeps in it the code that wrote it: like ours, with an id of its own. */
async function writeForeign(stateDir: string, directory: string): Promise<string> {
  const begin = 'import { channelMachine'
  const { files } = readCodeTree(
    patchMachines(directory, 'kinds.js', [begin, `// foreign\n${begin}`]),
  )
  const { xstate, immer } = JSON.parse(readFileSync(compiled('code.json'), 'utf8')) as CodeArchive
  const archive = { files, xstate, immer }
  const id = archiveId(archive)
  mkdirSync(stateDir)
  await writeTraffic(stateDir, id)
  const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
  await store.putCode(id, formatArchive(archive))
  await store.close()
  return id
}

test('V-3 a fork without an edit is its own control, and is kept 0600', () =>
  withScene(async ({ json, stateDir }) => {
    const made = await json('fork', '--at', '#30', '--as', 'same')

    assert.equal(
      [made['ok'], made['schema'], made['firstDivergence']],
      [true, 'openclaw-fork/1', null],
    )
    assert.equal(made['control'], { identical: true, records: 28 })
    assert.is((made['effects'] as { live: number }).live, 0)
    assert.is(statSync(join(stateDir, 'forks', 'same.json')).mode & 0o777, 0o600)
  }))

test('V-3 a fork is listed, shown, compared, resolved, read as history, and dropped', () =>
  withScene(async ({ run, json, stateDir, traffic }) => {
    const message = traffic.find(({ event }) => event['messageId'] === 'm4')
    const session = 'agent:main:irc:direct:ann'
    const made = await json(
      'fork',
      '--session',
      session,
      '--at',
      `#${message - 1}`,
      '--skip',
      `#${message}`,
      '--as',
      'skipped',
    )

    assert.is(made['firstDivergence'], message)
    assert.match((await run('fork', 'ls')).out, '@skipped')
    assert.equal(await json('fork', 'show', 'skipped'), made)
    const rows = (await json('fork', 'diff', 'skipped'))['records'] as unknown[]
    assert.ok(rows.length > 0)
    const fork = readFork(stateDir, 'skipped')
    await withSource(stateDir, (source) => checkBranch(source, fork))
    assert.is((await run('fork', 'drop', 'skipped')).code, 0)
    assert.is((await run('fork', 'show', 'skipped')).code, 10)
  }))

function checkBranch(source: Source, fork: ForkFile): void {
  const branch = openBranch(source.history, fork)
  const find = findMarkIn(source)

  assert.is(find('fork', 'skipped', null), branch.head())
  assert.is(find('fork', 'skipped', fork.at + 1), fork.at + 1)
  assert.throws(() => find('fork', 'skipped', branch.head() + 1), /this fork has/)
  assert.throws(() => find('fork', 'nobody', null), /no fork is called/)
  assert.is(branch.read(fork.at + 1)?.stateHash, fork.records[0]?.stateHash)
}

test('V-3 edits come several times, and answers from files', () =>
  withScene(async ({ json, directory, traffic }) => {
    const asked = traffic.find(
      ({ stream, effects }) => stream === 'run:run-m1' && effects.length > 0,
    )
    const m1 = traffic.find(({ event }) => event['messageId'] === 'm1')
    const m4 = traffic.find(({ event }) => event['messageId'] === 'm4')
    const file = join(directory, 'answer.json')
    writeFileSync(file, '{"type":"effect.failed","class":"auth","retryable":false}')

    const made = await json(
      'fork',
      '--at',
      `#${asked}`,
      '--answer',
      `#${asked}.e0=@${file}`,
      '--skip',
      `#${m4}`,
      '--delay',
      `#${asked + 1} +500ms`,
    )

    const outcomes = made['outcomes'] as { target: string; branch: string }[]
    const end = (target: string) => outcomes.find((each) => each.target === target)?.branch
    assert.equal([end(`reply-to:#${m1}`), end(`reply-to:#${m4}`)], ['failed', 'absent'])
  }))

test('V-4 a history that this code does not tell has no what-if: 11, and no file', () =>
  withDirectory(async (stateDir) => {
    await writeTraffic(stateDir, 'cccccccccccccccc', (record) =>
      record.position === 40 ? { ...record, stateHash: '0'.repeat(16) } : record,
    )

    const { code, stderr } = await cli(stateDir, ['fork', '--at', '#10', '--skip', '#12'])

    assert.equal([code, stderr.includes('differs at #40')], [11, true], stderr)
    assert.not(existsSync(join(stateDir, 'forks')))
  }))

test('V-4 a fork never takes the place of another', () =>
  withScene(async ({ run, stateDir }) => {
    await run('fork', '--at', '#50', '--as', 'mine')
    const before = readFileSync(join(stateDir, 'forks', 'mine.json'), 'utf8')

    const again = await run('fork', '--at', '#40', '--as', 'mine')

    assert.equal([again.code, again.err.includes('exists')], [2, true])
    assert.is(readFileSync(join(stateDir, 'forks', 'mine.json'), 'utf8'), before)
  }))

test('V-4 what cannot be done is refused with its exit code', () =>
  withScene(async ({ run }) => {
    const refused: [number, ...string[]][] = [
      [2, 'fork'],
      [2, 'fork', '--at', 'head'],
      [2, 'fork', '--at', '#30', '--skip', '#3'],
      [2, 'fork', '--at', '#30', '--as', '../outside'],
      [2, 'fork', '--at', '#30', '--answer', '#31.e0=@/nowhere'],
      [2, 'replay', '--allow', 'LOUD'],
      [2, 'replay', '--budget', '5'],
      [2, 'replay', '@some#3..'],
      [2, 'fork', '--at', '@some#3'],
      [2, 'replay', '--explore', 'races'],
      [10, 'replay', '--with', 'feedfeedfeedfeed'],
      [10, 'replay', '#4000..'],
      [10, 'fork', '--at', '#30', '--session', 'nobody'],
      [14, 'fork', '--at', '#30', '--live'],
      [14, 'fork', 'promote', 'x'],
    ]
    for (const [code, ...args] of refused) {
      const ended = await run(...args)

      assert.is(ended.code, code, `${args.join(' ')}: ${ended.err}`)
    }
  }))

test.run()
