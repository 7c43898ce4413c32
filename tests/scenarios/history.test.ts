/**
 * The history verbs as a person uses them: on a gateway that runs, one that is dead, and a copy.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import type { Ended } from '../support/process.ts'

const history = cases('history verbs')

type Call = (...args: readonly string[]) => Promise<Ended>
type Json = Readonly<Record<string, unknown>>

const read = ({ stdout }: Ended): Json => JSON.parse(stdout) as Json

/** A state directory with one conversation, and verbs over it; its gateway is stopped at the end. */
async function withTalk(run: (call: Call, stateDir: string) => Promise<void>): Promise<void> {
  await withDirectory(async (stateDir) => {
    writeFileSync(join(stateDir, 'openclaw.json'), '{}', { mode: 0o600 })
    const call: Call = (...args) => cli(stateDir, args)
    try {
      await start(call)
      assert.is((await call('agent', '--message', 'a secret', '--session', 'talk')).code, 0)
      await run(call, stateDir)
    } finally {
      await call('gateway', 'stop')
    }
  })
}

async function start(call: Call): Promise<void> {
  const { code, stderr } = await call('gateway', '--daemon', '--port', '0')
  assert.is(code, 0, stderr)
}

history('H1 head, verify and stats agree, running, dead and on a copy', async () => {
  await withTalk(async (call, stateDir) => {
    const running = read(await call('history', 'verify', '--json'))
    await call('gateway', 'stop')
    const copy = join(stateDir, 'copy')
    cpSync(join(stateDir, 'journal', 'journal.mdb'), join(copy, 'journal.mdb'))
    const head = read(await call('history', 'head', '--json'))
    const [verified, stats] = [
      await call('history', 'verify', '--deep', '--log', copy, '--json'),
      read(await call('history', 'stats', '--journal', stateDir, '--json')),
    ]

    assert.equal([running['ok'], verified.code], [true, 0])
    const tree = read(verified)['tree'] as Json
    assert.equal([tree['size'], tree['root']], [head['size'], head['root']])
    assert.equal([tree['signed'], read(verified)['unsigned']], [head['size'], 0])
    assert.equal(tree['keys'], head['keys'])
    assert.is(stats['records'], head['size'])
    assert.is((stats['codes'] as string[]).length, 1)
    assert.equal([stats['bodies'], stats['erased'], stats['pruned']], [2, 0, 0])
    assert.ok(Number(running['head']) < Number(head['size']))
  })
})

history('H2 a head that was kept is held against the journal, with exit code 12', async () => {
  await withTalk(async (call, stateDir) => {
    await call('gateway', 'stop')
    const old = join(stateDir, 'old')
    cpSync(join(stateDir, 'journal', 'journal.mdb'), join(old, 'journal.mdb'))
    await start(call)
    await call('agent', '--message', 'more')
    await call('gateway', 'stop')
    const kept = join(stateDir, 'kept.txt')
    writeFileSync(kept, (await call('history', 'head', '--checkpoint')).stdout)
    const { keys } = read(await call('history', 'head', '--json'))
    const key = (keys as string[])[0]!
    const good = await call('history', 'verify', '--head', kept, '--key', key)
    const short = await call('history', 'verify', '--log', old, '--head', kept, '--json')
    writeFileSync(kept, readFileSync(kept, 'utf8').replace(/\n\d+\n/, '\n7\n'))
    const forged = await call('history', 'verify', '--head', kept)

    assert.is(good.code, 0, good.stdout + good.stderr)
    assert.match(good.stdout, /the journal extends the witnessed head of \d+\n/)
    assert.is(short.code, 12)
    const [fault] = read(short)['faults'] as Json[]
    assert.is(fault!['code'], 'STORE_ROLLBACK')
    assert.is(forged.code, 12)
    assert.match(forged.stdout, /FAULT {2}#7: .*\n/)
    assert.match(forged.stdout, /the signature of .* does not hold/)
    assert.is((await call('history', 'verify', '--key', 'no')).code, 2)
    assert.is((await call('history', 'verify', '--head', join(stateDir, 'gone'))).code, 2)
    assert.is((await call('history', 'head', '--log', join(stateDir, 'gone'))).code, 10)
  })
})

history('H3 witness remembers, and notices a journal that was put back', async () => {
  await withTalk(async (call, stateDir) => {
    await call('gateway', 'stop')
    const old = join(stateDir, 'old')
    cpSync(join(stateDir, 'journal'), old, { recursive: true })
    await start(call)
    const first = read(await call('history', 'witness', '--json'))
    await call('gateway', 'stop')
    await start(call)
    const second = await call('history', 'witness', '--json')
    const remembered = readFileSync(join(stateDir, 'witness.json'), 'utf8')
    await call('gateway', 'stop')
    rmSync(join(stateDir, 'journal'), { recursive: true })
    cpSync(old, join(stateDir, 'journal'), { recursive: true })
    await start(call)
    const back = await call('history', 'witness')

    assert.equal([first['from'], first['ok']], [null, true])
    assert.is(second.code, 0, second.stderr)
    assert.is(read(second)['from'], first['to'])
    assert.ok(Number(read(second)['to']) > Number(first['to']))
    assert.is(back.code, 12)
    assert.match(back.stderr, /were remembered/)
    assert.is(readFileSync(join(stateDir, 'witness.json'), 'utf8'), remembered)
    assert.ok(readdirSync(stateDir).every((name) => !name.startsWith('witness.json.')))
  })
})

history('H4 erasure asks for --yes, goes over the wire, and is a record', async () => {
  await withTalk(async (call) => {
    const asked = await call('history', 'erase', '--session', 'agent:main:talk')
    const dry = await call('history', 'erase', '--session', 'agent:main:talk', '--dry-run')
    const done = await call('history', 'erase', '--session', 'agent:main:talk', '--yes', '--json')
    const stats = read(await call('history', 'stats', '--json'))

    assert.equal([asked.code, dry.code, done.code], [14, 0, 0])
    assert.match(asked.stderr, /--yes/)
    assert.is(asked.stdout, dry.stdout)
    const { schema, scope, bodies, recordsChanged } = read(done)
    assert.equal([schema, bodies, recordsChanged], ['openclaw-erase/1', 2, 0])
    assert.is(scope, 'session:agent:main:talk')
    assert.equal([stats['bodies'], stats['erased']], [2, 2])
    const after = await call('agent', '--message', 'still there?', '--session', 'talk')
    assert.is(after.code, 0, after.stderr)
    assert.is((await call('history', 'verify', '--deep')).code, 0)
  })
})

history('H5 erasure works while no gateway runs, and under a signed head', async () => {
  await withTalk(async (call) => {
    await call('gateway', 'stop')
    const before = read(await call('history', 'head', '--json'))
    const dry = await call('history', 'erase', '--session', 'talk', '--json')
    const done = await call('history', 'erase', '--session', 'talk', '--yes', '--reason', 'wished')
    const after = read(await call('history', 'verify', '--deep', '--json'))

    assert.equal([dry.code, read(dry)['bodies'], read(dry)['ok']], [14, 2, false])
    assert.is(done.code, 0, done.stderr)
    assert.match(done.stdout, /erased 2 texts/)
    assert.equal([after['ok'], after['unsigned']], [true, 0])
    assert.is(after['head'], Number(before['size']) + 1)
    await start(call)
    assert.is((await call('health', '--probe')).code, 0)
  })
})

history('H6 what is wrong with the arguments is said, with exit code 2 or 10', async () => {
  await withDirectory(async (stateDir) => {
    const codes = async (...args: readonly string[]): Promise<number | null> =>
      (await cli(stateDir, args)).code

    assert.is(await codes('history'), 2)
    assert.is(await codes('history', 'erase'), 2)
    assert.is(await codes('history', 'erase', '--subject', 'irc'), 2)
    assert.is(await codes('history', 'erase', '--subject', 'irc:a', '--session', 'b'), 2)
    const long = 'x'.repeat(65)
    assert.is(await codes('history', 'erase', '--subject', 'irc:a', '--reason', long), 2)
    assert.is(await codes('history', 'erase', '--subject', 'irc:a'), 10)
    assert.is(await codes('history', 'stats'), 10)
    assert.is(await codes('history', 'witness'), 3)
  })
})

history.run()
