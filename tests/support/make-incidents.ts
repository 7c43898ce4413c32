/**
 * Writes the first incident files of the corpus: `node dist/tests/support/make-incidents.js DIRECTORY`.
 *
 * Run once. An incident file is what some version wrote; when its test fails, the code is wrong
 * (tests/incidents/README.md).
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeBundle } from '../../actors/bundle.ts'
import { bundleOf, messageRefused, NOON, replyLost } from './incidents.ts'

const [directory = ''] = process.argv.slice(2)
const remark = { author: 'ann', at: NOON + 1_800_000, command: 'openclaw incident note' }

const lost = await replyLost()
const lostNote = { ...remark, address: `#${lost.from}`, position: lost.from, text: 'the message' }
writeFileSync(
  join(directory, 'reply-lost.ocinc'),
  writeBundle(
    bundleOf(lost, {
      id: 'inc-1',
      title: 'a reply never came: the process died in mid-delivery',
      notes: [lostNote],
      tier: 'masked',
    }),
  ),
)

const refused = await messageRefused()
writeFileSync(
  join(directory, 'message-refused.ocinc'),
  writeBundle(
    bundleOf(refused, {
      id: 'inc-2',
      title: 'a message was refused: its sender is not on the list',
      severity: 4,
      tier: 'skeleton',
    }),
  ),
)
