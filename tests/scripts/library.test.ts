/** The library: what a script or a test of somebody else's would write (history.md 3.5). */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { matchOutcome, openLog, replayBundle } from 'openclaw-gateway/history'
import { openLmdb } from '../../store/lmdb/open.ts'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'
import { Scene } from '../support/scene.ts'

const test = cases('library')
const INCIDENTS = fileURLToPath(new URL('../../../tests/incidents/', import.meta.url))

async function withLog(
  look: (log: Awaited<ReturnType<typeof openLog>>, message: number) => Promise<void>,
): Promise<void> {
  await withDirectory(async (dir) => {
    const store = await openLmdb({ directory: join(dir, 'journal'), verify: false })
    const scene = await Scene.open(store)
    const message = await scene.write()
    await scene.reply()
    await scene.tried('message.deliver')
    await scene.pass(1_000)
    await scene.die()
    await scene.restart()
    await scene.die()
    await store.close()
    const log = await openLog({ dir })
    try {
      await look(log, message.position)
    } finally {
      await log.close()
    }
  })
}

test('H3.5 state, range, why and bisect answer from the files', () =>
  withLog(async (log, message) => {
    const session = 'session:agent:main:irc:direct:ann'

    assert.is(log.state(session, `#${message + 1}`)?.['value'], 'running')
    assert.is(log.state(session, '#1'), null)
    const deliveries = [...log.range('start', 'head', { actor: 'delivery:*' })]
    assert.equal(
      deliveries.map(({ value }) => value),
      ['attempting', 'attempting', 'uncertain'],
    )
    assert.is([...log.range('start', 'head', { filter: ['type=effect.lost'] })].length, 1)
    assert.is([...log.range('start', 'head', { filter: ['ms>=0'] })].length > 0, true)
    const { root } = log.why(`#${message + 1}`) as { root: string }
    assert.is(root, 'ext:irc:m1')
    const { verdict } = (await log.whyNot(`reply-to:#${message}`)) as { verdict: string }
    assert.is(verdict, 'lost')
    assert.is(log.bisect(session, 'context.turn > 0').position, message + 1)
    assert.is(log.bisect(session, ({ value }) => value === 'idle').event.type, 'run.finished')
    assert.is(log.at('last(type=effect.lost)').position, deliveries.at(-1)?.position)
    await refusal(() => log.state('nobody'), 'NOT_FOUND')
  }))

test('H3.5 a range of times begins with the first record that is not before it', () =>
  withLog(async (log) => {
    const [first] = log.range('start', 'start')
    const instant = (ms: number): string => new Date((first?.at ?? 0) + ms).toISOString()
    const after = [...log.range()].filter(({ at }) => at > (first?.at ?? 0))

    assert.equal([...log.range(instant(1))], after)
    assert.is([...log.range(instant(-1), instant(0))].at(0)?.position, 1)
    await refusal(() => [...log.range('#3', '#1')], 'USAGE')
  }))

test('H3.5 P39 a fork is edited and run, its control first, and nothing leaves the machine', () =>
  withLog(async (log, message) => {
    const reply = `reply-to:#${message}`
    const same = await log.fork(`#${message}`).run()
    const lucky = await log.fork(`#${message}`).run({ onLost: 'ok' })
    const stranger = await log
      .fork(`#${message - 1}`)
      .edit(`#${message}`, (facts) => {
        facts['senderId'] = 'eve'
      })
      .run()

    assert.equal([same.control.identical, same.firstDivergence], [true, null])
    assert.is(same.outcome(reply), 'uncertain')
    assert.match(lucky.outcome(reply) ?? '', /^sent/)
    assert.is(stranger.outcome(reply), 'refused(dm.allowlist)')
    assert.is(stranger.effects['live'], 0)
  }))

test('H3.5 an incident file is a test: it replays, and its messages ended as they did', async () => {
  const replayed = await replayBundle(join(INCIDENTS, 'reply-lost.ocinc'))
  const [target = ''] =
    Object.entries(replayed.outcomes).find(([, end]) => end === 'uncertain') ?? []

  matchOutcome(replayed, { [target]: 'uncertain' })
  assert.throws(() => matchOutcome(replayed, { [target]: 'ok' }), /expected ok, got uncertain/)
  assert.throws(() => matchOutcome(replayed, { 'reply-to:#999': 'ok' }), /got absent/)
  assert.throws(() => matchOutcome({ ...replayed, first: 7 }, {}), /first at #7/)
  await refusal(() => replayBundle('/nowhere.ocinc'), 'NOT_FOUND')
})

test.run()
