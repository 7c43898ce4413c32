/** The list of what of the contract does not apply: as long as it must be, and no longer. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { SKIPPED } from './skipped.ts'

const skipped = cases('skipped')

const room = fileURLToPath(new URL('../../../tests/channels/', import.meta.url))
const textOf = (name: string): string => readFileSync(`${room}${name}`, 'utf8')

skipped('CC0 every kind that the contract runs on has its entry, and every entry its kind', () => {
  const names = readdirSync(room)
    .filter((name) => name.endsWith('.test.ts') && name !== 'skipped.test.ts')
    .map((name) => /(?:name: |ircKind\()'([^']+)'/.exec(textOf(name))?.[1] ?? `none in ${name}`)

  assert.equal(names.toSorted(), Object.keys(SKIPPED).toSorted())
})

skipped('CC0 what is skipped is a case, with a reason', () => {
  const text = textOf('contract.ts')
  for (const [kind, cases] of Object.entries(SKIPPED)) {
    for (const [id, reason] of Object.entries(cases)) {
      assert.match(text, new RegExp(`'${id} `), `${kind}: ${id}`)
      assert.ok(reason.length > 10, `${kind}: ${id}`)
    }
  }
})

skipped.run()
