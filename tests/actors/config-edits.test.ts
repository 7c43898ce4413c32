/** Edits of the configuration by hand, as the keeper sees them: broken, mended, put back. */
import '../../actors/trap.ts'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ConfigFiles } from '../../actors/config-files.ts'
import { ConfigKeeper, readLive } from '../../actors/config.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { withDirectory } from '../support/directory.ts'
import { openTestKernel } from '../support/kernel.ts'

const test = cases('config edits')
const GOOD = '{ session: { maxMessages: 9 } }'
const BROKEN = '{ nonsense'

/** A keeper over a directory of its own; `edit` writes the file and lets the next look come. */
async function withKeeper(
  written: string,
  run: (keeper: ConfigKeeper, edit: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const { kernel, services } = openTestKernel()
    const files = new ConfigFiles(directory, join(directory, 'openclaw.json'))
    files.keep(GOOD, 0)
    files.write(written)
    const house = { files, env: {}, services, restart: () => {} }
    const keeper = new ConfigKeeper(house, readLive({ ...house, broken: null }))
    await keeper.start(kernel.registry, 'boot:1')
    await run(keeper, async (text) => {
      writeFileSync(files.path, text)
      await services.clock.advance(limits.configLookMs)
    })
    keeper.stop()
  })
}

test('C58 the same broken edit is told again where the good one was put back in between', () =>
  withKeeper(GOOD, async (keeper, edit) => {
    await edit(BROKEN)
    const first = keeper.fault
    await edit(GOOD)
    const between = keeper.fault
    await edit(BROKEN)

    assert.match(first ?? '', /openclaw\.json:1:/)
    assert.is(between, null)
    assert.is(keeper.fault, first)
  }))

test('C58 a start with the last good one is over when that is what is written again', () =>
  withKeeper(BROKEN, async (keeper, edit) => {
    const first = keeper.fault
    await edit(GOOD)

    assert.match(first ?? '', /openclaw\.json:1:/)
    assert.is(keeper.fault, null)
  }))

test.run()
