/** A real gateway on a free port, over a store of the test's choice. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientOptions } from 'ws'
import { type RunningGateway, startGateway } from '../../actors/gateway.ts'
import { type Clock, type Services, systemChance, systemClock } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { TestClient } from './client.ts'
import { openTestServices, type TestServices } from './services.ts'

export interface TestGateway {
  readonly gateway: RunningGateway
  readonly store: Store
  readonly configPath: string
  /** How often a restart was asked for; nobody obeys here. */
  readonly restarts: () => number
  readonly services: TestServices
  readonly client: (options?: ClientOptions) => TestClient
  readonly stop: () => Promise<void>
}

interface Setup {
  readonly config?: object
  readonly store?: Store
  readonly services?: Partial<Services>
  readonly env?: NodeJS.ProcessEnv
  readonly backupAgeMs?: () => number | null
  /** Of the test's own, which removes it; default: one that goes with the gateway. */
  readonly stateDir?: string
  /** Takes the looks of the heartbeat, which the test makes itself then. */
  readonly beats?: (() => void)[]
}

/** Starts a gateway; chance is real, so that two of them do not share ids. */
export async function startTestGateway({
  config = {},
  store = openMemory(),
  services = {},
  env = {},
  backupAgeMs,
  beats,
  stateDir: given,
}: Setup = {}): Promise<TestGateway> {
  const stateDir = given ?? mkdtempSync(join(tmpdir(), 'openclaw-test-'))
  const configPath = join(stateDir, 'openclaw.json')
  writeFileSync(configPath, JSON.stringify(config))
  const own = {
    ...openTestServices(),
    clock: systemClock as TestServices['clock'],
    chance: systemChance,
    ...(beats === undefined ? {} : { clock: clockWithout(beats) }),
    ...services,
  } as TestServices
  let restarts = 0
  const gateway = await startGateway({
    stateDir,
    configPath,
    port: 0,
    env,
    services: own,
    version: '0.0.0-test',
    store,
    ...(backupAgeMs === undefined ? {} : { backupAgeMs }),
    restart: () => {
      restarts += 1
    },
  })
  const clients: TestClient[] = []
  return {
    gateway,
    store,
    configPath,
    restarts: () => restarts,
    services: own,
    client: (options) => {
      const client = new TestClient(gateway.url, options)
      clients.push(client)
      return client
    },
    stop: async () => {
      await gateway.stop('test')
      for (const client of clients) await client.close()
      if (given === undefined) rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

function clockWithout(beats: (() => void)[]): Clock {
  return {
    ...systemClock,
    after: (ms, run) => {
      if (ms !== limits.heartbeatMs) return systemClock.after(ms, run)
      beats.push(run)
      return () => {}
    },
  }
}

/** Stops a gateway whose clock stands still until told. */
export async function stopWith(
  house: TestGateway,
  clock: { readonly advance: (ms: number) => Promise<void> },
): Promise<void> {
  const stopped = house.stop()
  await clock.advance(5_000)
  await stopped
}
