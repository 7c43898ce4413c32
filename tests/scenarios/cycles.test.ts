/** A few starts and stops; `scripts/bench/cycles.ts` runs the thousand. */
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { runCycles } from '../support/cycles.ts'
import { withDirectory } from '../support/directory.ts'

const cycles = cases('cycles')

cycles('L1 starts and stops leave no descriptor, file, map, lock or port behind', async () => {
  await withDirectory(async (stateDir) => {
    const { faults, after } = await runCycles({ stateDir, cycles: 3 })

    assert.equal(faults, [])
    assert.ok(after.files > 3, 'there is a state directory to look at')
  })
})

cycles.run()
