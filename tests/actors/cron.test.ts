/** Jobs over the wire, in both dialects: added, due, run, missed, removed. */
import '../../actors/trap.ts'
import type { ServerResponse } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import type { Frame, TestClient } from '../support/client.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { delta, startModelServer, writeEvents } from '../support/model-server.ts'
import { readRecords } from '../support/kernel.ts'
import { ask, enter, WITH_TOKEN } from '../support/upstream.ts'
import { until } from '../support/wait.ts'

interface World {
  house: TestGateway
  boss: TestClient // upstream's
  owner: TestClient // of the specification's dialect
}

type Row = Readonly<Record<string, unknown>>

const cron = suite<World>('cron')
cron.before.each(async (world) => {
  world.house = await startTestGateway({ config: WITH_TOKEN })
  world.boss = await enter(world.house)
  world.owner = world.house.client()
  await world.owner.connect({ deviceId: 'owner', auth: { token: 'tok' } })
})
cron.after.each(({ house }) => house.stop())

const HOURLY = {
  name: 'hourly',
  schedule: { kind: 'every', everyMs: 3_600_000 },
  sessionTarget: 'main',
  wakeMode: 'next-heartbeat',
  payload: { kind: 'systemEvent', text: 'look at the oven' },
}

const TURN = {
  ...HOURLY,
  name: 'turn',
  sessionTarget: 'isolated',
  payload: { kind: 'agentTurn', message: 'how is the weather' },
}

const soon = (ms = 50) => ({ kind: 'at', at: new Date(Date.now() + ms).toISOString() })

async function add(boss: TestClient, changes: object = {}): Promise<Row> {
  const { payload, error } = await ask(boss, 'cron.add', { ...HOURLY, ...changes })
  assert.is(error, undefined, JSON.stringify(error))
  return payload
}

function finished(boss: TestClient, jobId: unknown): Promise<Frame> {
  return boss.event('cron', ({ jobId: id, action }) => id === jobId && action === 'finished')
}

const stateOf = (job: Row): Row => job['state'] as Row

cron('CR16 a job is added with its next time, listed, and told', async ({ boss, house }) => {
  const before = Date.now()
  const job = await add(boss)

  const next = Number(job['nextRunAtMs'])
  assert.ok(next >= before + 3_600_000 && next <= Date.now() + 3_600_000)
  assert.equal(stateOf(job), { nextRunAtMs: next })
  assert.equal(
    [job['enabled'], job['payload'], job['sessionTarget'], job['wakeMode']],
    [true, HOURLY.payload, 'main', 'next-heartbeat'],
  )
  const told = await boss.event('cron', ({ action }) => action === 'added')
  assert.equal([told.payload['jobId'], told.payload['nextRunAtMs']], [job['id'], next])
  const { payload } = await ask(boss, 'cron.list', {
    limit: 200,
    offset: 0,
    includeDisabled: false,
  })
  const { jobs, snapshotRevision, deliveryPreviews, ...page } = payload
  assert.equal(
    (jobs as Row[]).map(({ id }) => id),
    [job['id']],
  )
  assert.match(String(snapshotRevision), /^sha256:/)
  assert.equal(deliveryPreviews, {
    [String(job['id'])]: { label: 'not requested', detail: 'not requested' },
  })
  assert.equal(page, { total: 1, offset: 0, limit: 200, hasMore: false, nextOffset: null })
  const status = await ask(boss, 'cron.status')
  assert.equal(
    [status.payload['enabled'], status.payload['jobs'], status.payload['nextWakeAtMs']],
    [true, 1, next],
  )
  const facts = JSON.stringify(readRecords(house.store))
  assert.not.match(facts, 'oven', 'K1')
})

cron('CR17 an empty list is a whole page too', async ({ boss }) => {
  const { payload } = await ask(boss, 'cron.list')

  assert.equal([payload['jobs'], payload['deliveryPreviews']], [[], {}])
  assert.match(String(payload['snapshotRevision']), /^sha256:/)
})

cron('CR18 when it is due its words go to its session, and its end is noted', async (world) => {
  const { boss, house } = world
  const job = await add(boss, { schedule: soon(), deleteAfterRun: false })

  const { payload } = await finished(boss, job['id'])

  assert.equal([payload['status'], payload['summary']], ['ok', 'echo: System: look at the oven'])
  assert.match(String(payload['runId']), new RegExp(`^cron:${String(job['id'])}:`))
  const started = await boss.event('cron', ({ action }) => action === 'started')
  assert.is(typeof started.payload['runAtMs'], 'number')
  const history = await ask(boss, 'chat.history', { sessionKey: 'main' })
  assert.is((history.payload['messages'] as unknown[]).length, 2)
  const runs = await ask(boss, 'cron.runs', { id: job['id'] })
  const [run] = runs.payload['entries'] as Row[]
  assert.equal(
    [run?.['status'], run?.['summary'], runs.payload['total']],
    ['ok', 'echo: System: look at the oven', 1],
  )
  const list = await ask(boss, 'cron.list', { includeDisabled: true })
  const [row] = list.payload['jobs'] as Row[]
  assert.equal([row?.['enabled'], stateOf(row ?? {})['lastRunStatus']], [false, 'ok'])
  const told = readRecords(house.store).filter(({ event }) => event.type === 'message.accepted')
  assert.is(told.length, 1)
})

cron('CR19 a job for once goes when it is done', async ({ boss }) => {
  const job = await add(boss, { ...TURN, schedule: soon() })
  assert.is(job['deleteAfterRun'], true)

  await boss.event('cron', ({ action }) => action === 'removed')

  const { payload } = await ask(boss, 'cron.list', { includeDisabled: true })
  assert.equal(payload['jobs'], [])
  const { error } = await ask(boss, 'cron.runs', { id: job['id'] })
  assert.equal([error?.code, error?.details?.['code']], ['INVALID_REQUEST', 'CRON_JOB_NOT_FOUND'])
})

cron('CR20 an isolated job begins its session anew each time', async ({ boss }) => {
  const job = await add(boss, TURN)
  const sessionKey = `agent:main:cron:${String(job['id'])}`
  for (const _ of [1, 2]) {
    const seen = boss.frames.length
    const { payload } = await ask(boss, 'cron.run', { id: job['id'], mode: 'force' })
    assert.equal([payload['ok'], payload['enqueued']], [true, true])
    await boss.frame(
      (frame) => boss.frames.indexOf(frame) >= seen && frame.payload['action'] === 'finished',
      'end of the run',
    )
  }

  const history = await ask(boss, 'chat.history', { sessionKey })

  assert.is((history.payload['messages'] as unknown[]).length, 2)
  const runs = await ask(boss, 'cron.runs', { jobId: job['id'], limit: 1 })
  assert.equal(
    [runs.payload['total'], runs.payload['hasMore'], runs.payload['nextOffset']],
    [2, true, 1],
  )
})

cron('CR21 changed, switched off, removed', async ({ boss }) => {
  const { id } = await add(boss)

  const changed = await ask(boss, 'cron.update', {
    id,
    patch: { name: 'daily', schedule: { kind: 'cron', expr: '0 9 * * *', tz: 'Europe/Berlin' } },
  })
  const off = await ask(boss, 'cron.update', { id, patch: { enabled: false } })
  const hidden = await ask(boss, 'cron.list')
  const shown = await ask(boss, 'cron.list', { enabled: 'disabled' })
  const gone = await ask(boss, 'cron.remove', { id })
  const twice = await ask(boss, 'cron.remove', { id })

  assert.equal(
    [changed.payload['name'], changed.payload['payload'], changed.payload['schedule']],
    ['daily', HOURLY.payload, { kind: 'cron', expr: '0 9 * * *', tz: 'Europe/Berlin' }],
  )
  assert.ok(Number(changed.payload['nextRunAtMs']) > Date.now())
  assert.equal([off.payload['enabled'], off.payload['nextRunAtMs']], [false, undefined])
  assert.equal([hidden.payload['total'], shown.payload['total']], [0, 1])
  assert.equal(
    [gone.payload, twice.payload],
    [
      { ok: true, removed: true },
      { ok: true, removed: false },
    ],
  )
})

cron('CR22 refusals name what is wrong', async ({ boss, house }) => {
  const past = { kind: 'at', at: '2020-01-01T00:00:00' }
  const often = { kind: 'every', everyMs: limits.cronEveryMsMin - 1 }
  const cases: [object, RegExp][] = [
    [{ schedule: past }, /2020-01-01T00:00:00.000Z is over/],
    [{ schedule: { kind: 'at', at: 'tomorrow' } }, /ISO 8601/],
    [{ schedule: often }, /at \/schedule\/everyMs: must be/],
    [{ schedule: { kind: 'cron', expr: 'never' } }, /schedule.expr/],
    [{ schedule: { kind: 'cron', expr: '0 9 * * *', tz: 'Atlantis' } }, /schedule.tz/],
    [{ schedule: { kind: 'cron', expr: '0 0 30 2 *' } }, /never comes/],
    [{ payload: TURN.payload }, /main cron jobs require payload.kind="systemEvent"/],
    [{ sessionTarget: 'isolated' }, /require payload.kind="agentTurn"/],
    [{ trigger: { script: 'x' } }, /does not have it/],
    [{ agentId: 'other' }, /unknown agent/],
    [{ name: '' }, /name/],
  ]
  for (const [changes, words] of cases) {
    const { error } = await ask(boss, 'cron.add', { ...HOURLY, ...changes })
    assert.is(error?.code, 'INVALID_REQUEST', JSON.stringify(changes))
    assert.match(String(error?.message), words)
  }
  for (const method of ['cron.update', 'cron.run', 'cron.runs', 'cron.get']) {
    const { error } = await ask(boss, method, {
      id: 'x',
      ...(method === 'cron.update' ? { patch: {} } : {}),
    })
    assert.is(error?.details?.['code'], 'CRON_JOB_NOT_FOUND', method)
  }
  assert.match(String((await ask(boss, 'cron.run', {})).error?.message), 'missing id')
  const reader = await enter(house, { scopes: ['operator.read'] })
  assert.is((await ask(reader, 'cron.list')).ok, true)
  assert.is((await ask(reader, 'cron.add', HOURLY)).error?.message, 'missing scope: operator.admin')
})

cron('CR23 both dialects see the same jobs', async ({ boss, owner }) => {
  const added = await owner.request('cron.add', {
    name: 'mine',
    schedule: { kind: 'cron', expr: '0 9 * * *', tz: 'Europe/Berlin' },
    payload: { kind: 'agentTurn', message: 'hello' },
  })
  const job = added.payload['job'] as Row
  await owner.event('cron', ({ action }) => action === 'added')
  const shown = await ask(boss, 'cron.get', { id: job['jobId'] })
  const ran = await owner.request('cron.run', { jobId: job['jobId'] })
  const told = await owner.event('cron', ({ action }) => action === 'finished')
  const runs = await owner.request('cron.runs', { jobId: job['jobId'] })

  assert.equal([job['zone'], job['state']], ['Europe/Berlin', 'waiting'])
  assert.equal(
    [shown.payload['sessionTarget'], shown.payload['nextRunAtMs']],
    ['isolated', job['nextAt']],
  )
  assert.equal([ran.payload['started'], told.payload['text']], [true, 'echo: hello'])
  const [run] = runs.payload['runs'] as Row[]
  assert.equal([run?.['runKey'], run?.['text']], [ran.payload['runKey'], 'echo: hello'])
  const off = await owner.request('cron.update', { jobId: job['jobId'], patch: { enabled: false } })
  assert.is((off.payload['job'] as Row)['state'], 'disabled')
  assert.equal((await owner.request('cron.list')).payload['jobs'], [])
  assert.is(
    ((await owner.request('cron.list', { disabled: true })).payload['jobs'] as []).length,
    1,
  )
  const gone = await owner.request('cron.remove', { jobId: job['jobId'] })
  assert.is(gone.payload['removed'], true)
  assert.is((await owner.request('cron.run', { jobId: 'x' })).error?.code, 'NOT_FOUND')
})

cron.run()

const alone = suite('cron alone')

alone('CR24 a time that went by while the gateway was down is made up for, once', async () => {
  const store = openMemory()
  const keep = { ...store, close: () => Promise.resolve() }
  const first = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const boss = await enter(first)
  const kept = await add(boss)
  const dueAt = Date.now() + 300
  const at = new Date(dueAt).toISOString()
  const job = await add(boss, { schedule: { kind: 'at', at }, deleteAfterRun: false })
  await first.stop()
  await until(() => Date.now() > dueAt, 'the time')

  const second = await startTestGateway({ config: WITH_TOKEN, store: keep })
  const later = await enter(second)
  const runs = await until(async () => {
    const { payload } = await ask(later, 'cron.runs', { id: job['id'] })
    return payload['total'] === 1 ? payload : null
  }, 'the run')
  const list = await ask(later, 'cron.list')
  await second.stop()
  const third = await startTestGateway({ config: WITH_TOKEN, store: keep })
  await third.stop()

  const [run] = runs['entries'] as Row[]
  assert.equal([run?.['status'], run?.['runId']], ['ok', `cron:${String(job['id'])}:${dueAt}`])
  assert.equal(
    (list.payload['jobs'] as Row[]).map(({ id, nextRunAtMs }) => [id, nextRunAtMs]),
    [[kept['id'], kept['nextRunAtMs']]],
  )
  const told = readRecords(store).filter(({ event }) => event.type === 'message.accepted')
  assert.is(told.length, 1)
})

alone(
  'CR26 a run that was in hand when the gateway ended speaks once, and its end is noted',
  async () => {
    const calls: ServerResponse[] = []
    const model = await startModelServer((response) => calls.push(response))
    const providers = { slow: { baseUrl: model.baseUrl, apiKey: 'x' } }
    const config = { ...WITH_TOKEN, models: { providers } }
    const store = openMemory()
    const keep = { ...store, close: () => Promise.resolve() }
    const first = await startTestGateway({ config, store: keep })
    const boss = await enter(first)
    const job = await add(boss, { ...TURN, payload: { ...TURN.payload, model: 'slow/one' } })
    await ask(boss, 'cron.run', { id: job['id'] })
    await until(() => calls.length > 0, 'call of the model')
    await first.stop()
    assert.ok(readRecords(store).every(({ event }) => event['name'] !== 'cron.run'))

    const second = await startTestGateway({ config, store: keep })
    const later = await enter(second)
    await until(() => calls.length > 1, 'second call of the model')
    writeEvents(calls[1]!, delta('fine', 'stop'), '[DONE]')
    calls[1]!.end()
    const [run] = await until(async () => {
      const { payload } = await ask(later, 'cron.runs', { id: job['id'] })
      return payload['total'] === 1 ? (payload['entries'] as Row[]) : null
    }, 'the end of the run')
    await second.stop()
    await model.close()

    assert.equal([run?.['status'], run?.['summary']], ['ok', 'fine'])
    const records = readRecords(store)
    assert.is(records.filter(({ event }) => event.type === 'message.accepted').length, 1)
    assert.is(records.filter(({ event }) => event['name'] === 'cron.run').length, 2)
  },
)

alone('CR25 so many jobs, and no more', async () => {
  const house = await startTestGateway({ config: WITH_TOKEN })
  const jobs = Array.from({ length: limits.cronJobsMax }, (_, n) => n)
  const owner = house.client()
  await owner.connect({ deviceId: 'owner', auth: { token: 'tok' } })
  const draft = { name: 'n', schedule: { kind: 'every', everyMs: 3_600_000 } }
  const payload = { kind: 'agentTurn', message: 'm' }
  const boss = await enter(house)
  for (const n of jobs) await add(boss, { ...TURN, name: `job ${n}` })

  const more = await owner.request('cron.add', { ...draft, payload })
  const page = await ask(boss, 'cron.list', { limit: 100, offset: 200, sortBy: 'name' })
  await house.stop()

  assert.is(more.error?.code, 'UNAVAILABLE')
  assert.equal(
    [page.payload['total'], (page.payload['jobs'] as Row[]).length, page.payload['hasMore']],
    [limits.cronJobsMax, limits.cronJobsMax - 200, false],
  )
})

alone.run()
