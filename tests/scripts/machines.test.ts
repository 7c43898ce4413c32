/** `openclaw machines`: what there is, and where an actor stood, from a journal or a file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const machines = cases('machines verbs')
const FILE = fileURLToPath(new URL('../../../tests/incidents/reply-lost.ocinc', import.meta.url))

machines('MV1 every machine is listed, and drawn without a journal', () =>
  withDirectory(async (stateDir) => {
    const list = await cli(stateDir, ['machines', 'ls'])
    const chart = await cli(stateDir, ['machines', 'chart', 'delivery'])

    assert.match(list.stdout, /^delivery {2,}\d+ transitions {2,}new, attempting, waiting/m)
    assert.match(list.stdout, /^code [0-9a-f]{16}$/m)
    assert.equal([chart.code, chart.stderr], [0, ''])
    assert.match(chart.stdout, /│ attempting │/)
  }),
)

machines('MV2 an actor of an incident file is shown where it was then, and is now', () =>
  withDirectory(async (stateDir) => {
    const actor = ['--journal', FILE, '--actor', 'delivery:reply-run-502']
    const now = await cli(stateDir, ['machines', 'chart', ...actor])
    const then = await cli(stateDir, [
      'machines',
      'chart',
      ...actor,
      '--at',
      'last(type=effect.started)~0',
    ])
    const before = await cli(stateDir, ['machines', 'chart', ...actor, '--at', '#9'])

    assert.match(now.stdout, /║ ■ uncertain ║/)
    assert.match(before.stdout, /║ ■ attempting ║/)
    assert.is(then.code, 2)
  }),
)

machines('MV3 SVG goes to a file; refusals say what would do', () =>
  withDirectory(async (stateDir) => {
    const file = join(stateDir, 'run.svg')
    await cli(stateDir, ['machines', 'chart', 'run', '--format', 'svg', '-o', file])
    assert.match(readFileSync(file, 'utf8'), /^<svg xmlns=/)

    const unknown = await cli(stateDir, ['machines', 'chart', 'deliver'])
    const nobody = await cli(stateDir, ['machines', 'chart', 'run', '--at', '#1'])
    const other = await cli(stateDir, [
      'machines',
      'chart',
      'run',
      '--journal',
      FILE,
      '--actor',
      'channel:irc',
    ])

    assert.equal([unknown.code, nobody.code, other.code], [2, 2, 2])
    assert.match(unknown.stderr, /did you mean delivery/)
    assert.match(nobody.stderr, /--at needs/)
    assert.match(other.stderr, /is a channel, not a run/)
  }),
)

machines.run()
