/** Frames: how deep and how wide they may be is judged before anything is made of them. */
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import { parseRequest } from '../../protocol/frame.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { faultOf } from '../store/contract.ts'
import { leastMs } from '../support/timing.ts'

const frame = cases('frame')

const withParams = (json: string): string => `{"type":"req","id":"health","params":${json}}`
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, n) => `"k${n}":0`).join(',')}}`

const refusalOf = async (json: string): Promise<string> => {
  const { code, message } = await faultOf(() => parseRequest(withParams(json)))
  assert.is(code, 'FRAME_INVALID')
  return message
}

frame('S21 P6 depth and number of keys end exactly at their bounds', async () => {
  assert.ok(parseRequest(withParams(nested(limits.frameDepthMax))))
  assert.match(await refusalOf(nested(limits.frameDepthMax + 1)), /deeper than/)
  // Four brackets and commas are the frame's own.
  const most = limits.frameKeysMax - 3
  assert.ok(parseRequest(withParams(keys(most))))
  assert.match(await refusalOf(keys(most + 1)), /over 20000 keys/)
  assert.match(await refusalOf(`[${'[],'.repeat(limits.frameKeysMax)}[]]`), /over 20000 keys/)
})

frame('S21 what stands in a text is no bracket and no comma', () => {
  for (const text of [
    '['.repeat(200),
    ','.repeat(200_000),
    `\\"${'['.repeat(200)}\\"`,
    `${'\\'.repeat(3)}"${'{'.repeat(200)}`,
    `"${'{"a":['.repeat(200)}`,
    '\\',
  ]) {
    const { params } = parseRequest(withParams(JSON.stringify({ [text]: text })))
    assert.is(params[text], text)
  }
})

frame('S21 any JSON within the bounds is read as JSON reads it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (params) => {
      const json = JSON.stringify(params)
      assert.equal(parseRequest(withParams(json)).params, JSON.parse(json))
    }),
    { numRuns: 500 },
  )
})

frame('S21 a refusal of a million keys costs less than a parse of those that are allowed', () => {
  const allowed = withParams(keys(limits.frameKeysMax - 3))
  const tooMany = withParams(keys(1_000_000))
  const msOf = (text: string): number =>
    leastMs(() => {
      try {
        parseRequest(text)
      } catch {
        // Its code is another test's.
      }
    })

  assert.ok(msOf(tooMany) < msOf(allowed))
})

frame.run()
