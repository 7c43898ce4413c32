/**
 * The fault matrix: every row from F01 to F56 is injected by a test whose name carries its id, or
 * `tests/README.md` says why not, or what measures it.
 */
import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { cases } from './store/cases.ts'
import { compiled } from './support/process.ts'
import { excusedIn, namedElsewhere, read } from './support/lists.ts'

const faults = cases('fault matrix')

const ROWS = Array.from({ length: 56 }, (_, n) => `F${String(n + 1).padStart(2, '0')}`)

const readme = read('tests/README.md')
const named = namedElsewhere('faults.test.ts')
const measured = excusedIn(readme, 'F', 'measured')
const excused = new Set([...excusedIn(readme, 'F'), ...measured])

faults('TI13 F01 to F56 each have a test, a measurement, or a reason why there is none', () => {
  assert.equal(
    ROWS.filter((id) => !named.has(id) && !excused.has(id)),
    [],
    'neither tested nor excused',
  )
  assert.equal(
    ROWS.filter((id) => named.has(id) && excused.has(id)),
    [],
    'tested, and said not to be',
  )
})

faults('TI13 what measures a row is there', () => {
  const paths = [...readme.matchAll(/^\| F\d[^|]* \| measured: `([^`]+)`/gm)].map(
    ([, path = '']) => path,
  )

  assert.is(paths.length, measured.size)
  assert.equal(
    paths.filter((path) => !existsSync(compiled(`../${path}`))),
    [],
  )
})

faults.run()
