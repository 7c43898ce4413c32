/** `openclaw upgrade --dry-run`: what another version would make of a journal. Rules UP1–UP3, F47. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readCodeIdentity } from '../../actors/code.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { withReader } from '../support/journal.ts'
import type { Ended } from '../support/process.ts'
import { patchMachines, writeTraffic } from '../support/traffic.ts'

const test = cases('upgrade')

interface Place {
  readonly directory: string
  readonly stateDir: string
  readonly call: (...args: readonly string[]) => Promise<Ended>
}

function withTraffic(run: (place: Place) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    mkdirSync(stateDir)
    await writeTraffic(stateDir, readCodeIdentity())
    await run({ directory, stateDir, call: (...args) => cli(stateDir, ['upgrade', ...args]) })
  })
}

test('UP1 a version that does the same ends with 0, and nothing is written', async () => {
  await withTraffic(async ({ stateDir, directory, call }) => {
    const head = () => withReader(join(stateDir, 'journal'), (reader) => reader.head().position)
    const same = patchMachines(join(directory, 'same'), 'run.js', ['Lists what', 'Names what'])
    const before = await head()

    const own = await call('--dry-run', '--json')
    const other = await call('--dry-run', '--with', same)

    assert.equal([own.code, other.code], [0, 0], other.stderr + other.stdout)
    const report = JSON.parse(own.stdout) as Record<string, unknown>
    assert.equal([report['same'], report['examples']], [report['records'], []])
    assert.is(await head(), before)
  })
})

test('UP2 one that does otherwise ends with 11, and names each class with its first record', async () => {
  await withTraffic(async ({ directory, call }) => {
    const deaf = patchMachines(join(directory, 'deaf'), 'run.js', [
      "'effect.lost': [",
      "'effect.gone': [",
    ])

    const { code, stdout } = await call('--dry-run', '--with', deaf, '--json')
    const text = await call('--dry-run', '--with', deaf)

    assert.equal([code, text.code], [11, 11])
    const { counts, examples } = JSON.parse(stdout) as {
      counts: Record<string, number>
      examples: { class: string; stream: string }[]
    }
    assert.ok((counts['STATE'] ?? 0) > 0)
    assert.match(examples.find((each) => each.class === 'STATE')?.stream ?? '', /^run:/)
    assert.match(text.stdout, / STATE +\d+ +another state, .* first at #\d+ run:/)
  })
})

test('UP3 without --dry-run nothing is done, and what is no version is refused', async () => {
  await withTraffic(async ({ directory, call }) => {
    const bare = await call()
    const nothing = await call('--dry-run', '--with', directory)
    const nowhere = await cli(join(directory, 'none'), ['upgrade', '--dry-run'])

    assert.equal([bare.code, nothing.code, nowhere.code], [2, 10, 10])
    assert.match(bare.stderr, /then restart the gateway/)
  })
})

test.run()
