/** The wire's documentation is what is served. */
import * as assert from 'uvu/assert'
import { formatTables, readReadme, withTables } from '../../scripts/wire-tables.ts'
import { cases } from '../store/cases.ts'

const tables = cases('wire tables')

tables('WT1 the tables in protocol/README.md are those of today: wire-tables.js --write', () => {
  assert.is(readReadme(), withTables(readReadme()))
  for (const name of ['`chat.send`', '`node.invoke`', '`agent.delta`']) {
    assert.match(formatTables(), name)
  }
})

tables('WT2 a text without markers is refused', () => {
  assert.throws(() => withTables('# protocol'), /no markers/)
})

tables.run()
