/** The history verbs as processes, on a journal whose gateway is dead: shapes and exit codes (3.4). */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { damageRecord } from '../support/damage.ts'
import { withDirectory } from '../support/directory.ts'
import { withReader } from '../support/journal.ts'
import { Scene } from '../support/scene.ts'

const test = cases('history-verbs')

type Json = Readonly<Record<string, unknown>>

interface Stage {
  readonly stateDir: string
  readonly message: number // position of the one that went unanswered
  readonly run: (...args: string[]) => ReturnType<typeof cli>
  readonly json: (...args: string[]) => Promise<Json>
}

function stage(play: (stage: Stage) => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (stateDir) => {
      const store = await openLmdb({ directory: join(stateDir, 'journal'), verify: false })
      const scene = await Scene.open(store)
      await scene.write()
      await scene.reply()
      await scene.deliver()
      const message = await scene.write()
      await scene.reply()
      await scene.tried('message.deliver')
      await scene.die()
      await scene.restart()
      await scene.write({ senderId: 'eve', roomId: 'eve' })
      await scene.die()
      await store.close()
      const run = (...args: string[]) => cli(stateDir, args)
      const json = async (...args: string[]) =>
        JSON.parse((await run(...args, '--json')).stdout) as Json
      await play({ stateDir, message: message.position, run, json })
    })
}

test(
  'H3.4 timeline tells boots, silence, causes and what was lost, in 100 columns or so',
  stage(async ({ run }) => {
    const { code, stdout } = await run('timeline', '--utc')
    const lines = stdout.trimEnd().split('\n')

    assert.is(code, 0)
    assert.match(stdout, /════ .* epoch 2, after a crash/)
    assert.match(stdout, /message\.received +ext:irc:m1 +⇒ online +s0→session:/)
    assert.match(stdout, /delivery\.requested .*e0 message\.deliver ✗ lost/)
    assert.ok(Math.max(...lines.map((line) => line.length)) < 130)
  }),
)

test(
  'H3.4 timeline --ndjson has a head, a line a record, and an end that shows a cut pipe',
  stage(async ({ run }) => {
    const { stdout } = await run('timeline', 'start..', '--ndjson', '--all')
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json)
    const records = lines.slice(1, -1)

    assert.equal(
      [lines[0]?.['t'], lines[0]?.['schema'], lines[0]?.['bodies']],
      ['head', 'openclaw-journal/1', false],
    )
    assert.ok(records.length > 20)
    assert.equal(
      records.map(({ position }) => position),
      records.map((_, index) => index + 1),
    )
    for (const record of records) {
      for (const key of ['position', 'stream', 'version', 'type', 'cause'])
        assert.ok(key in record, key)
    }
    const end = lines.at(-1) as {
      t: string
      head: { position: number; hash: string }
      count: number
    }
    assert.equal([end.t, end.count, end.head.position], ['end', records.length, records.length])
    assert.match(end.head.hash, /^[0-9a-f]{64}$/)
  }),
)

test(
  'H3.4 timeline takes a range, a session and filters; nothing found is 10',
  stage(async ({ run, json, message }) => {
    const only = await json('timeline', `#${message}..#${message + 2}`, 'type=message.*')
    assert.equal(
      (only['records'] as Json[]).map(({ type }) => type),
      ['message.received', 'message.accepted'],
    )
    const session = await json('timeline', '--session', '…ann', 'type=effect.*')
    const told = session['records'] as Json[]
    assert.ok(told.length > 0)
    assert.ok(told.every(({ stream }) => String(stream) !== 'channel:irc'))
    assert.is((await run('timeline', 'type=nobody.knows')).code, 10)
    const wrong = await run('timeline', 'start..', 'colour=red')
    assert.equal([wrong.code, /key=value/.test(wrong.stderr)], [2, true])
  }),
)

test(
  'H3.4 state, diff, why, find and bisect answer in text and JSON',
  stage(async ({ run, json, message }) => {
    const state = await json('state', '--session', '…ann', '--at', `#${message + 1}`)
    assert.equal([state['value'], state['verified'], state['ok']], ['running', true, true])
    assert.match((await run('state', '--session', '…ann')).stdout, /value +idle/)
    const absent = await run('state', '--actor', 'run:run-2', '--at', '#1')
    assert.equal([absent.code, /absent/.test(absent.stdout)], [0, true])
    const all = await json('state', '--all', '--at', `#${message}`)
    assert.ok((all['actors'] as Json[]).length >= 4)

    const diff = await run('diff', '#1', `#${message + 1}`, '--session', '…ann')
    assert.equal([diff.code, /absent at #1/.test(diff.stdout)], [0, true])
    const changes = await json('diff', '#1', 'head', '--session', '…ann')
    assert.equal(changes['absent'], { from: true, to: false })

    const why = await json('why', `#${message + 1}`)
    assert.equal(
      (why['chain'] as Json[]).map(({ position }) => position),
      [message + 1, message],
    )
    assert.is(why['root'], 'ext:irc:m2')
    assert.match((await run('why', '--session', '…ann', '--path', '/turn')).stdout, /is 2 since #/)

    const stuck = await json('find', 'stuck')
    assert.match(JSON.stringify(stuck['findings']), /uncertain/)
    assert.is((await run('find', 'slow')).code, 10)
    assert.is((await json('find', '--count', 'type=message.received'))['count'], 3)

    const bisect = await json('bisect', '--session', '…ann', '--when', 'context.turn > 1')
    assert.is((bisect['first'] as Json)['position'], message + 1)
    const command = await run(
      'bisect',
      'run',
      'grep -q \'"turn":2\' && exit 1 || exit 0',
      '--session',
      '…ann',
    )
    assert.match(command.stdout, new RegExp(`first bad: #${message + 1} `))
  }),
)

test(
  'R10 why --not names where the chain stops, and proves that it cannot go on',
  stage(async ({ run, json, message }) => {
    const not = await json('why', '--not', `reply-to:#${message}`)
    assert.is(not['verdict'], 'lost')
    const judged = ['delivery.resolved', 'delivery.resubmitted', 'delivery.dismissed']
    assert.equal((not['proof'] as Json)['accepts'], judged)
    const text = await run('why', '--not', `reply-to:#${message}`)
    assert.match(text.stdout, /did not happen. The chain stops here:/)
    assert.match(text.stdout, /LOST[^]*it may or may not have happened/)
    assert.match(text.stdout, /Proof: without an event from outside no sequence leaves "uncertain"/)
  }),
)

test(
  'R9 a copied directory reads the same, and what is no journal is said so',
  stage(async ({ stateDir, json, run }) => {
    const copy = join(stateDir, 'copy')
    cpSync(join(stateDir, 'journal'), copy, { recursive: true })

    assert.equal(
      (await json('timeline', 'start..', '--journal', copy))['records'],
      (await json('timeline', 'start..'))['records'],
    )
    const none = await run('state', '--session', 'main', '--log', join(stateDir, 'nowhere'))
    assert.equal([none.code, /no journal|nothing at/.test(none.stderr)], [10, true])
  }),
)

test(
  'exit codes: what does not exist is 10, what cannot be read is 2',
  stage(async ({ run }) => {
    assert.is((await run('why', '#999')).code, 10)
    assert.is((await run('state', '--session', 'nobody')).code, 10)
    assert.is((await run('state', '--at', 'yesterday')).code, 2)
    assert.is((await run('diff', '#1')).code, 2)
    assert.is((await run('why')).code, 2)
    assert.is((await run('bisect', '--session', '…ann')).code, 2)
    assert.is((await run('bisect', '--session', '…ann', '--when', 'value ==')).code, 2)
    assert.is((await run('bisect', '--session', '…ann', '--when', 'context.turn > 9')).code, 10)
  }),
)

test(
  'D-R5 of a journal with a damaged end what is whole is shown, and the damage is told',
  stage(async ({ stateDir, run, message }) => {
    const journal = join(stateDir, 'journal')
    const head = await withReader(journal, (reader) => reader.head().position)
    await damageRecord(journal, head)

    const timeline = await run('timeline', `#${message}..`)
    const not = await run('why', '--not', `reply-to:#${message}`)
    const behind = await run('why', `#${head}`)

    assert.match(timeline.stderr, new RegExp(`damaged: record #${head}`))
    assert.equal([timeline.code, timeline.stdout.includes(`#${head} `)], [0, false])
    assert.match(timeline.stdout, new RegExp(`#${head - 1} `))
    assert.match(not.stdout, /LOST/)
    assert.is(behind.code, 10)
    assert.is((await run('history', 'verify')).code, 12)
  }),
)

test(
  'H3.8 history prompt shows what a model was asked, by run or by record',
  stage(async ({ run, json, message }) => {
    const byRecord = await json('history', 'prompt', `#${message}`)
    const byRun = await json('history', 'prompt', String(byRecord['runId']))
    const shown = await run('history', 'prompt', `#${message}`)
    const none = await run('history', 'prompt', '#1')

    assert.equal(byRun, byRecord)
    const messages = byRecord['messages'] as { role: string }[]
    assert.equal(
      messages.map(({ role }) => role),
      ['user', 'assistant', 'user'],
    )
    // Its outcome is of a hand that recorded nothing of the prompt.
    assert.equal([byRecord['outcome'], byRecord['asSent']], ['done', null])
    assert.match(shown.stdout, /── system\nThe time is .*\n── user {2}b:/)
    assert.equal([shown.code, none.code], [0, 10])
  }),
)

test.run()
