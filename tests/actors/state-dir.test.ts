/** The state directory: its user's alone, or no gateway starts in it. */
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openStateDir } from '../../actors/state-dir.ts'
import { cases } from '../store/cases.ts'
import { faultOf, refusal } from '../store/contract.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const state = cases('state directory')

const modeOf = (path: string): number => statSync(path).mode & 0o777

state('S53 F45 a directory of another user is refused, and left as it is', () =>
  withDirectory(async (directory) => {
    const uid = (process.getuid?.() ?? 0) + 1

    const { code, message } = await faultOf(() => openStateDir(directory, uid))

    assert.is(code, 'PERMISSION')
    assert.match(message, `not to ${uid}`)
    assert.equal(readdirSync(directory), [])
  }),
)

state('S53 F45 where everybody may put another directory in its place, nothing starts', () =>
  withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    chmodSync(directory, 0o777)
    const { path } = await refusal(() => openStateDir(stateDir), 'PERMISSION')
    const verb = await cli(stateDir, ['gateway', '--port', '0'])
    const doctor = await cli(stateDir, ['doctor'])
    chmodSync(directory, 0o1777)
    const sticky = await openStateDir(stateDir)

    assert.is(path, directory)
    assert.is(verb.code, 1)
    assert.match(verb.stderr, `chmod o-w ${directory}`)
    assert.match(doctor.stdout, `chmod o-w ${directory}`)
    assert.equal(readdirSync(stateDir), [], 'not even a log')
    assert.is(sticky, false)
  }),
)

state('S52 F45 modes that are too wide are narrowed, of a directory that is ours', () =>
  withDirectory(async (directory) => {
    const [fresh, used, other] = ['fresh', 'used', 'other'].map((name) => join(directory, name))
    for (const path of [fresh!, used!, other!]) mkdirSync(path)
    writeFileSync(join(used!, 'openclaw.json'), '{}')
    writeFileSync(join(other!, 'letters.txt'), '')
    for (const path of [fresh!, used!, other!]) chmodSync(path, 0o775)

    const narrowed = [await openStateDir(fresh!), await openStateDir(used!)]
    await refusal(() => openStateDir(other!), 'PERMISSION')
    chmodSync(other!, 0o755)
    const kept = await openStateDir(other!)
    const made = await openStateDir(join(directory, 'a', 'b'))

    assert.equal([...narrowed, kept, made], [true, true, false, false])
    assert.equal([modeOf(fresh!), modeOf(used!), modeOf(other!)], [0o700, 0o700, 0o755])
    assert.is(modeOf(join(directory, 'a', 'b')), 0o700)
  }),
)

state('S52 P23 a link in the state directory is refused; the configuration may be one', () =>
  withDirectory(async (directory) => {
    const elsewhere = join(directory, 'elsewhere')
    for (const [inside, name] of [
      ['', 'journal'],
      ['', 'lockouts.json'],
      ['journal', 'data.mdb'],
      ['logs', 'gateway.jsonl'],
      ['config', 'x.openclaw.json'],
    ] as const) {
      const stateDir = join(directory, `state-${name}`)
      mkdirSync(join(stateDir, inside), { recursive: true, mode: 0o700 })
      symlinkSync(elsewhere, join(stateDir, inside, name))
      const { path } = await refusal(() => openStateDir(stateDir), 'PERMISSION', name)
      assert.is(path, join(stateDir, inside, name))
    }
    const stateDir = join(directory, 'state')
    mkdirSync(stateDir, { mode: 0o700 })
    symlinkSync(elsewhere, join(stateDir, 'openclaw.json'))

    assert.is(await openStateDir(stateDir), false)
  }),
)

state.run()
