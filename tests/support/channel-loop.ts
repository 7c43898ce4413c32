/**
 * The kill loop of a channel: people write all the time; the gateway is killed at random moments, also
 * before it serves, and the platform's server at others. Then: no message that the platform keeps is
 * lost or taken twice, none is sent twice unmarked, and the order of a conversation holds both ways.
 */
import * as assert from 'uvu/assert'
import { readText } from '../../actors/bodies.ts'
import { loadOpenWork } from '../../actors/projector.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import type { StoreReader } from '../../store/contract.ts'
import { auditJournal } from './audit.ts'
import { type Line, type Players, type PlayersKind, startPlayers } from './channel-players.ts'
import {
  type ChildGateway,
  makeStateDir,
  startChild,
  startServing,
  type StateDir,
} from './child.ts'
import { withReader } from './journal.ts'
import { between, isAtRest, pause, seeded } from './kill-loop.ts'
import { readRecords } from './kernel.ts'
import { until } from './wait.ts'

export interface ChannelLoopOptions {
  readonly channel: PlayersKind
  readonly cycles: number
  readonly seed: number
  /** As in `messages.queue.mode`; absent: followup, so that each answer names its own question. */
  readonly queue?: string
  /** Told after each cycle. */
  readonly progress?: (cycle: number, counts: Readonly<Record<string, number>>) => void
}

export interface ChannelLoopReport {
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

const LIFE_MS = [20, 900] as const // from the first message that was taken to SIGKILL
const UNHEARD = 0.2 // From ready on instead: it dies while it opens its channel.
const UNHEARD_MS_MAX = 30_000 // Discord alone demands up to 5 s before a session is begun anew.
const BIRTH_MS = [30, 500] as const // from spawn to SIGKILL, where it dies before it is ready
const STILLBORN = 0.15
const SERVER_DIES = 0.5
const DOWN_MS = [20, 400] as const
const SAY_MS = [20, 120] as const
const SAY_TO_NOBODY = 0.1 // People write less while nothing answers.
const REST_MS = 1_200_000 // All attempts of one delivery, as the machine plans them, take 13 minutes.
const LOOK_MS = 500 // A look folds the journal: it must not take the time of the gateway that it waits for.
const SHORT = 3 // Cycles among the tests

/** Runs a few cycles; fails where a promise was broken, or nobody was heard. */
export async function assertShortLoop(channel: PlayersKind): Promise<void> {
  const { faults, counts } = await runChannelLoop({ channel, cycles: SHORT, seed: 20_261_125 })

  assert.equal(faults, [])
  assert.is(counts['kills'], SHORT)
  assert.ok((counts['taken'] ?? 0) > 0, 'somebody was heard')
}

interface Loop {
  readonly random: () => number
  readonly state: StateDir
  readonly players: Players
  readonly counts: Record<string, number>
  readonly life: { serving: boolean }
}

/** Runs the loop; the report names every broken promise. */
export async function runChannelLoop(options: ChannelLoopOptions): Promise<ChannelLoopReport> {
  const { channel, cycles, seed, queue: mode = 'followup', progress } = options
  const players = await startPlayers(channel)
  const messages = { queue: { mode } }
  const state = makeStateDir({ channels: players.config, messages })
  const counts = { kills: 0, 'server kills': 0, stillborn: 0 }
  const loop: Loop = {
    random: seeded(seed),
    state,
    players,
    counts,
    life: { serving: false },
  }
  const talk = startTalk(loop)
  try {
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      await liveOnce(loop)
      progress?.(cycle, { ...counts, said: players.said().length })
    }
    talk.stop()
    await rest(loop)
    return await judge(loop)
  } finally {
    talk.stop()
    await players.close()
    state.remove()
  }
}

// People write whatever becomes of the gateway; each at a time of their own.
function startTalk({ random, players, life }: Loop): { stop: () => void } {
  let count = 0
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    const person = players.people[Math.floor(random() * players.people.length)] ?? ''
    if (life.serving || random() < SAY_TO_NOBODY) {
      count += 1
      players.say({ person, text: `line ${count}` })
    }
    timer = setTimeout(next, between(random, SAY_MS))
  }
  timer = setTimeout(next, 0)
  return { stop: () => clearTimeout(timer) }
}

/** One life: born, put under load, killed; in every other one the server dies as well. */
async function liveOnce({ random, state, players, counts, life }: Loop): Promise<void> {
  const stillborn = random() < STILLBORN
  const child = await startChild(
    state.path,
    stillborn ? { killAfterMs: between(random, BIRTH_MS) } : {},
  )
  bump(counts, 'kills')
  if (child === null) return bump(counts, 'stillborn')
  players.moved(child.port)
  life.serving = true
  if (random() >= UNHEARD) await heardOne(child)
  const lifeMs = between(random, LIFE_MS)
  const dies = random() < SERVER_DIES
  const before = dies ? Math.round(lifeMs * random()) : lifeMs
  await pause(before)
  if (dies) {
    bump(counts, 'server kills')
    await players.kill()
    await pause(between(random, DOWN_MS))
    // Half of the time the gateway dies while the server is away.
    if (random() < 0.5) await players.comeBack()
    await pause(lifeMs - before)
  }
  players.moved(null)
  life.serving = false
  await child.kill()
  await players.comeBack()
}

// Where the machine is busy, whole lives would pass before anybody is heard.
function heardOne(child: ChildGateway): Promise<unknown> {
  const heard = (): boolean => child.log.some((line) => line.includes('"message received"'))
  return until(heard, 'a message', UNHEARD_MS_MAX)
}

/** The last life: everything comes to its end, and it stops. */
async function rest({ state, players }: Loop): Promise<void> {
  const child = await startServing(state.path)
  players.moved(child.port)
  try {
    await players.settled()
    await atRest(state.journal)
  } finally {
    await child.stop()
  }
}

async function atRest(journal: string): Promise<void> {
  const deadline = performance.now() + REST_MS
  while (!(await isAtRest(journal))) {
    if (performance.now() > deadline) throw new Error(`never at rest: ${await openAt(journal)}`)
    await pause(LOOK_MS)
  }
}

// Which streams have something open, and how far each got: what a person would look at first.
function openAt(journal: string): Promise<string> {
  return withReader(journal, (reader) => {
    const { effects, waits } = loadOpenWork(reader)
    const open = [...effects.values(), ...waits.values()].map(({ stream }) => stream)
    const newest = new Map(readRecords(reader).map((record) => [record.stream, record]))
    return [...new Set(open)]
      .map((stream) => `${stream} ${newest.get(stream)?.value ?? ''}`)
      .join(', ')
  })
}

async function judge({ state, players, counts }: Loop): Promise<ChannelLoopReport> {
  const heard = players.heard()
  const audit = await auditJournal(state.journal, {
    promised: [],
    heard: heard.map(({ text }) => text),
  })
  const faults = [...audit.faults]
  await withReader(state.journal, (reader) => {
    const records = readRecords(reader)
    const taken = takenIn(reader, records)
    faults.push(...judgeInbound(players, taken), ...judgeOrder(heard))
    counts['said'] = players.said().length
    counts['taken'] = taken.length
    counts['heard'] = heard.length
    const refused = players.refused?.() ?? 0
    if (!players.keeps) counts['not there to hear'] = refused
    if (!players.keeps) counts['lost with a link'] = players.said().length - taken.length - refused
  })
  return { faults, counts: { ...audit.counts, ...counts } }
}

function takenIn(reader: StoreReader, records: readonly JournalRecord[]): Line[] {
  return records
    .filter(({ event }) => event.type === 'message.received')
    .map(({ event }) => ({
      person: String(event['senderId']),
      text: readText(reader, String(event['ref'])),
    }))
}

// Each once, in the order in which its person said it; none left out where the platform keeps them.
function judgeInbound(players: Players, taken: readonly Line[]): string[] {
  return players.people.flatMap((person) => {
    const said = textsOf(players.said(), person)
    const got = textsOf(taken, person)
    const twice = got.filter((text, index) => got.indexOf(text) !== index)
    const lost = players.keeps ? said.filter((text) => !got.includes(text)) : []
    const expected = said.filter((text) => got.includes(text))
    const ordered = twice.length > 0 || got.join('\n') === expected.join('\n')
    return [
      ...twice.map((text) => `${person}: ${text} was taken twice`),
      ...lost.map((text) => `${person}: ${text} was lost`),
      ...(ordered ? [] : [`${person}: taken out of order: ${got.join(', ')}`]),
    ]
  })
}

// An answer names its question, the last one of those that it answers, and questions are numbered.
function judgeOrder(heard: readonly Line[]): string[] {
  const people = [...new Set(heard.map(({ person }) => person))]
  return people.flatMap((person) => {
    const numbers = textsOf(heard, person).map((text) => Number(/\d+$/.exec(text)?.[0]))
    return numbers.flatMap((number, index) => {
      const before = numbers[index - 1] ?? 0
      return number >= before ? [] : [`${person}: answer ${number} came behind ${before}`]
    })
  })
}

function textsOf(lines: readonly Line[], person: string): string[] {
  return lines.filter((line) => line.person === person).map(({ text }) => text)
}

function bump(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}
