/** The swap of a restored journal, cut at every step: before the decision the old one, then the new. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { decideSwap, dropStaged, settleSwap, stagedJournal } from '../../actors/swap.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'

const test = cases('swap')
const ASIDE = 'journal.before-x'

function givenJournals(stateDir: string): void {
  for (const [path, text] of [
    [join(stateDir, 'journal'), 'old'],
    [stagedJournal(stateDir), 'new'],
  ] as const) {
    mkdirSync(path)
    writeFileSync(join(path, 'journal.mdb'), text)
  }
}

const read = (stateDir: string, name: string): string =>
  readFileSync(join(stateDir, name, 'journal.mdb'), 'utf8')

test('BK5 without a decision nothing is changed', async () => {
  await withDirectory(async (stateDir) => {
    givenJournals(stateDir)

    assert.is(settleSwap(stateDir), null)

    assert.is(read(stateDir, 'journal'), 'old')
  })
})

const cuts: readonly [string, (stateDir: string) => void][] = [
  ['behind the decision', () => {}],
  ['between the renames', (dir) => renameSync(join(dir, 'journal'), join(dir, ASIDE))],
  [
    'behind both renames',
    (dir) => {
      renameSync(join(dir, 'journal'), join(dir, ASIDE))
      renameSync(stagedJournal(dir), join(dir, 'journal'))
    },
  ],
]
for (const [where, cut] of cuts) {
  test(`BK5 a swap that was cut ${where} is ended, once`, async () => {
    await withDirectory(async (stateDir) => {
      givenJournals(stateDir)
      decideSwap(stateDir, ASIDE)
      cut(stateDir)

      assert.is(settleSwap(stateDir), ASIDE)
      assert.is(settleSwap(stateDir), null)

      assert.equal([read(stateDir, 'journal'), read(stateDir, ASIDE)], ['new', 'old'])
      assert.equal(readdirSync(stateDir).toSorted(), ['journal', ASIDE])
    })
  })
}

test('BK5 where no journal was, none is moved aside', async () => {
  await withDirectory(async (stateDir) => {
    mkdirSync(stagedJournal(stateDir))
    decideSwap(stateDir, ASIDE)

    settleSwap(stateDir)

    assert.equal(readdirSync(stateDir), ['journal'])
  })
})

test('BK5 a staged journal is dropped before the decision, and never behind it', async () => {
  await withDirectory(async (stateDir) => {
    givenJournals(stateDir)
    decideSwap(stateDir, ASIDE)
    dropStaged(stateDir)
    const kept = existsSync(stagedJournal(stateDir))
    settleSwap(stateDir)
    mkdirSync(stagedJournal(stateDir))
    dropStaged(stateDir)

    assert.is(kept, true)
    assert.is(existsSync(stagedJournal(stateDir)), false)
  })
})

test('BK5 where the staged journal was lost behind the decision, the old one is put back', async () => {
  await withDirectory(async (stateDir) => {
    givenJournals(stateDir)
    decideSwap(stateDir, ASIDE)
    renameSync(join(stateDir, 'journal'), join(stateDir, ASIDE))
    rmSync(stagedJournal(stateDir), { recursive: true })

    settleSwap(stateDir)

    assert.is(read(stateDir, 'journal'), 'old')
  })
})

test('BK5 a decision that leads elsewhere is refused, and nothing is moved', async () => {
  await withDirectory(async (stateDir) => {
    givenJournals(stateDir)
    for (const text of [
      '',
      '{}',
      '{"aside":"../x"}',
      '{"aside":"/x"}',
      '{"aside":"journal.a/b"}',
    ]) {
      writeFileSync(join(stateDir, 'restore.json'), text)
      await refusal(() => settleSwap(stateDir), 'STORE_CORRUPT', text)
    }

    assert.is(read(stateDir, 'journal'), 'old')
    assert.ok(existsSync(stagedJournal(stateDir)))
  })
})

test.run()
