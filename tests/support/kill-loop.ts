/**
 * The kill loop: a gateway that is killed again and again under load, and then held to its word.
 *
 * Four clients ask as fast as answers come, on a real ngIRCd a person keeps every line that
 * arrives. The gateway dies by SIGKILL at random moments after its first answer, now and then before
 * it is ready.
 * A kill proves recovery, acknowledgement and idempotency; it proves nothing about a lost page
 * cache (D-R1 and reliability.md 2b).
 */
import { loadOpenWork } from '../../actors/projector.ts'
import { auditJournal } from './audit.ts'
import {
  type ChildGateway,
  makeStateDir,
  startChild,
  startServing,
  type StateDir,
} from './child.ts'
import { ircChannel } from './irc-scene.ts'
import { withReader } from './journal.ts'
import { LoadClient } from './load-client.ts'
import { connectIrcUser, type IrcUser, type Ngircd, startNgircd } from './ngircd.ts'
import { until } from './wait.ts'

export interface KillLoopOptions {
  readonly cycles: number
  readonly seed: number
  /** Told after each cycle. */
  readonly progress?: (cycle: number, counts: Readonly<Record<string, number>>) => void
}

export interface KillLoopReport {
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

const CLIENTS = 4
const SESSIONS = 6
const SENDS_PER_LIFE = 4 // The adapter lets five lines out at once, then one a second.
const LIFE_MS = [20, 600] as const // from the first answer to SIGKILL
const BIRTH_MS = [30, 700] as const // from spawn to SIGKILL, where it dies before it is ready
const STILLBORN = 0.15
const SILENT = 0.3 // The IRC server falls silent before the kill: what was sent is unconfirmed.
const REST_MS = 120_000

interface Loop {
  readonly random: () => number
  readonly state: StateDir
  readonly irc: Ngircd
  readonly clients: readonly LoadClient[]
  readonly listener: IrcUser
  readonly life: { sends: number } // left in this life
  readonly counts: Record<string, number>
}

/** Runs the loop; the report names every broken promise. */
export async function runKillLoop({
  cycles,
  seed,
  progress,
}: KillLoopOptions): Promise<KillLoopReport> {
  const irc = await startNgircd()
  const listener = await connectIrcUser(irc.port, 'ann')
  const state = makeStateDir({ channels: { irc: ircChannel(irc.port) } })
  const random = seeded(seed)
  const life = { sends: 0 }
  const clients = Array.from({ length: CLIENTS }, (_, n) => makeClient(n, random, life))
  const loop = { random, state, irc, clients, listener, life, counts: { kills: 0, stillborn: 0 } }
  try {
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      await liveOnce(loop)
      progress?.(cycle, { ...loop.counts, acknowledged: acknowledged(loop) })
    }
    await rest(loop)
    return await judge(loop)
  } finally {
    listener.close()
    await irc.stop()
    state.remove()
  }
}

/** One life: born, put under load, killed. */
async function liveOnce(loop: Loop): Promise<void> {
  const { random, state, irc, clients, life, counts } = loop
  const stillborn = random() < STILLBORN
  const child = await startChild(
    state.path,
    stillborn ? { killAfterMs: between(random, BIRTH_MS) } : {},
  )
  counts['kills'] = (counts['kills'] ?? 0) + 1
  if (child === null) {
    counts['stillborn'] = (counts['stillborn'] ?? 0) + 1
    return
  }
  life.sends = SENDS_PER_LIFE
  const before = answers(clients)
  const work = clients.map((client) => client.work(child.url))
  // Not from ready on: where the machine is busy, whole lives would pass before a client is heard.
  await until(() => answers(clients) > before, 'answer')
  const lifeMs = between(random, LIFE_MS)
  const silentMs = random() < SILENT ? lifeMs / 2 : 0
  await pause(lifeMs - silentMs)
  if (silentMs > 0) irc.freeze()
  await pause(silentMs)
  await child.kill()
  irc.thaw()
  await Promise.all(work)
}

/** The last life: everything is answered, everything begun comes to its end, and it stops. */
async function rest({ state, clients }: Loop): Promise<void> {
  const child: ChildGateway = await startServing(state.path)
  try {
    await Promise.all(clients.map((client) => client.work(child.url, true)))
    await until(() => isAtRest(state.journal), 'rest', REST_MS)
  } finally {
    await child.stop()
  }
}

/** Tells whether all that was begun has come to its end. */
export function isAtRest(journal: string): Promise<boolean> {
  return withReader(journal, (reader) => {
    const { effects, sends, waits } = loadOpenWork(reader)
    return effects.size + sends.size + waits.size === 0
  })
}

async function judge({ state, clients, listener, counts }: Loop): Promise<KillLoopReport> {
  const promised = clients.flatMap((client) => [...client.promised.values()])
  const heard = listener.heard().map((line) => line.replace(/^ann /, ''))
  const audit = await auditJournal(state.journal, { promised, heard })
  const repeated = clients.reduce((sum, client) => sum + client.repeated, 0)
  return {
    faults: [...clients.flatMap(({ faults }) => faults), ...audit.faults],
    counts: { ...counts, ...audit.counts, 'answers repeated': repeated },
  }
}

function makeClient(n: number, random: () => number, life: { sends: number }): LoadClient {
  let made = 0
  return new LoadClient(`load-${n}`, () => {
    made += 1
    const name = `${n}-${made}`
    if (life.sends > 0 && random() < 0.2) {
      life.sends -= 1
      const message = `message ${name}`
      return {
        method: 'send',
        params: { channel: 'irc', target: 'ann', message, idempotencyKey: name },
      }
    }
    const sessionKey = `agent:main:load-${Math.floor(random() * SESSIONS)}`
    return {
      method: 'agent',
      params: { message: `question ${name}`, sessionKey, idempotencyKey: name },
    }
  })
}

/** Lets real time pass: what is killed at random moments is killed at real ones. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

function answers(clients: readonly LoadClient[]): number {
  return clients.reduce((sum, { promised, repeated }) => sum + promised.size + repeated, 0)
}

function acknowledged({ clients }: Loop): number {
  return clients.reduce((sum, { promised }) => sum + promised.size, 0)
}

/** Draws a whole number of a range. */
export function between(random: () => number, [low, high]: readonly [number, number]): number {
  return Math.round(low + random() * (high - low))
}

/** The same numbers for the same seed: mulberry32, 0 <= x < 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
