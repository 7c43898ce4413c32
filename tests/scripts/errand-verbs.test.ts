/**
 * Verbs about nodes, approvals and jobs, as real processes against a real gateway.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { Ended } from '../support/process.ts'
import { until } from '../support/wait.ts'

const verbs = suite('errand verbs')

type Call = (...args: readonly string[]) => Promise<Ended>

async function withGateway(run: (call: Call, house: TestGateway) => Promise<void>): Promise<void> {
  const house = await startTestGateway()
  try {
    await withDirectory((stateDir) =>
      run((...args) => cli(stateDir, [...args, '--port', String(house.gateway.port)]), house),
    )
  } finally {
    await house.stop()
  }
}

verbs('C70 a job is added, listed, run and removed', async () => {
  await withGateway(async (call) => {
    const none = await call('cron')
    const added = await call('cron', 'add', '--name', 'tea', '--every', '2h', '--event', 'tea time')
    const id = /^added (\S+): \d{4}-/.exec(added.stdout)?.[1] ?? ''
    const list = await call('cron', 'list')
    const ran = await call('cron', 'run', id)
    const removed = await call('cron', 'remove', id)
    const again = await call('cron', 'remove', id)

    assert.equal([none.code, none.stdout], [0, ''])
    assert.is(added.code, 0, added.stderr)
    assert.match(list.stdout, new RegExp(`${id} +tea +every 7200 s +waiting`))
    assert.equal([ran.code, removed.stdout, again.code], [0, `removed ${id}\n`, 10])
  })
})

verbs('C71 wrong times and words are named, and end with 2', async () => {
  const cases: [string[], RegExp][] = [
    [['--message', 'x'], /expected one of --every, --at and --cron/],
    [['--message', 'x', '--every', 'often'], /--every: expected a span/],
    [['--message', 'x', '--at', 'soon'], /--at: expected an ISO 8601 time/],
    [['--every', '1h'], /expected one of --message and --event/],
  ]
  await withDirectory(async (directory) => {
    for (const [args, pattern] of cases) {
      const { code, stderr } = await cli(directory, ['cron', 'add', '--name', 'n', ...args])
      assert.is(code, 2, args.join(' '))
      assert.match(stderr, pattern)
    }
    const { code, stderr } = await cli(directory, ['nodes', 'invoke', 'n', 'c', '--params', '{'])
    assert.is(code, 2)
    assert.match(stderr, /--params: expected JSON/)
  })
})

verbs('C72 a node is allowed, named, asked and forgotten', async () => {
  await withGateway(async (call, house) => {
    const node = house.client()
    await node.connect({ deviceId: 'lamp', role: 'node', capabilities: ['light.on'] })
    const list = await until(async () => {
      const { stdout } = await call('nodes', '--json')
      return stdout.includes('light.on') ? stdout : null
    }, 'the node')
    const [row] = (JSON.parse(list) as { nodes: { request: { requestId: string } }[] }).nodes
    const approved = await call('nodes', 'approve', row!.request.requestId)
    const renamed = await call('nodes', 'rename', 'lamp', 'desk lamp')
    const invoked = call('nodes', 'invoke', 'desk lamp', 'light.on', '--params', '{"warm":true}')
    const { payload } = await node.event('node.invoke')
    await node.request('node.result', { id: payload['id'], ok: true, payload: { on: true } })
    const answer = await invoked
    const unknown = await call('nodes', 'invoke', 'nobody', 'light.on')
    const refused = await call('nodes', 'invoke', 'lamp', 'light.off')
    const removed = await call('nodes', 'remove', 'lamp')

    assert.is(approved.stdout, 'approved lamp: light.on\n')
    assert.is(renamed.stdout, 'lamp is desk lamp\n')
    assert.equal(JSON.parse(String(payload['paramsJson'])), { warm: true })
    assert.equal([answer.code, JSON.parse(answer.stdout)], [0, { on: true }])
    assert.match(unknown.stderr, /no node is called "nobody"/)
    assert.match(refused.stderr, /not allowed: "light.off"/)
    assert.is(removed.stdout, 'removed lamp\n')
  })
})

verbs('C73 a command that waits is shown and decided', async () => {
  await withGateway(async (call, house) => {
    const [asker, person] = [house.client(), house.client()]
    await asker.connect({ deviceId: 'asker', subscribe: ['approval'] })
    await person.connect({ deviceId: 'person' })
    for (const approvalId of ['one', 'two', 'long-name-1', 'long-name-2']) {
      await asker.request('approval.request', { command: `run\u001b[2J ${approvalId}`, approvalId })
    }

    const list = await call('approvals', 'list')
    const allowed = await call('approvals', 'allow', 'one', '--always')
    const denied = await call('approvals', 'deny', 'two')
    const again = await call('approvals', 'allow', 'two')
    const both = await call('approvals', 'deny', 'long-name')
    const whole = await call('approvals', 'deny', 'long-name-1')
    const begun = await call('approvals', 'deny', 'LONG-NAM')
    const empty = await call('approvals', 'list')

    assert.match(list.stdout, /one .*run.*one/)
    assert.not.match(list.stdout, '\u001b')
    assert.equal([allowed.stdout, denied.stdout], ['allow-always: one\n', 'deny: two\n'])
    assert.equal([again.code, empty.stdout], [1, ''])
    assert.match(again.stderr, /already resolved/)
    assert.is(both.code, 2)
    assert.match(both.stderr, /several that wait begin so: long-name-1, long-name-2/)
    assert.equal([whole.stdout, begun.stdout], ['deny: long-name-1\n', 'deny: long-name-2\n'])
    await asker.event('approval', ({ status }) => status === 'denied')
  })
})

verbs.run()
