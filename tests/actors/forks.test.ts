/** Forks as files: whole, private, bounded, and refused where they are damaged. F-6. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import {
  dropFork,
  FORK_SCHEMA,
  type ForkFile,
  listForks,
  readFork,
  writeFork,
} from '../../actors/forks.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'

const test = cases('forks')

function forkOf(name: string): ForkFile {
  return {
    schema: FORK_SCHEMA,
    name,
    parent: { position: 9, hash: 'ab' },
    at: 5,
    until: 9,
    stream: null,
    createdAt: 1,
    code: 'test',
    edits: [],
    records: [],
    result: {
      at: 5,
      control: { identical: true, records: 4 },
      effects: { recorded: 0, lost: 0, stub: 0, live: 0 },
      firstDivergence: null,
      faults: [],
      outcomes: [],
      head: 5,
    },
  }
}

test('F-6 a fork is written whole and private, read back, listed and dropped', () =>
  withDirectory(async (stateDir) => {
    await writeFork(stateDir, forkOf('b'))
    await writeFork(stateDir, forkOf('a'))

    assert.equal(readFork(stateDir, 'a'), forkOf('a'))
    assert.equal(listForks(stateDir), ['a', 'b'])
    assert.is(statSync(join(stateDir, 'forks')).mode & 0o777, 0o700)
    assert.equal(readdirSync(join(stateDir, 'forks')).toSorted(), ['a.json', 'b.json'])
    await dropFork(stateDir, 'a')
    assert.equal(listForks(stateDir), ['b'])
  }))

test('F-6 P24 names that lead elsewhere, or are taken, are refused', () =>
  withDirectory(async (stateDir) => {
    await writeFork(stateDir, forkOf('taken'))

    for (const name of ['', '.', '..', '../x', 'a/b', '.hidden', 'x'.repeat(65), 'taken']) {
      await refusal(() => writeFork(stateDir, forkOf(name)), 'USAGE', name)
    }
    await refusal(() => readFork(stateDir, 'nobody'), 'NOT_FOUND')
    await refusal(() => dropFork(stateDir, 'nobody'), 'NOT_FOUND')
  }))

test('F-6 damaged files, and those of another version or name, are refused', () =>
  withDirectory(async (stateDir) => {
    mkdirSync(join(stateDir, 'forks'))
    const texts = [
      '',
      'null',
      '{"schema":"openclaw-fork-file/1"}',
      JSON.stringify({ ...forkOf('x'), schema: 'openclaw-fork-file/2' }),
      JSON.stringify(forkOf('other')),
    ]
    for (const text of texts) {
      writeFileSync(join(stateDir, 'forks', 'x.json'), text)

      await refusal(() => readFork(stateDir, 'x'), 'RECORD_FORMAT', text)
    }
  }))

test.run()
