/**
 * `openclaw doctor`, check by check: each has an id that stays, finds what is wrong, and mends what is
 * safe to mend. Rules H9–H16, and rows F25, F45, F48 of reliability.md.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { grantKeyPath, keyIdOf } from '../../actors/grants.ts'
import { openSecretKey } from '../../actors/secret-key.ts'
import { takeLock } from '../../actors/lock.ts'
import { formatBase } from '../../actors/history.ts'
import { readCodeIdentity } from '../../actors/code.ts'
import { resolveConfig } from '../../protocol/config/defaults.ts'
import { GATEWAY } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { JournalEvent } from '../../protocol/record.ts'
import { CHECKS } from '../../scripts/checks/all.ts'
import { rememberBackup } from '../../scripts/backup/place.ts'
import type { Check, CheckContext, Finding } from '../../scripts/checks/finding.ts'
import { checkJournal } from '../../scripts/checks/journal.ts'
import { cases } from '../store/cases.ts'
import { body, draft } from '../store/contract.ts'
import { openJournal } from '../store/journals.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { openTestKernel } from '../support/kernel.ts'

const test = cases('doctor checks')
const DAY_MS = 24 * 3_600_000
const DEAD_PID = 2 ** 22 + 1 // Beyond the largest that Linux gives.

/** What checks see of a state directory, at a time that the test says. */
function contextOf(stateDir: string, now = Date.now()): CheckContext {
  const journal = checkJournal(stateDir)
  return {
    settings: {
      stateDir,
      configPath: join(stateDir, 'openclaw.json'),
      host: '127.0.0.1',
      port: 0,
      portSource: '--port',
      token: null,
      password: null,
      tls: null,
    },
    env: {},
    now,
    checkedConfig: () => Promise.reject(new Error('not looked at')),
    config: () => Promise.reject(new Error('not looked at')),
    standing: () => Promise.reject(new Error('not looked at')),
    journal: () => journal,
  }
}

function check(id: string): Check {
  const found = CHECKS.find((each) => each.id === id)
  if (found === undefined) throw new Error(`no check ${id}`)
  return found
}

async function run(id: string, context: CheckContext): Promise<string[]> {
  const findings: readonly Finding[] = await check(id).run(context)
  return findings.map(({ state, says }) => `${state} ${says}`)
}

/** A journal of one gateway that was booted at a time; the test may add to it before it is closed. */
async function givenBoot(
  stateDir: string,
  also: (house: ReturnType<typeof openTestKernel>) => Promise<void>,
) {
  mkdirSync(stateDir, { recursive: true })
  const store = await openJournal(join(stateDir, 'journal'))
  const house = openTestKernel({ store, code: readCodeIdentity() })
  await house.tell(GATEWAY, { type: 'gateway.booted', epoch: 1, version: '1' })
  await also(house)
  await house.kernel.stop()
  await store.close()
  return house.services.clock.now()
}

const nothingMore = () => Promise.resolve()

test('H9 ids stay: programs match them', () => {
  assert.equal(
    CHECKS.map(({ id }) => id),
    [
      'node',
      'permissions',
      'modes',
      'leftovers',
      'configuration',
      'certificate',
      'workspace',
      'disk',
      'port',
      'gateway',
      'channels',
      'journal',
      'snapshot',
      'clock',
      'keys',
      'grants',
      'archives',
      'backups',
      'models',
      'alerts',
    ],
  )
})

test('H9 --only makes the checks that it names; an unknown one is refused with the nearest', async () => {
  await withDirectory(async (stateDir) => {
    const some = await cli(stateDir, ['doctor', '--json', '--only', 'disk', '--only', 'node'])
    const none = await cli(stateDir, ['doctor', '--only', 'dsik'])

    const { checks } = JSON.parse(some.stdout) as { checks: { id: string }[] }
    assert.equal(
      checks.map(({ id }) => id),
      ['node', 'disk'],
    )
    assert.equal([some.code, none.code], [0, 2])
    assert.match(none.stderr, /did you mean disk\?/)
  })
})

test('H10 F45 --fix closes what is open to others, and follows no link', async () => {
  await withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    const outside = join(directory, 'outside')
    mkdirSync(join(stateDir, 'logs'), { recursive: true })
    for (const path of [outside, join(stateDir, 'client.json')]) writeFileSync(path, '{}')
    for (const path of [outside, join(stateDir, 'client.json'), stateDir]) chmodSync(path, 0o755)
    symlinkSync(outside, join(stateDir, 'logs', 'link'))

    const before = await cli(stateDir, ['doctor', '--only', 'modes'])
    const after = await cli(stateDir, ['doctor', '--only', 'modes', '--fix', '--json'])

    assert.equal([before.code, after.code], [1, 0], after.stdout)
    const { fixed } = JSON.parse(after.stdout) as { fixed: string[] }
    assert.is(fixed.length, 3)
    assert.is(statSync(join(stateDir, 'client.json')).mode & 0o777, 0o700)
    assert.is(statSync(outside).mode & 0o777, 0o755)
  })
})

test('H11 --fix removes what dead processes left, and nothing of those that live', async () => {
  await withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    const dead = join(stateDir, 'config', `a.json.${DEAD_PID}.tmp`)
    const living = join(stateDir, `b.json.${process.pid}.tmp`)
    const staged = join(stateDir, 'journal.restoring')
    const draft = join(directory, 'state-backups', `.openclaw-backup.${DEAD_PID}.tmp`)
    for (const path of [join(stateDir, 'config'), staged, draft])
      mkdirSync(path, { recursive: true })
    for (const path of [dead, living]) writeFileSync(path, '')
    const context = contextOf(stateDir)
    const info = { pid: 1, port: null, startedAt: 0, version: '1', ready: false }

    const lock = await takeLock(stateDir, info)
    const held = await run('leftovers', context)
    lock.release()
    const fixed = (await check('leftovers').fix?.(context)) ?? []

    assert.not.match(held.join(), staged)
    assert.equal(fixed.length, 3)
    assert.equal(
      [dead, staged, draft].filter((path) => existsSync(path)),
      [],
    )
    assert.ok(existsSync(living))
    assert.equal(await run('leftovers', context), ['ok none'])
  })
})

test('H12 a decided restore is named, and --fix leaves it to the next start', async () => {
  await withDirectory(async (stateDir) => {
    mkdirSync(join(stateDir, 'journal.restoring'))
    writeFileSync(join(stateDir, 'restore.json'), '{"aside":"journal.before-x"}')
    const context = contextOf(stateDir)

    const fixed = await check('leftovers').fix?.(context)

    assert.equal(fixed, [])
    assert.equal(await run('leftovers', context), ['warn a restore was cut short'])
  })
})

test('H13 F25 a clock behind the newest record is found', async () => {
  await withDirectory(async (stateDir) => {
    const booted = await givenBoot(stateDir, nothingMore)

    const behind = await run('clock', contextOf(stateDir, booted - 2 * 3_600_000))
    const level = await run('clock', contextOf(stateDir, booted))

    assert.match(behind.join(), /^warn .* is 2 h 0 min behind the newest record/)
    assert.match(level.join(), /^ok /)
  })
})

test('H14 F48 a snapshot that is not what its records fold to is found', async () => {
  await withDirectory(async (stateDir) => {
    const code = readCodeIdentity()
    const state = { value: 'running', context: { epoch: 77 }, status: 'active' }
    const [good, bad] = [join(stateDir, 'good'), join(stateDir, 'bad')]
    await givenBoot(good, async ({ kernel }) => {
      await kernel.compact(GATEWAY)
    })
    await givenBoot(bad, async ({ store }) => {
      const bytes = formatBase({ code, hash: 'f'.repeat(64), state } as never)
      await store.putSnapshot(GATEWAY, 1, bytes)
    })

    const right = await run('snapshot', contextOf(good))
    const wrong = await run('snapshot', contextOf(bad))

    assert.match(right.join(), /^ok 1 of this code/)
    assert.match(wrong.join(), /^fail gateway:main is not what its records fold to/)
  })
})

test('H15 backups: none of a young journal, none of an old one, an old one, one that is gone', async () => {
  await withDirectory(async (stateDir) => {
    const booted = await givenBoot(stateDir, nothingMore)
    const path = join(stateDir, 'somewhere')
    mkdirSync(path)
    writeFileSync(join(path, 'manifest.json'), '{}')
    const at = (days: number) => run('backups', contextOf(stateDir, booted + days * DAY_MS))

    const [young, old] = [await at(1), await at(9)]
    rememberBackup(stateDir, { at: booted, path, position: 1 })
    const [fresh, stale] = [await at(1), await at(1 + limits.backupStaleMs / DAY_MS)]
    rmSync(path, { recursive: true })
    const gone = await at(1)

    assert.equal(young, ['ok none yet'])
    assert.match(old.join(), /^warn none, and the journal is 9 d/)
    assert.match(fresh.join(), /^ok the newest is 1 d/)
    assert.match(stale.join(), /^warn the newest is 8 d/)
    assert.match(gone.join(), /^warn .* is not there any more/)
  })
})

test('H15 a budget is held against what the journal uses', async () => {
  await withDirectory(async (stateDir) => {
    const large = body('x'.repeat(2 ** 20))
    await givenBoot(stateDir, async ({ store }) => {
      await store.append({ ...draft('run:large', 0), bodies: [large] })
    })
    const within = async (maxBytes: number): Promise<string[]> => {
      const config = resolveConfig({ store: { maxBytes } })
      return run('disk', { ...contextOf(stateDir), config: () => Promise.resolve(config) })
    }

    const [ample, low, over] = [
      await within(2 ** 30),
      await within(1.25 * 2 ** 20),
      await within(1),
    ]

    assert.is(ample.length, 2, 'the disk, and the budget')
    assert.match(ample[1] ?? '', /^ok /)
    assert.match(low[1] ?? '', /^warn 1 MiB of the 1 MiB/)
    assert.match(over[1] ?? '', /^fail .*new work is refused/)
  })
})

test('H17 grants: none, some, and those whose key is not here', async () => {
  await withDirectory(async (stateDir) => {
    const key = openSecretKey(grantKeyPath(stateDir))
    const given = (grantId: string, keyId: string): JournalEvent => ({
      type: 'grant.given',
      grantId,
      keyId,
      tool: 'exec',
      source: 'built-in',
      agentId: 'main',
      place: { channel: null, room: null, sender: null },
      approvalId: 'a',
      sessionKey: '',
      ref: 'b:1',
      textRef: 'b:2',
      by: 'me',
    })
    await givenBoot(stateDir, nothingMore)
    const none = await run('grants', contextOf(stateDir))
    await givenBoot(stateDir, async ({ tell }) => {
      await tell('grant:g1', given('g1', keyIdOf(key)))
      await tell('grant:g2', given('g2', 'another'))
      await tell('grant:g2', { type: 'grant.revoked', by: 'me' })
    })
    const one = await run('grants', contextOf(stateDir))
    writeFileSync(grantKeyPath(stateDir), 'ab'.repeat(32))
    const gone = await run('grants', contextOf(stateDir))

    assert.equal(none, [])
    assert.equal(one, ['ok 1 call runs without asking: openclaw approvals grants'])
    assert.equal(gone, ['warn 1 of 1 standing grants were given under a key that is not here'])
  })
})

test('H16 keys: none yet, damaged, gone, and of somebody else', async () => {
  await withDirectory(async (stateDir) => {
    const none = await run('keys', contextOf(stateDir))
    const { code, stderr } = await cli(stateDir, ['gateway', '--daemon', '--port', '0'])
    assert.is(code, 0, stderr)
    await cli(stateDir, ['gateway', 'stop'])
    const key = join(stateDir, 'keys', 'journal.pem')

    const own = await run('keys', contextOf(stateDir))
    rmSync(key)
    const gone = await run('keys', contextOf(stateDir))
    await cli(stateDir, ['gateway', '--daemon', '--port', '0'])
    await cli(stateDir, ['gateway', 'stop'])
    const other = await run('keys', contextOf(stateDir))
    writeFileSync(key, 'no key')
    writeFileSync(join(stateDir, 'keys', 'config.key'), 'zz')
    const damaged = await run('keys', contextOf(stateDir))

    assert.equal(none, ['ok none yet; the first start makes them'])
    assert.equal(
      own.map((says) => says.slice(0, 3)),
      ['ok ', 'ok '],
    )
    assert.match(gone.join(), /^warn .* is gone: heads will be signed by another key/)
    assert.match(other.join(), /^ok /, 'it has signed since, and the journal knows both')
    assert.equal(
      damaged.map((says) => says.slice(0, 4)),
      ['fail', 'fail'],
    )
  })
})

test('H17 a check that cannot be made is told apart, and the others go on', async () => {
  await withDirectory(async (directory) => {
    const file = join(directory, 'file')
    symlinkSync(file, file) // Leads to itself.

    const flags = ['--json', '--only', 'modes', '--only', 'leftovers', '--only', 'node']
    const { code, stdout } = await cli(file, ['doctor', ...flags])

    const { checks } = JSON.parse(stdout) as { checks: { id: string; state: string }[] }
    assert.is(code, 2)
    assert.ok(checks.some(({ state }) => state === 'broken'))
    assert.ok(checks.some(({ id, state }) => id === 'node' && state === 'ok'))
  })
})

test.run()
