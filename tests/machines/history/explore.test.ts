/** Crashes after every record: nothing is lost, sent twice or stuck; planted bugs are found. K6. */
import '../../../actors/trap.ts'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import {
  type Exploration,
  exploreSegment,
  type Violation,
} from '../../../machines/history/explore.ts'
import type { Kinds } from '../../../machines/history/source.ts'
import type { Segment } from '../../../machines/history/segment.ts'
import { type Code, codeOf } from '../../../machines/history/take.ts'
import { checkControl, CONTROL, rerunSegment } from '../../../machines/history/fork.ts'
import { compiled } from '../../support/process.ts'
import { cases } from '../../store/cases.ts'
import { withDirectory } from '../../support/directory.ts'
import { ourCode, patchMachines, recordTraffic } from '../../support/traffic.ts'

const test = cases('explore')
const traffic = await recordTraffic()

async function patched(
  directory: string,
  file: string,
  change: readonly [string, string],
): Promise<Code> {
  patchMachines(directory, file, change)
  symlinkSync(compiled('../node_modules'), join(directory, 'node_modules'))
  const path = join(directory, 'dist', 'machines', 'kinds.js')
  const { kinds } = (await import(pathToFileURL(path).href)) as { kinds: Kinds }
  return codeOf('patched', kinds)
}

function found({ violations }: Exploration): string[] {
  return [...new Set(violations.map(({ invariant }) => invariant))].toSorted()
}

test('X-1 our machines survive a crash after every record', () => {
  const { points, violations } = exploreSegment(traffic.segment(), ourCode(), { budget: 500 })

  assert.is(points, traffic.records().length)
  assert.equal(violations, [])
})

test('X-1 a stretch that begins late, in the midst of things, survives as well', () => {
  for (const at of [9, 30, 39]) {
    assert.equal(exploreSegment(traffic.segment(at), ourCode(), { budget: 500 }).violations, [])
  }
})

test('X-1 the budget bounds the crash points, evenly', () => {
  const { points } = exploreSegment(traffic.segment(), ourCode(), { budget: 10 })

  assert.ok(points >= 5 && points <= 10, `${points} points`)
})

test('X-2 a run that does not hear of a lost call is found: replies are lost, actors wait', () =>
  withDirectory(async (directory) => {
    const code = await patched(directory, 'run.js', ["'effect.lost': [", "'effect.gone': ["])
    const shown: [Violation, Segment][] = []

    const exploration = exploreSegment(traffic.segment(0, 12), code, { budget: 500 }, (...each) => {
      shown.push(each)
    })

    assert.equal(found(exploration), ['reply.lost', 'waits.forever'])
    const call = traffic.find(
      ({ stream, effects }) => stream === 'run:run-m1' && effects.length > 0,
    )
    assert.ok(exploration.violations.some(({ crashAt }) => crashAt === call))
    assert.is(shown.length, exploration.violations.length)
    const [, segment] = shown[0]!
    assert.ok(checkControl(segment, rerunSegment(segment, code, CONTROL)).identical)
  }))

test('X-2 a delivery that tries a started one again is found: sent twice', () =>
  withDirectory(async (directory) => {
    const code = await patched(directory, 'delivery.js', ['!event.started', 'true'])

    const exploration = exploreSegment(traffic.segment(0, 12), code, { budget: 500 })

    assert.equal(found(exploration), ['sent.twice'])
    assert.ok(exploration.violations.every(({ stream }) => stream === 'delivery:reply-run-m1'))
  }))

test('X-2 a machine that throws is found and named', () =>
  withDirectory(async (directory) => {
    const code = await patched(directory, 'rules/attempt.js', [
      'attempt: context.attempt + 1',
      "attempt: (() => { throw new Error('planted') })()",
    ])

    const exploration = exploreSegment(traffic.segment(0, 12), code, { budget: 500 })

    assert.ok(found(exploration).includes('machine.throws'))
    assert.ok(exploration.violations.some(({ detail }) => detail === 'planted'))
  }))

test.run()
