/** Texts of others, shown to who must judge them: nothing hides, nothing is cut without a mark. */
import * as assert from 'uvu/assert'
import { cutMiddle, escapeHidden } from '../../protocol/exact.ts'
import { isMeant, shortApprovalId } from '../../protocol/ids.ts'
import { cases } from '../store/cases.ts'

const exact = cases('exact')

exact('EX1 what cannot be seen is written out, and the JSON is the same JSON', () => {
  const tricky =
    'a\u202eb\u200bc\u00a0d\u2028e\ufeff\ue000\u{e0041}\ud800\u0007\u2800\ufe0f\u17b4\u{e0101}'
  const shown = escapeHidden(JSON.stringify({ command: tricky, plain: 'rm -rf ä 漢 🐟' }))

  assert.match(shown, /^[ -~ä漢🐟]+$/u)
  assert.equal(JSON.parse(shown), { command: tricky, plain: 'rm -rf ä 漢 🐟' })
})

exact('EX2 what is too long is cut in its middle, and says how much is missing', () => {
  const long = `begin${'x'.repeat(990)}the end`
  const { text, isWhole } = cutMiddle(long, 300)

  assert.is(isWhole, false)
  assert.match(text, /^beginx{195} \[… 702 characters left out …\] x{93}the end$/)
  assert.equal(cutMiddle('short', 5), { text: 'short', isWhole: true })
})

exact(
  'EX3 an approval is meant by its beginning, with or without what all calls begin with',
  () => {
    const id = 'call_1a2b3c4d5e6f'

    assert.is(shortApprovalId(id), '1a2b3c4d')
    assert.is(shortApprovalId('Another-approval'), 'Another-')
    for (const written of ['1A2B3C4D', '1a2b3c4d5e', 'call_1a2', id]) {
      assert.ok(isMeant(id, written), written)
    }
    assert.not.ok(isMeant(id, '2b3c4d5e'))
  },
)

exact.run()
