/**
 * Replays, reruns and explorations under the code that is asked for: our own in this process, any
 * other in a child (code-host.ts).
 */
import {
  type Exploration,
  type ExplorePlan,
  exploreSampled,
  type ExploreSample,
} from '../machines/history/explore.ts'
import { type Rerun, rerunSegment } from '../machines/history/fork.ts'
import type { RerunPlan } from '../machines/history/plan.ts'
import {
  type Difference,
  recordedStates,
  Replayer,
  replayRange,
  type ReplayResult,
  seedBefore,
  Tally,
  type TallyOptions,
} from '../machines/history/replay.ts'
import { Standing } from '../machines/history/holes.ts'
import type { Segment } from '../machines/history/segment.ts'
import type { History } from '../machines/history/source.ts'
import type { Code } from '../machines/history/take.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { checkExplored, checkRerun } from './code-answer.ts'
import { type LoadCode, storedCode } from './code-files.ts'
import { type CodeHost, type CodeHostOptions, openCodeHost } from './code-host.ts'
import type { CodeFiles } from './code-wire.ts'

/** Which code: ours, that which wrote each record, or one that is at hand as files. */
export type CodeChoice = 'current' | 'recorded' | CodeFiles

/** What is needed to run other code. */
export interface CodeHouse extends CodeHostOptions {
  readonly own: Code
  readonly loadCode: LoadCode
}

/** Code that can run a stretch again. */
export interface Runner {
  readonly id: string
  readonly rerun: (segment: Segment, plan: RerunPlan) => Promise<Rerun>
  readonly explore: (
    segment: Segment,
    plan: ExplorePlan,
  ) => Promise<{ exploration: Exploration; samples: readonly ExploreSample[] }>
  readonly close: () => Promise<void>
}

/**
 * Opens code for reruns; `recorded` is that of the stretch, which must be one.
 * @throws {GatewayError} NOT_FOUND: it is not stored, or the stretch was written by several.
 */
export async function openRunner(
  house: CodeHouse,
  choice: CodeChoice,
  segment: Segment,
): Promise<Runner> {
  if (choice === 'current') return ownRunner(house.own)
  if (choice !== 'recorded') return hostRunner(await openCodeHost(choice, house))
  const ids = [...new Set(segment.records.map(({ code }) => code))]
  if (ids.every((id) => id === house.own.id)) return ownRunner(house.own)
  const [id = '', second] = ids
  if (second !== undefined) {
    const text = `code: ${ids.join(' and ')} wrote this stretch; take one range for each`
    throw new GatewayError('NOT_FOUND', text, { codes: ids })
  }
  return hostRunner(await openStored(house, id))
}

function ownRunner(own: Code): Runner {
  return {
    id: own.id,
    rerun: (segment, plan) => Promise.resolve(rerunSegment(segment, own, plan)),
    explore: (segment, plan) => Promise.resolve(exploreSampled(segment, own, plan)),
    close: () => Promise.resolve(),
  }
}

function hostRunner(host: CodeHost): Runner {
  return {
    id: host.id,
    rerun: async (segment, plan) => {
      const patience = patienceFor(segment.records.length)
      const { rerun } = await host.ask({ t: 'fork', segment, plan }, 'forked', patience)
      return checkRerun(host.id, rerun, segment)
    },
    explore: async (segment, plan) => {
      const { length } = segment.records
      const patience = patienceFor((Math.min(plan.budget, length) * length) / 2)
      const found = await host.ask({ t: 'explore', segment, plan }, 'explored', patience)
      return checkExplored(host.id, found, { segment, ...plan })
    },
    close: host.close,
  }
}

// Deadlines for so many steps in one answer.
function patienceFor(steps: number): number {
  return 1 + Math.ceil(steps / limits.codeStepsPerAnswer)
}

async function openStored(house: CodeHouse, id: string): Promise<CodeHost> {
  const stored = await house.loadCode(id)
  if (stored !== null) return openCodeHost(storedCode(id, stored.files), house)
  const text = `code ${id} is not stored beside this journal: take --with current, or a directory`
  throw new GatewayError('NOT_FOUND', text, { code: id })
}

type Lane = (
  history: History,
  records: readonly JournalRecord[],
) => Promise<readonly (Difference | null)[]>

/**
 * Replays a range under the code that is asked for.
 * @throws {GatewayError} as `openCodeHost` and `replayRange`; NOT_FOUND: code that is not stored.
 */
export async function replayHistory(
  house: CodeHouse,
  history: History,
  range: { readonly from: number; readonly to: number; readonly choice: CodeChoice },
  options: TallyOptions = {},
): Promise<ReplayResult> {
  const { own } = house
  const recordedState = recordedStates(history, own)
  const { from, to, choice } = range
  if (choice === 'current') return replayRange(history, own, range, { ...options, recordedState })
  const tally = new Tally({ ...options, recordedState })
  const lanes = new Lanes(house, choice)
  const standing = new Standing(history, { from, to })
  const isRecorded = choice === 'recorded'
  try {
    for (const records of chunksOf(standing.select(history.range(from, to)), isRecorded)) {
      const lane = await lanes.of(records[0]?.code ?? '')
      const taken = await takeIn(lane, history, records, standing)
      for (const [record, difference] of taken) tally.add(record, difference)
    }
  } finally {
    await lanes.close()
  }
  return tally.result(standing.holes())
}

// Again, without what a writer beside us compacted meanwhile.
async function takeIn(
  lane: Lane,
  history: History,
  records: readonly JournalRecord[],
  standing: Standing,
): Promise<[JournalRecord, Difference | null][]> {
  let taken = records
  for (;;) {
    try {
      const differences = await lane(history, taken)
      return taken.map((record, index) => [record, differences[index] ?? null])
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'HISTORY_PRUNED') throw error
      const left = standing.again(taken)
      if (left.length === taken.length) throw error
      taken = left
    }
  }
}

/** One process for each code that is asked; none for our own. */
class Lanes {
  #house: CodeHouse
  #choice: Exclude<CodeChoice, 'current'>
  #hosts = new Map<string, CodeHost>()
  #own: Lane

  constructor(house: CodeHouse, choice: Exclude<CodeChoice, 'current'>) {
    this.#house = house
    this.#choice = choice
    this.#own = ownLane(new Replayer(house.own))
  }

  async of(id: string): Promise<Lane> {
    const choice = this.#choice
    if (choice === 'recorded' && id === this.#house.own.id) return this.#own
    const key = choice === 'recorded' ? id : choice.id
    const known = this.#hosts.get(key)
    if (known !== undefined) return known.replay
    const opening =
      choice === 'recorded' ? openStored(this.#house, id) : openCodeHost(choice, this.#house)
    const host = await opening
    this.#hosts.set(key, host)
    return host.replay
  }

  async close(): Promise<void> {
    for (const host of this.#hosts.values()) await host.close()
  }
}

function ownLane(replayer: Replayer): Lane {
  return (history, records) => {
    const differences = records.map((record) => {
      if (!replayer.knows(record)) seedBefore(replayer, history, record)
      return replayer.take(record)
    })
    replayer.rest()
    return Promise.resolve(differences)
  }
}

// Records in a row; where code counts, of one code.
function* chunksOf(
  records: Iterable<JournalRecord>,
  byCode: boolean,
): Generator<readonly JournalRecord[]> {
  let chunk: JournalRecord[] = []
  for (const record of records) {
    const isOther = byCode && chunk[0] !== undefined && chunk[0].code !== record.code
    if (isOther || chunk.length >= limits.replayChunkRecords) {
      yield chunk
      chunk = []
    }
    chunk.push(record)
  }
  if (chunk.length > 0) yield chunk
}
