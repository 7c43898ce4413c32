/** Killed in the middle of a change of what is kept: the old state or the new one, never a mixture. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../protocol/config/parse.ts'
import { archivePath, listArchives } from '../../actors/archive.ts'
import { openBundle } from '../../actors/bundle.ts'
import { verifyInChild } from '../../store/lmdb/check.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { recordsOf, withReader } from '../support/journal.ts'
import {
  askAll,
  configure,
  holdToItsWord,
  startReal,
  stopReal,
  turn,
} from '../support/real-gateway.ts'
import { openShim, whyNoShim } from '../support/shim.ts'

const test = cases('torn changes')
const noShim = whyNoShim()

const isOurs = (name: string): boolean => !name.startsWith('shim.')

/** Lists the records that are neither in the journal nor in an archive. */
function holes(stateDir: string): Promise<number[]> {
  const archived = new Set(
    listArchives(stateDir).flatMap((name) =>
      openBundle(archivePath(stateDir, name)).chain.records.map(({ position }) => position),
    ),
  )
  return withReader(join(stateDir, 'journal'), (reader) => {
    const all = Array.from({ length: reader.head().position }, (_, index) => index + 1)
    return all.filter(
      (position) => reader.link(position)?.pruned === true && !archived.has(position),
    )
  })
}

test.unless(
  noShim,
  'F04 killed at any commit of a compaction: the old journal or the new, and no hole',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir)
      const gateway = await startReal(stateDir)
      for (const key of ['a', 'b', 'c', 'd']) await turn(gateway.client, key, 'compacted')
      const promised = await askAll(gateway.client, ['e', 'f'])
      await stopReal(gateway)
      const shim = openShim(stateDir)
      const ends: (number | null)[] = []

      for (let commits = 0; ends.at(-1) !== 0 && commits < 40; commits += 1) {
        shim.killAt('meta', commits)
        const { code } = await cli(
          stateDir,
          ['history', 'compact', 'session:agent:main:compacted', '--yes'],
          shim.env,
        )
        ends.push(code)
        const { ok } = await verifyInChild(join(stateDir, 'journal'), { deep: true })
        assert.ok(ok)
        assert.equal(await holes(stateDir), [])
      }

      assert.ok(listArchives(stateDir).length > 1, 'killed between archive and removal')
      assert.ok(ends.length > 3 && ends.slice(0, -1).every((code) => code === null), ends.join(' '))
      await holdToItsWord(stateDir, promised)
    }),
)

test.unless(
  noShim,
  'F04 killed at any moment of a change of configuration: the old or the new',
  () =>
    withDirectory(async (stateDir) => {
      configure(stateDir, '{ gateway: { port: 0 }, session: { maxMessages: 400 } }')
      const shim = openShim(stateDir)
      const found = new Set<number>()

      for (let commits = 0; commits < 5; commits += 1) {
        shim.heal()
        const gateway = await startReal(stateDir, shim.env)
        const { payload } = await gateway.client.request('config.get')
        const raw = `{ session: { maxMessages: ${500 + commits} } }`
        shim.killAt('meta', commits)
        const patched = gateway.client.request('config.patch', { raw, baseHash: payload['hash'] })
        await patched.catch(() => null)
        gateway.child.kill('SIGKILL')
        await gateway.ended

        const text = readFileSync(join(stateDir, 'openclaw.json'), 'utf8')
        const { config, issues } = parseConfig(text, { file: 'openclaw.json', env: {} })
        assert.equal(issues, [])
        found.add(Number(config.session?.maxMessages))
      }

      const [last] = [...found].slice(-1)
      assert.ok(
        [...found].every((value) => value === 400 || value >= 500),
        [...found].join(' '),
      )
      const next = await startReal(stateDir)
      const { payload } = await next.client.request('config.get')
      await stopReal(next)
      assert.match(JSON.stringify(payload), `"maxMessages":${last}`)
      const drafts = readdirSync(stateDir, { recursive: true, encoding: 'utf8' })
      assert.equal(
        drafts.filter((name) => isOurs(name) && name.endsWith('.tmp')),
        [],
      )
      assert.ok((await recordsOf(join(stateDir, 'journal'))).length > 0)
    }),
)

test.run()
