/**
 * Tools of the house: the test runner's verdicts and the identity of the code.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { identify } from '../../scripts/code-identity.ts'
import { judge } from '../../scripts/test.ts'
import { withDirectory } from '../support/directory.ts'
import { compiled } from '../support/process.ts'

const tools = suite('tools')

function uvu(total: number, passed: number, skipped = 0): string {
  return `\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1.00ms\n`
}

tools('T1 a test file has passed only if it ran, passed whole and ended by itself', () => {
  const cases = [
    [
      { code: 0, output: uvu(5, 5) },
      { passed: 5, failed: 0, skipped: 0 },
    ],
    [
      { code: 0, output: uvu(2, 2) + uvu(3, 3) },
      { passed: 5, failed: 0, skipped: 0 },
    ],
    [
      { code: 0, output: uvu(3, 3, 2) },
      { passed: 3, failed: 0, skipped: 2 },
    ],
    [
      { code: 1, output: uvu(5, 3) },
      { passed: 3, failed: 2, skipped: 0 },
    ],
    [
      { code: 1, output: uvu(5, 5) },
      { passed: 5, failed: 1, skipped: 0 },
    ],
    [
      { code: null, output: uvu(5, 5) },
      { passed: 5, failed: 1, skipped: 0 },
    ],
    [
      { code: 0, output: '' },
      { passed: 0, failed: 1, skipped: 0 },
    ],
    [
      { code: 0, output: uvu(0, 0) },
      { passed: 0, failed: 1, skipped: 0 },
    ],
    [
      { code: 0, output: uvu(0, 0, 2) },
      { passed: 0, failed: 1, skipped: 2 },
    ],
  ] as const
  for (const [ended, outcome] of cases) {
    assert.equal(judge({ ...ended, timedOut: false }), outcome, JSON.stringify(ended))
  }
})

tools('T2 the runner says when nothing matches, and fails', () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [compiled('scripts/test.js'), 'no-such-test'],
    {
      encoding: 'utf8',
    },
  )

  assert.is(status, 1)
  assert.match(stdout, /no test file matches no-such-test\n\n0 passed, 1 failed\n$/)
})

tools(
  'K8 the identity changes with the code that folds records, and with nothing else',
  async () => {
    await withDirectory(async (dist) => {
      const write = (path: string, text: string): void => {
        mkdirSync(join(dist, path, '..'), { recursive: true })
        writeFileSync(join(dist, path), text)
      }
      let version = '1.0.0'
      const id = (): string => identify(dist, () => version).id
      write(
        'machines/session.js',
        "import { x } from '../shared/deep.js'\nimport { assign } from 'xstate'\nimport '../protocol/ids.js'\n",
      )
      write('protocol/ids.js', 'export const id = 1\n')
      write('shared/deep.js', "export { y as x } from './deeper.js'\n")
      write('shared/deeper.js', 'export const y = 1\n')
      write('actors/gateway.js', 'one')
      write('protocol/methods.js', 'one')
      write('machines/history/why.js', 'one')
      const first = identify(dist, () => version)

      assert.match(first.id, /^[0-9a-f]{16}$/)
      assert.equal(Object.keys(first.files), [
        'machines/session.js',
        'protocol/ids.js',
        'shared/deep.js',
        'shared/deeper.js',
      ])
      for (const path of ['actors/gateway', 'protocol/methods', 'machines/history/why']) {
        write(`${path}.js`, 'two')
      }
      assert.is(id(), first.id)
      write('shared/deeper.js', 'export const y = 2\n')
      assert.is.not(id(), first.id)
      write('shared/deeper.js', 'export const y = 1\n')
      assert.is(id(), first.id)
      renameSync(join(dist, 'machines/session.js'), join(dist, 'machines/talk.js'))
      assert.is.not(id(), first.id)
      renameSync(join(dist, 'machines/talk.js'), join(dist, 'machines/session.js'))
      version = '1.0.1'
      assert.is.not(id(), first.id)
      rmSync(join(dist, 'actors'), { recursive: true })
    })
  },
)

tools.run()
