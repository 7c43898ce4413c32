/** The end of the log, as upstream's clients poll it by a byte offset. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { LOG_FILE } from '../../../actors/log-file.ts'
import { tailLog } from '../../../actors/upstream/log-tail.ts'
import { cases } from '../../store/cases.ts'
import { withDirectory } from '../../support/directory.ts'

const tail = cases('log tail')

interface Tail {
  readonly cursor: number
  readonly size: number
  readonly lines: readonly string[]
  readonly truncated: boolean
  readonly reset: boolean
}

const look = (directory: string, asked: object = {}) => tailLog(directory, asked) as unknown as Tail

const line = (n: number) => `plain line ${n}\n`
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => line(from + index)).join('')
const shown = ({ lines: all }: Tail) => all.map((text) => Number(text.split(' ').at(-1)))

const over = (run: (directory: string, file: string) => void) => () =>
  withDirectory(async (directory) => run(directory, join(directory, LOG_FILE)))

tail(
  'LT1 a look tells all, the next one what came since',
  over((directory, file) => {
    writeFileSync(file, lines(1, 3))

    const first = look(directory)
    appendFileSync(file, lines(4, 5))
    const second = look(directory, { cursor: first.cursor })
    const third = look(directory, { cursor: second.cursor })

    assert.equal([shown(first), shown(second), shown(third)], [[1, 2, 3], [4, 5], []])
    assert.equal([third.cursor, third.truncated, third.reset], [third.size, false, false])
  }),
)

tail(
  'LT2 a line that is half written is told when it is whole',
  over((directory, file) => {
    writeFileSync(file, `${line(1)}plain li`)

    const first = look(directory)
    appendFileSync(file, 'ne 2\n')
    const second = look(directory, { cursor: first.cursor })

    assert.equal([shown(first), shown(second)], [[1], [2]])
    assert.ok(first.cursor < first.size)
  }),
)

tail(
  'LT3 after a rotation the cursor begins anew, and says so',
  over((directory, file) => {
    writeFileSync(file, lines(1, 9))
    const { cursor } = look(directory)
    renameSync(file, `${file}.1`)
    assert.equal(shown(look(directory, { cursor })), [])
    writeFileSync(file, lines(10, 11))

    const after = look(directory, { cursor })

    assert.equal([shown(after), after.reset], [[10, 11], true])
  }),
)

tail(
  'LT4 a limit keeps the newest lines',
  over((directory, file) => {
    writeFileSync(file, lines(1, 9))

    const page = look(directory, { limit: 2 })

    assert.equal([shown(page), page.truncated, page.cursor], [[8, 9], true, page.size])
    assert.equal(look(directory, { limit: 9 }).truncated, false)
  }),
)

tail(
  'LT5 so many bytes hold whole lines only, and every one that fits',
  over((directory, file) => {
    writeFileSync(file, lines(1, 9))
    const bytes = line(1).length

    for (const [maxBytes, expected] of [
      [2 * bytes, [8, 9]],
      [2 * bytes + 1, [8, 9]],
      [3 * bytes - 1, [8, 9]],
      [9 * bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ] as const) {
      const page = look(directory, { maxBytes })
      assert.equal(shown(page), expected, `${maxBytes}`)
      assert.is(page.truncated, expected.length < 9)
    }
  }),
)

tail(
  'LT6 our own lines are rewritten, with all their fields; others pass as they are',
  over((directory, file) => {
    const own = { level: 'error', time: '2026-11-25T10:00:00.000Z', msg: 'fire', where: 'attic' }
    writeFileSync(file, `${JSON.stringify(own)}\nno json\n{"half":\n7\n`)

    const [first = '', ...others] = look(directory).lines

    const { 0: text, _meta, message, where } = JSON.parse(first) as Record<string, unknown>
    assert.equal([text, message, where], ['fire where="attic"', 'fire where="attic"', 'attic'])
    assert.is((_meta as Record<string, unknown>)['logLevelName'], 'ERROR')
    assert.equal(others, ['no json', '{"half":', '7'])
  }),
)

tail(
  'LT7 no file is an empty log',
  over((directory) => {
    const { lines: none, cursor, size, reset } = look(directory, { cursor: 5 })

    assert.equal([none, cursor, size, reset], [[], 0, 0, false])
  }),
)

tail.run()
