/** Edits of a journal by somebody without its key: found, or told as unwitnessed. */
import * as assert from 'uvu/assert'
import { tamper } from '../support/tamper.ts'
import { cases } from './cases.ts'

const edited = cases('tamper')

edited(
  'I31 S54 P33 of 63 edits none passes for the truth, given the last witnessed head',
  async () => {
    const { found, unwitnessed, missed, byKind } = await tamper(63, 1)

    assert.equal(missed, [])
    assert.is(found + unwitnessed, 63)
    assert.ok(found > 40 && unwitnessed > 0, `${found} found, ${unwitnessed} unwitnessed`)
    assert.is(Object.keys(byKind).length, 9)
  },
)

edited.run()
