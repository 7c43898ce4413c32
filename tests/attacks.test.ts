/**
 * The lists of attacks: every S-case and every row of the product's list of security tests is held
 * by a test that begins with its id, or `protocol/README.md` says why it does not apply. And what
 * comes with `npm ci` (S63).
 */
import * as assert from 'uvu/assert'
import { cases } from './store/cases.ts'
import { excusedIn, namedElsewhere, namedIn, read } from './support/lists.ts'

const attacks = cases('lists of attacks')

const S_CASES = Array.from({ length: 63 }, (_, n) => `S${String(n + 1).padStart(2, '0')}`)
const P_ROWS = Array.from({ length: 40 }, (_, n) => `P${n + 1}`)

const named = namedElsewhere('attacks.test.ts')
// Its own name stands here.
named.add('S63')
const excused = excusedIn(read('protocol/README.md'), 'SP')

attacks('S01 to S63 and P1 to P40 each have a test, or a reason why they do not apply', () => {
  for (const ids of [S_CASES, P_ROWS]) {
    assert.equal(
      ids.filter((id) => !named.has(id) && !excused.has(id)),
      [],
      'neither tested nor excused',
    )
    assert.equal(
      ids.filter((id) => named.has(id) && excused.has(id)),
      [],
      'tested, and said not to apply',
    )
  }
})

attacks('TI13 the walk sees what is missing, and takes no prose for a test', () => {
  const texts = ["door('S08 P5 a frame', () => {})", '// S09 is elsewhere', "x('see S10 below')"]
  assert.equal([...namedIn(texts)], ['S08', 'P5'])
  assert.equal(
    [...excusedIn('| S51, P40 | does not apply: no webhooks |\n| S1 | later |', 'SP')],
    ['S51', 'P40'],
  )
})

interface Locked {
  readonly hasInstallScript?: boolean
  readonly integrity?: string
  readonly optional?: boolean
  readonly link?: boolean
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

// Each was looked at before it came in: what it does, who publishes it, what it brings along.
const REVIEWED = [
  '@ai-sdk/anthropic',
  '@ai-sdk/openai-compatible',
  '@modelcontextprotocol/sdk',
  'ai',
  'citty',
  'croner',
  'immer',
  'ircv3',
  'json5',
  'lmdb',
  'msgpackr',
  'multicast-dns',
  'pino',
  'prom-client',
  'superstruct',
  'uqr',
  'ws',
  'xstate',
  'zod',
]

attacks(
  'S63 no dependency and no install script comes in unseen, and all that is installed has a hash',
  () => {
    const { dependencies, allowScripts } = JSON.parse(read('package.json')) as Manifest
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, Locked>
    }
    const locked = Object.entries(packages).filter(([path]) => path !== '')

    assert.equal(Object.keys(dependencies), REVIEWED)
    const scripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript)
    assert.equal(
      scripts.map(([path]) => path.replace(/^.*node_modules\//, '')),
      Object.keys(allowScripts),
    )
    // Optional ones of other platforms may lack it: a mirror does not tell of them.
    const bare = locked.filter(([, { integrity = '', optional }]) => !optional && integrity === '')
    assert.equal(bare, [])
    const weak = locked.filter(([, { integrity = 'sha512-' }]) => !integrity.startsWith('sha512-'))
    assert.equal(weak, [])
  },
)

attacks.run()
