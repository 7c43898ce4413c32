/**
 * The complaints that this gateway answers: each row is held by a test whose name carries its id, in
 * the places that the table of `tests/README.md` names.
 */
import * as assert from 'uvu/assert'
import { cases } from './store/cases.ts'
import { namedIn, read } from './support/lists.ts'

const complaints = cases('complaints of users')

const ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19, 29, 30, 31, 34].map(
  (row) => `PR${row}`,
)

const rows = [...read('tests/README.md').matchAll(/^\| (PR\d+) \| [^|]+ \| ([^|]+) \|$/gm)]
const places = rows.map(([, row = '', paths = '']) => ({
  row,
  paths: [...paths.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
}))

complaints('TI13 the table has each complaint once, and where it is held', () => {
  assert.equal(
    places.map(({ row }) => row),
    ROWS,
  )
  assert.equal(
    places.filter(({ paths }) => paths.length === 0),
    [],
  )
})

complaints('TI13 each place that the table names has a test of its row', () => {
  const without = places.flatMap(({ row, paths }) =>
    paths.filter((path) => !namedIn([read(`tests/${path}`)]).has(row)).map((path) => [row, path]),
  )

  assert.equal(without, [])
})

complaints.run()
