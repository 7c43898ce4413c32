/** Names and addresses: what is a stream, an id, an output. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pack, unpack } from '../../protocol/codec.ts'
import { cutText } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'

const ids = suite('ids')

ids('K1 a text that is cut within a character is read back from bytes as it was written', () => {
  const cut = cutText(`${'x'.repeat(limits.contextTextCharsMax - 1)}\u{1f600}`)

  assert.is(cut.length, limits.contextTextCharsMax)
  assert.is(unpack(pack(cut)), cut)
})

ids.run()
