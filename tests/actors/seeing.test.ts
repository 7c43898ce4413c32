/** Seeing: what the gateway tells of itself over HTTP and in `health`, and what it notices itself. */
import '../../actors/trap.ts'
import { createServer } from 'node:http'
import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { Heartbeat } from '../../actors/heartbeat.ts'
import { openProbes, type ProbeHouse } from '../../actors/probes.ts'
import { readPulse } from '../../actors/pulse.ts'
import { type Clock, systemClock } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { openFakeClock } from '../support/clock.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { readRecords } from '../support/kernel.ts'
import { openTestServices } from '../support/services.ts'
import { until } from '../support/wait.ts'

const seeing = cases('seeing')

const PROXY = { 'x-forwarded-for': '203.0.113.9' }
const LONG_AGO = 3_600_000

async function withGateway(
  setup: Parameters<typeof startTestGateway>[0],
  run: (house: TestGateway) => Promise<void>,
): Promise<void> {
  const house = await startTestGateway(setup)
  try {
    await run(house)
  } finally {
    await house.stop()
  }
}

async function get(house: TestGateway, path: string, headers: Record<string, string> = {}) {
  const url = house.gateway.url.replace('ws:', 'http:')
  const answer = await fetch(`${url}${path}`, { headers })
  return {
    status: answer.status,
    text: await answer.text(),
    type: answer.headers.get('content-type'),
  }
}

seeing('SE1 liveness is for all; why it is not ready is for those on this machine', async () => {
  await withGateway({}, async (house) => {
    const live = await get(house, '/healthz', PROXY)
    const stranger = await get(house, '/readyz', PROXY)
    const own = await get(house, '/readyz')
    const page = await get(house, '/readyz', { origin: house.gateway.url.replace('ws:', 'http:') })
    const before = house.store.head().position
    await get(house, '/metrics')

    assert.equal([live.status, JSON.parse(live.text)], [200, { ok: true, status: 'live' }])
    assert.equal([stranger.status, JSON.parse(stranger.text)], [200, { ready: true }])
    assert.equal(JSON.parse(page.text), { ready: true })
    const told = JSON.parse(own.text) as Record<string, unknown>
    assert.equal([told['ready'], told['failing'], told['degraded']], [true, [], []])
    assert.is(house.store.head().position, before, 'a probe leaves no record')
  })
})

seeing(
  'SE2 the token opens metrics from elsewhere; a wrong one is counted, then locked',
  async () => {
    const config = { gateway: { auth: { token: 'right-token' } } }
    await withGateway({ config }, async (house) => {
      const bearer = (token: string) => ({ ...PROXY, authorization: `Bearer ${token}` })

      const stranger = await get(house, '/metrics', PROXY)
      const right = await get(house, '/metrics', bearer('right-token'))
      for (let wrong = 0; wrong < limits.authFailuresMax; wrong += 1) {
        assert.is((await get(house, '/metrics', bearer('guess'))).status, 401)
      }
      const locked = await get(house, '/metrics', bearer('right-token'))

      assert.equal([stranger.status, right.status, locked.status], [401, 200, 401])
      assert.not.match(stranger.text, 'openclaw_')
      assert.match(String(right.type), 'text/plain')
    })
  },
)

seeing('SE3 metrics are numbers of parts and kinds, and name nobody', async () => {
  await withGateway({}, async (house) => {
    const client = house.client()
    await client.connect({ deviceId: 'phone-of-anna', subscribe: ['agent.done'] })
    await client.request('agent', { message: 'hello', sessionKey: 'agent:main:anna' })
    await client.event('agent.done')

    const { text } = await get(house, '/metrics')

    for (const line of [
      /^openclaw_journal_records [1-9]\d*$/m,
      /^openclaw_journal_commit_seconds_p99 [\d.e-]+$/m,
      /^openclaw_open_work\{kind="effects"\} 0$/m,
      /^openclaw_sessions 1$/m,
      /^openclaw_connections 1$/m,
      /^openclaw_event_loop_lag_seconds /m,
      /^openclaw_trouble\{kind="disk"\} 0$/m,
      /^process_resident_memory_bytes \d{7,}$/m,
      /^openclaw_info\{version="0\.0\.0-test"\} 1$/m,
    ])
      assert.match(text, line)
    assert.not.match(text, /anna|phone/)
  })
})

/** A server that does with each request what the test says. */
async function withServer(
  answer: Parameters<typeof createServer>[1],
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(answer as () => void).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    await run(`http://127.0.0.1:${port}/v1`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function configOf(url: string): object {
  const providers = { home: { baseUrl: url, apiKey: 'k' } }
  return { models: { providers }, agents: { defaults: { model: 'home/test' } } }
}

type Probes = Record<string, { ok: boolean; ms: number; detail: string }>

async function probesOf(house: TestGateway): Promise<Probes> {
  const client = house.client()
  await client.connect({ subscribe: [] })
  const { payload } = await client.request('health', { probe: true })
  return payload['probes'] as Probes
}

seeing('SE4 a probe looks at every part; one that does not answer keeps no other', async () => {
  await withServer(
    () => {},
    (url) =>
      withGateway({ config: configOf(url) }, async (house) => {
        const probes = await probesOf(house)

        assert.equal(Object.keys(probes), ['journal', 'disk', 'config', 'model.home/test'])
        const { journal, config, 'model.home/test': model } = probes
        assert.equal([journal?.ok, config?.ok, model?.ok], [true, true, false])
        assert.match(String(model?.detail), /no answer in 2 s|aborted/)
        assert.ok(Number(journal?.ms) < limits.probeMs, 'in its own time')
      }),
  )
})

seeing('SE4 a model whose server refuses the key fails; one that answers is well', async () => {
  const statuses = [401, 200, 503]
  await withServer(
    (_request, response) => {
      response.writeHead(statuses.shift() ?? 500).end('{}')
    },
    (url) =>
      withGateway({ config: configOf(url) }, async (house) => {
        const refused = (await probesOf(house))['model.home/test']
        const well = (await probesOf(house))['model.home/test']
        const ill = (await probesOf(house))['model.home/test']

        assert.equal([refused?.ok, well?.ok, ill?.ok], [false, true, false])
        assert.match(String(refused?.detail), 'HTTP 401): it refuses the key')
        assert.match(String(ill?.detail), 'HTTP 503): its server is in trouble')
      }),
  )
})

const NO_CHANNELS = { states: none, reasons: none, down: none, evidence: none, lost: none }

function none(): object {
  return {}
}

seeing('SE5 not ready: 503, with the reason for those who may hear it', async () => {
  const peer = { address: '127.0.0.1', loopback: true, origin: null, forwarded: false }
  const house = { isReady: () => false, loop: () => ({ lagMs: 0, lagMsMax: 0, utilization: 0 }) }
  const { configuration, ...rest } = {
    ...house,
    store: openMemory(),
    configuration: { fault: 'openclaw.json:3:1: bad' },
    quarantined: () => ['session:x'],
    tailscaleFault: () => null,
    channels: NO_CHANNELS,
    registry: { snapshot: () => ({ context: {} }) },
    services: openTestServices(),
    startedAt: 0,
    work: { position: 0 },
  }
  const probes = openProbes({ ...rest, configuration } as unknown as ProbeHouse)

  const answer = await probes.answer('/readyz', { peer, authorization: undefined })

  assert.is(answer?.status, 503)
  assert.match(String(answer?.body), 'it is starting or stopping')
  assert.match(String(answer?.body), 'the written one is not used: openclaw.json:3:1: bad')
  assert.match(String(answer?.body), 'set aside: session:x')
  assert.is(probes.answer('/', { peer, authorization: undefined }), null)
})

seeing('F12 a journal whose commit hangs has no pulse; one that is whole has', () => {
  const stats = { ...openMemory().stats(), commitWaitsMs: limits.commitHangMs + 1 }
  const head = { position: 7, hash: new Uint8Array(32) }
  const whole = { stats: () => ({ ...stats, commitWaitsMs: 0 }), head: () => head }

  assert.is(readPulse(openMemory()), null)
  assert.match(String(readPulse({ ...openMemory(), stats: () => stats })), 'a commit has been')
  assert.is(readPulse({ ...whole, read: () => null }), 'record #7 is not there')
  const failed = () => {
    throw new Error('the store has failed')
  }
  assert.is(readPulse({ ...whole, read: failed }), 'the store has failed')
})

seeing('F24 a wall clock that ran ahead is told once, one that went back is logged', async () => {
  const base = openFakeClock()
  let ahead = 0
  const clock = { ...base, now: () => base.now() + ahead }
  const services = openTestServices(clock)
  const slept: number[] = []
  let beats = 0
  const heartbeat = new Heartbeat({
    services,
    slept: (ms) => slept.push(ms),
    beat: () => {
      beats += 1
    },
  })

  await clock.advance(limits.heartbeatMs)
  ahead = LONG_AGO
  await clock.advance(3 * limits.heartbeatMs)
  ahead = 0
  await clock.advance(limits.heartbeatMs)
  heartbeat.stop()
  await clock.advance(limits.heartbeatMs)

  assert.equal(slept, [LONG_AGO])
  assert.is(beats, 5)
  assert.equal(
    services.lines.map(({ phrase }) => phrase),
    ['the clock was set back'],
  )
})

seeing(
  'F24 sleep is a record of the gateway, and what fell due meanwhile fires at once',
  async () => {
    const beats: (() => void)[] = []
    let ahead = 0
    const clock: Clock = {
      now: () => systemClock.now() + ahead,
      monotonic: systemClock.monotonic,
      after: (ms, run) => {
        if (ms !== limits.heartbeatMs) return systemClock.after(ms, run)
        beats.push(run)
        return () => {}
      },
    }
    await withGateway({ services: { clock } }, async (house) => {
      const client = house.client()
      await client.connect()
      await client.request('config.patch', {
        raw: '{ session: { dmScope: "main" } }',
        baseHash: (await client.request('config.get')).payload['hash'],
        restartDelayMs: 1_800_000,
      })
      const isArmed = () => readRecords(house.store).some(({ armed }) => armed.length > 0)
      await until(isArmed, 'restart that waits')
      assert.is(house.restarts(), 0)

      ahead = LONG_AGO
      beats.shift()?.()
      await until(() => house.restarts() === 1, 'restart that was due')

      const slept = readRecords(house.store).find(({ event }) => event.type === 'host.slept')
      assert.ok(slept !== undefined && slept.ignored === null)
      assert.ok(Math.abs(Number(slept.event['ms']) - LONG_AGO) < 1_000)
    })
  },
)

seeing.run()
