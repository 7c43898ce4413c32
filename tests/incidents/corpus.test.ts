/** Every incident file of the corpus: it opens, it verifies, and our machines arrive where it did. */
import '../../actors/trap.ts'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { readBundle } from '../../actors/bundle.ts'
import { verifyBundle } from '../../actors/bundle-verify.ts'
import { foldStream } from '../../machines/history/fold.ts'
import { checkControl, CONTROL, rerunSegment } from '../../machines/history/fork.ts'
import { compareStates } from '../../machines/history/states.ts'
import { codeOf } from '../../machines/history/take.ts'
import { kinds } from '../../machines/kinds.ts'
import { cases } from '../store/cases.ts'

const corpus = cases('incidents')
const DIRECTORY = fileURLToPath(new URL('../../../tests/incidents/', import.meta.url))
const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.ocinc'))

corpus('IF1 the corpus is here', () => {
  assert.ok(files.length >= 2)
})

for (const file of files) {
  const bundle = readBundle(readFileSync(join(DIRECTORY, file)))

  corpus(`IF1 ${file} verifies`, () => {
    const report = verifyBundle(bundle, { code: 'none' })

    assert.equal(report.faults, [])
    assert.ok(report.hashes > 0)
  })

  corpus(`IF2 ${file}: every record folds to the state that it recorded`, () => {
    const { sameByOther, differences, unfolded } = compareStates(bundle.segment, kinds, 'none')

    assert.equal(differences, [])
    assert.is(unfolded, 0)
    assert.is(sameByOther, bundle.segment.records.length)
  })

  corpus(`R10 ${file}: a fork without an edit is its own control, and identical`, () => {
    const own = codeOf('ours', kinds)

    const control = checkControl(bundle.segment, rerunSegment(bundle.segment, own, CONTROL))

    assert.equal([control.identical, control.first], [true, null])
  })

  corpus(`IF2 ${file} is read as history`, () => {
    for (const stream of bundle.history.streams()) {
      const folded = foldStream(bundle.history, kinds, stream, { usable: () => true })

      assert.is(folded.hash, folded.recordedHash)
    }
  })
}

corpus('IF1 one tells of a delivery that is uncertain, one of a refusal by policy', () => {
  const read = (name: string) => readBundle(readFileSync(join(DIRECTORY, name))).segment.records

  const lost = read('reply-lost.ocinc').find(({ event }) => event.type === 'effect.lost')
  const refused = read('message-refused.ocinc').filter(
    ({ event, sends }) => event.type === 'message.received' && sends.length === 0,
  )

  assert.equal([lost?.value, lost?.event['started']], ['uncertain', true])
  assert.is(refused.length, 1)
})

corpus.run()
