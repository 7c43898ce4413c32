/** Ground that is none of ours: a file system where no journal may lie, a store whose native part is missing. */
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { judgeFileSystem } from '../../actors/state-dir.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { mountFuse, whyNoFuse } from '../support/fuse.ts'
import { compiled, start } from '../support/process.ts'
import { startReal, stopReal, turn } from '../support/real-gateway.ts'

const test = cases('foreign ground')

test.unless(
  whyNoFuse(),
  'F46 a FUSE file system is refused by start and doctor, unless it is forced',
  () =>
    withDirectory(async (directory) => {
      const stateDir = join(directory, 'mounted')
      mkdirSync(stateDir)
      const mounted = await mountFuse(stateDir)
      const refused = await cli(stateDir, ['gateway', '--port', '0'], { HOME: directory })
      const doctor = await cli(stateDir, ['doctor', '--only', 'permissions'], { HOME: directory })
      const forced = await cli(stateDir, ['gateway', '--port', '0'], {
        HOME: directory,
        OPENCLAW_FOREIGN_FS: 'allow',
      })
      await mounted.unmount()

      assert.equal([refused.code, doctor.code], [1, 1])
      for (const { stdout, stderr } of [refused, doctor])
        assert.match(stdout + stderr, 'lies on FUSE')
      assert.match(refused.stderr, 'OPENCLAW_FOREIGN_FS=allow')
      assert.not.match(forced.stderr, 'lies on FUSE')
    }),
)

test('F46 file systems of other machines are known by their numbers, those of disks are not meant', () => {
  const NAMES = [0x6969, 0xff534d42, -12_890_814, 0x01021997, 0xef53, 0x01021994, 0x9123683e]

  assert.equal(NAMES.map(judgeFileSystem), ['NFS', 'CIFS', null, '9p', null, null, null])
})

for (const [what, damage] of [
  ['missing', (file: string) => rmSync(file)],
  ['one of another platform', (file: string) => writeFileSync(file, 'MZ no ELF')],
] as const) {
  test(`F55 lmdb's native part is ${what}: start and doctor say so, and nothing is made in its place`, () =>
    withDirectory(async (directory) => {
      const house = join(directory, 'house')
      const stateDir = join(directory, 'state')
      copyHouse(house)
      const addons = join(house, 'node_modules', '@lmdb')
      for (const name of readdirSync(addons)) {
        for (const file of readdirSync(join(addons, name))) {
          if (file.endsWith('.node')) damage(join(addons, name, file))
        }
      }
      const env = { OPENCLAW_STATE_DIR: stateDir, HOME: directory, NO_COLOR: '1' }
      const run = (...words: string[]) =>
        start(['--preserve-symlinks', join(house, 'dist/scripts/openclaw.js'), ...words], env).ended
      const [whole] = [await startReal(stateDir)]
      await turn(whole.client, 'before')
      await stopReal(whole)

      const [begun, doctor] = [await run('gateway', '--port', '0'), await run('doctor')]

      assert.is(begun.code, 1)
      for (const { stdout, stderr } of [begun, doctor]) {
        assert.match(stdout + stderr, /lmdb: its native part for \S+ is missing, or is not one for/)
        assert.match(stdout + stderr, 'npm ci')
        assert.not.match(stdout + stderr, 'restore from a backup')
      }
    }))
}

/** A copy of the program whose modules are links, but for lmdb's native parts. */
function copyHouse(house: string): void {
  const root = compiled('..')
  mkdirSync(join(house, 'node_modules'), { recursive: true })
  cpSync(join(root, 'package.json'), join(house, 'package.json'))
  cpSync(join(root, 'dist'), join(house, 'dist'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const [from, to] = [join(root, 'node_modules', name), join(house, 'node_modules', name)]
    if (name === '@lmdb' || name === 'lmdb') cpSync(from, to, { recursive: true })
    else symlinkSync(from, to)
  }
}

test.run()
