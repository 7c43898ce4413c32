/** The history verbs over a journal with compacted actors: what is left is answered. Rule H3.7. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readCodeIdentity } from '../../actors/code.ts'
import { openLog } from '../../scripts/history/library.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { compactTraffic, patchMachines, writeTraffic } from '../support/traffic.ts'

const test = cases('pruned verbs')
const SESSION: StreamId = 'session:agent:main:irc:direct:ann'
const GONE: readonly StreamId[] = [SESSION, 'gateway:main', 'delivery:d1']

interface Scene {
  readonly stateDir: string
  readonly directory: string
  readonly oldest: number // position of the oldest state of the session that is left
  readonly run: (...args: string[]) => Promise<{ code: number | null; out: string; err: string }>
  readonly json: (...args: string[]) => Promise<Record<string, unknown> & { exit: number | null }>
}

function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    mkdirSync(stateDir)
    const code = readCodeIdentity()
    const records = (await writeTraffic(stateDir, code)).records()
    await compactTraffic(stateDir, code, GONE)
    const oldest = records.findLast(({ stream }) => stream === SESSION)?.position ?? 0
    const call: Scene['run'] = async (...args) => {
      const { code: exit, stdout, stderr } = await cli(stateDir, args)
      return { code: exit, out: stdout, err: stderr }
    }
    const json: Scene['json'] = async (...args) => {
      const { code: exit, out } = await call(...args, '--json')
      return { ...(JSON.parse(out) as Record<string, unknown>), exit }
    }
    await run({ stateDir, directory, oldest, run: call, json })
  })
}

test('H3.7 replay and verify --deep check what is left, say what is gone, and end with 0', () =>
  withScene(async ({ run, json, directory }) => {
    for (const verb of [
      ['replay'],
      ['replay', '--with', 'recorded'],
      ['history', 'verify', '--deep'],
    ]) {
      const { code, out } = await run(...verb)

      assert.is(code, 0, out)
      assert.match(out, /HISTORY_PRUNED {2}\d+ records of 3 actors were compacted away/)
      for (const stream of GONE) assert.match(out, new RegExp(`${stream}  +versions 1 to \\d+  +#`))
      assert.match(out, '3 records were not recomputed: snapshots stand for their states')
    }
    const other = patchMachines(join(directory, 'same'), 'run.js', [
      "'effect.lost'",
      "'effect.lost'",
    ])
    const { code, out } = await run('replay', '--with', other)
    assert.is(code, 0, out)
    const { states, ok } = await json('history', 'verify', '--deep')
    const { holes } = states as { holes: { ranges: { stream: string }[]; lost: number } }
    assert.is(ok, true)
    assert.equal(holes.ranges.map(({ stream }) => stream).toSorted(), GONE.toSorted())
  }))

test('H3.7 replay ends with 13 only where nothing is left, and 11 where what is left differs', () =>
  withScene(async ({ run, json, directory }) => {
    const none = await json('replay', '1..1')
    const part = await json('replay', '1..8')
    const other = patchMachines(join(directory, 'deaf'), 'run.js', [
      "'effect.lost': [",
      "'effect.gone': [",
    ])
    const differs = await run('replay', '--with', other)

    assert.equal([none['exit'], none['records']], [13, 0])
    assert.is(part.exit, 0)
    assert.ok(Number(part['records']) > 0)
    assert.is(differs.code, 11)
    assert.match(differs.out, 'HISTORY_PRUNED')
  }))

test('H3.7 a compacted actor whose snapshot is gone is damage: verify --deep ends with 12', () =>
  withScene(async ({ run, stateDir, oldest }) => {
    const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
    await store.putSnapshot(SESSION, store.version(SESSION), Buffer.from([0x80])) // An empty map.
    await store.close()

    const { code, out } = await run('history', 'verify', '--deep')
    const replay = await run('replay')

    assert.is(code, 12, out)
    assert.match(out, `FAULT  #${oldest}: what came before was compacted away`)
    assert.is(replay.code, 0)
    assert.match(replay.out, `nothing stands for what came before them (first #${oldest})`)
  }))

test('H3.7 states, differences, causes and searches answer in part and refuse in words', () =>
  withScene(async ({ run, json, oldest }) => {
    const before = `#${oldest - 1}`
    const state = await json('state', '--session', 'agent:main:irc:direct:ann', '--at', before)
    const error = state['error'] as { code: string; message: string }
    assert.equal([state.exit, error.code], [13, 'HISTORY_PRUNED'])
    assert.match(error.message, `the oldest state left is behind #${oldest}`)

    assert.is((await run('state', '--at', '#1')).code, 13)
    assert.is((await run('why', '#1')).code, 13)
    const all = await json('state', '--all', '--at', before)
    const untold = all['pruned'] as { stream: string; oldest: number }[]
    assert.is(all.exit, 0)
    assert.ok(untold.some((each) => each.stream === SESSION && each.oldest === oldest))
    assert.match((await run('state', '--all', '--at', before)).out, `${SESSION}: HISTORY_PRUNED`)

    assert.is((await run('diff', `#${oldest}`, 'head', '--actor', SESSION)).code, 0)
    assert.is((await run('diff', before, 'head', '--actor', SESSION)).code, 13)
    assert.is((await run('why', '--path', '/turn', '--actor', SESSION)).code, 13)
    assert.is((await run('bisect', '--actor', SESSION, '--when', 'context.turn > 0')).code, 13)
    assert.is((await run('bisect', '--actor', SESSION, '--when', 'context.turn < 0')).code, 10)
    const found = await run('find', 'type=message.received')
    assert.is(found.code, 0)
    assert.match(found.err, 'records of this stretch were compacted away')
    const where = await run('find', '--where', 'context.turn > 0', '--actor', SESSION)
    assert.equal([where.code, where.out.trim().split('\n').length], [0, 1])
  }))

test('H3.7 timeline tells how many are gone, and ends with 13 where all are', () =>
  withScene(async ({ run, json }) => {
    const page = await json('timeline', '1..20')
    const none = await run('timeline', '1..1')

    assert.is(page.exit, 0)
    assert.is((page['records'] as unknown[]).length + Number(page['pruned']), 20)
    assert.equal([none.code, none.out], [13, ''])
    assert.match(none.err, '1 records were compacted away')
  }))

test('H3.7 stats count beside a compacted gateway; a fork begins behind the holes', () =>
  withScene(async ({ run, json, oldest, directory }) => {
    const stats = await json('history', 'stats')
    assert.is(stats.exit, 0)
    assert.equal([stats['compacted'], stats['erased']], [3, 0])
    assert.ok(Number(stats['pruned']) > 3)

    const early = await json('fork', '--at', '#8', '--as', 'early')
    assert.equal([early.exit, (early['error'] as { code: string }).code], [13, 'HISTORY_PRUNED'])
    const late = await run('fork', '--at', `#${oldest}`, '--as', 'late')
    assert.is(late.code, 0, late.err)

    const file = join(directory, 'holes.ocinc')
    await run('incident', 'new', 'holes', '--range', 'start..head')
    assert.is((await run('incident', 'export', '-o', file, '--bodies', 'full', '--yes')).code, 0)
    assert.ok(existsSync(file))
    assert.is((await run('incident', 'verify', file)).code, 0)
    assert.is((await run('replay', file)).code, 0)
  }))

test('H3.7 the library refuses and answers alike', () =>
  withScene(async ({ stateDir, oldest }) => {
    const log = await openLog({ dir: stateDir })
    const at = (position: number) => () => log.state(SESSION, `#${position}`)

    const details = await refusal(at(oldest - 1), 'HISTORY_PRUNED')
    const state = at(oldest)()
    const { length } = [...log.range()]
    await log.close()

    assert.is(details['position'], oldest)
    assert.is(state?.['verified'], true)
    assert.ok(length > 0)
  }))

test.run()
