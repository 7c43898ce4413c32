/** The code of this process in the journal: kept once, whole, and only if it is what it claims. */
import '../../actors/trap.ts'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as assert from 'uvu/assert'
import { keepCode, readCodeIdentity } from '../../actors/code.ts'
import { sha256Hex } from '../../protocol/codec.ts'
import { codeId } from '../../protocol/code.ts'
import { readCode } from '../../store/code-archive.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { settle } from '../support/clock.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTestServices } from '../support/services.ts'

const code = cases('code')

/** Writes a compiled tree with its code.json; `claim` changes what that says. */
function writeTree(directory: string, claim: object = {}): { dist: URL; id: string } {
  const text = 'export const a = 1\n'
  const files = { 'machines/a.js': sha256Hex(text) }
  const parts = { files, xstate: '5', immer: '11' }
  const id = codeId(parts)
  mkdirSync(join(directory, 'machines'), { recursive: true })
  writeFileSync(join(directory, 'machines/a.js'), text)
  writeFileSync(join(directory, 'code.json'), JSON.stringify({ id, ...parts, ...claim }))
  return { dist: pathToFileURL(`${directory}/`), id }
}

code('K8 a gateway keeps its own code, before its first record', async () => {
  const memory = openMemory()
  const calls: string[] = []
  const house = await startTestGateway({
    store: {
      ...memory,
      putCode: (...given) => {
        calls.push('code')
        return memory.putCode(...given)
      },
      append: (draft) => {
        calls.push('record')
        return memory.append(draft)
      },
    },
  })
  await settle()
  const id = readCodeIdentity()

  assert.equal(calls.slice(0, 2), ['code', 'record'])
  assert.equal(memory.codes(), [id])
  const archive = readCode(memory, id)!
  assert.match(archive.files['machines/session.js']!, /message\.accepted/)
  assert.is(archive.xstate, '5.33.3')
  await house.stop()
})

code('K8 code is kept once for each identity', async () => {
  await withDirectory(async (directory) => {
    const { dist, id } = writeTree(directory)
    const memory = openMemory()
    const { log, lines } = openTestServices()
    let puts = 0
    const putCode: typeof memory.putCode = (...given) => {
      puts += 1
      return memory.putCode(...given)
    }
    keepCode({ ...memory, putCode }, log, dist)
    keepCode({ ...memory, putCode }, log, dist)
    await settle()

    assert.is(puts, 1)
    assert.equal(memory.codes(), [id])
    assert.equal(readCode(memory, id)!.files, { 'machines/a.js': 'export const a = 1\n' })
    assert.equal(lines, [])
  })
})

code('K8 code that is not what code.json says is not kept, and the log says so', async () => {
  for (const claim of [
    { id: '0123456789abcdef' },
    { files: { 'machines/a.js': sha256Hex('other') } },
    { files: { 'machines/gone.js': sha256Hex('') } },
    { xstate: '6' },
    { id: 7 },
  ]) {
    await withDirectory(async (directory) => {
      const { dist } = writeTree(directory, claim)
      const memory = openMemory()
      const { log, lines } = openTestServices()
      keepCode(memory, log, dist)
      await settle()

      assert.equal(memory.codes(), [])
      assert.equal(
        lines.map(({ level, phrase }) => [level, phrase]),
        [['warn', 'code not kept in the journal']],
      )
    })
  }
})

code.run()
