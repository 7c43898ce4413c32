/**
 * Retention at work: finds what a policy lets go, and lets it go, under a record of it.
 *
 *   all positions, once ─► texts past their age, actors past theirs ─► minus what is pinned
 *        ─► records into archives ─► tombstones for bodies, snapshot and tombstones for records
 *        ─► `history.pruned`
 *
 * Pinned is what somebody still needs: bodies and actors of open effects, sends and waits, and all that
 * lies in the range of an incident. Only texts of conversations count as texts: what was recorded of the
 * configuration stays. A run that a crash cuts short is done again; nothing is removed twice.
 * Where records are archived nothing goes before all of them are on the medium, and of an actor that
 * has gone on meanwhile nothing that is younger (archive.ts).
 */
import { kinds } from '../machines/kinds.ts'
import type { OpenWork } from '../machines/projections/open-work.ts'
import { isPast, type RetentionPolicy } from '../machines/rules/retention.ts'
import { refsIn } from '../protocol/history/refs.ts'
import { GATEWAY, type StreamId, type StreamKind, streamKind } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { memberOf } from '../protocol/members.ts'
import { parseRecord } from '../protocol/record.ts'
import type { StoreReader } from '../store/contract.ts'
import type { Archive } from './archive.ts'
import type { Kernel } from './kernel.ts'
import type { Cancel, Services } from './services.ts'
import { parseTrace, refsNamed, walkPositions } from './traces.ts'

const TEXTS: ReadonlySet<StreamKind> = new Set<StreamKind>([
  'session',
  'run',
  'delivery',
  'channel',
  'invocation',
  'approval',
  'compaction',
  'call',
])

/** A stretch of positions that nothing is removed from. */
export interface Held {
  readonly from: number
  readonly to: number
}

/** What is looked at, and how. */
export interface RetentionWish {
  readonly policy: RetentionPolicy
  readonly now: number // ms since epoch; a time to come tells what will go by then
  readonly held: readonly Held[] // by incidents
}

/** What a policy lets go. */
export interface RetentionPlan {
  readonly refs: readonly string[] // of texts that are there
  readonly bytes: number
  readonly streams: readonly StreamId[] // of actors that have ended
  readonly records: number // that their streams lose
  readonly pinned: number // texts and streams that are past their age and stay
}

/** Finds what a policy lets go; takes nothing. Others are served meanwhile. */
export async function planRetention(
  store: StoreReader,
  work: OpenWork,
  wish: RetentionWish,
): Promise<RetentionPlan> {
  const survey = new Survey(store, wish)
  await walkPositions(store, (position) => survey.take(position))
  return survey.plan(work)
}

/** A stream as the survey saw it. */
interface Seen {
  readonly at: number // of its newest record
  readonly value: string
  readonly records: number // not pruned
}

class Survey {
  readonly #store: StoreReader
  readonly #wish: RetentionWish
  readonly #old = new Set<string>() // refs past their age
  readonly #needed = new Set<string>() // refs of younger records, of held ones and of no texts
  readonly #streams = new Map<StreamId, Seen>()
  readonly #heldStreams = new Set<StreamId>()
  #undated: string[] = [] // refs of pruned records, until the next record tells the time

  constructor(store: StoreReader, wish: RetentionWish) {
    this.#store = store
    this.#wish = wish
  }

  take(position: number): void {
    const isHeld = this.#wish.held.some(({ from, to }) => from <= position && position <= to)
    const stored = this.#store.read(position)
    if (stored === null) return this.#takePruned(position, isHeld)
    const record = parseRecord(stored, stored.fields)
    const { stream, at, value } = record
    const records = (this.#streams.get(stream)?.records ?? 0) + 1
    this.#streams.set(stream, { at, value, records })
    if (isHeld) this.#heldStreams.add(stream)
    const refs = refsNamed(record)
    this.#file(refs, TEXTS.has(streamKind(stream)) ? at : null)
    if (isHeld) this.#file(refs, null)
    // A pruned record is no younger than the one behind it.
    this.#file(this.#undated.splice(0), at)
  }

  plan(work: OpenWork): RetentionPlan {
    const busy = busyIn(work)
    let [bytes, pinned] = [0, 0]
    const refs: string[] = []
    for (const ref of this.#old) {
      const body = this.#store.body(ref)
      if (body === null) continue
      if (this.#needed.has(ref) || busy.refs.has(ref)) {
        pinned += 1
        continue
      }
      refs.push(ref)
      bytes += body.length
    }
    const ended = [...this.#streams].filter(([stream, seen]) => this.#isOver(stream, seen))
    const free = ended.filter(([stream]) => {
      return !this.#heldStreams.has(stream) && !busy.streams.has(stream)
    })
    pinned += ended.length - free.length
    const records = free.reduce((sum, [, seen]) => sum + seen.records - 1, 0)
    return { refs, bytes, streams: free.map(([stream]) => stream), records, pinned }
  }

  #takePruned(position: number, isHeld: boolean): void {
    const link = this.#store.link(position)
    const refs = link === null ? [] : (parseTrace(link)?.refs ?? [])
    if (isHeld) this.#file(refs, null)
    this.#undated.push(...refs)
  }

  // `at` null: never too old.
  #file(refs: Iterable<string>, at: number | null): void {
    const { policy, now } = this.#wish
    const to = at !== null && isPast(at, policy.textsMs, now) ? this.#old : this.#needed
    for (const ref of refs) to.add(ref)
  }

  // The newest record stays, and the snapshot that stands for the others.
  #isOver(stream: StreamId, { at, value, records }: Seen): boolean {
    const { policy, now } = this.#wish
    if (records < 2 || !isPast(at, policy.endedMs, now)) return false
    const { states } = kinds[streamKind(stream)].stepper.machine.config
    return memberOf(states?.[value], 'type') === 'final'
  }
}

function busyIn({ effects, sends, waits }: OpenWork): {
  readonly refs: ReadonlySet<string>
  readonly streams: ReadonlySet<string>
} {
  const open = [...effects.values(), ...waits.values()]
  const streams = [...open.map(({ stream }) => stream), ...[...sends.values()].map(({ to }) => to)]
  return { refs: refsIn([open, [...sends.values()]]), streams: new Set(streams) }
}

/** What a retention did. */
export interface RetentionReport {
  readonly bodies: number
  readonly records: number
  readonly streams: number
  readonly archives: readonly string[] // names of files
  readonly position: number | null // of its record; null where there was nothing to do
}

/** How what a policy lets go is removed. */
export interface RetentionHow {
  readonly by: string
  readonly correlationId: string
  readonly policy?: string // as recorded; default: its preset
  readonly archive: Archive | null // null: records go for good
}

/**
 * Lets go what a plan names, and records it.
 * @throws {GatewayError} STORE_LOW_SPACE, PERMISSION, STORE_CORRUPT: not archived, nothing has gone;
 * STORE_FAILED.
 */
export async function applyRetention(
  { store, compact, registry }: Kernel,
  { policy, now }: RetentionWish,
  { refs, streams }: RetentionPlan,
  how: RetentionHow,
): Promise<RetentionReport> {
  if (refs.length === 0 && streams.length === 0) {
    return { bodies: 0, records: 0, streams: 0, archives: [], position: null }
  }
  const { preset, textsMs, endedMs } = policy
  const name = how.policy ?? preset
  const kept = how.archive === null ? null : await how.archive.keep(store, streams, name)
  const { erased: bodies } = await store.erase(refs)
  let records = 0
  for (const stream of streams) {
    const through = kept === null ? undefined : (kept.through.get(stream) ?? 0)
    records += (await compact(stream, through)).removed
  }
  const archives = kept?.files ?? []
  const ages = { textsMs: textsMs ?? 0, endedMs: endedMs ?? 0, asOf: now }
  const counts = { bodies, records, streams: streams.length }
  const named = archives.length === 0 ? {} : { archives }
  const { position } = await registry.deliver(GATEWAY, {
    event: { type: 'history.pruned', policy: name, ...ages, ...counts, ...named, by: how.by },
    cause: 'sys:retention',
    correlationId: how.correlationId,
  })
  return { ...counts, archives, position }
}

/** What keeps a policy while a gateway runs. */
export interface RetentionParts {
  readonly kernel: Kernel
  readonly services: Services
  readonly policy: () => RetentionPolicy // as configured now
  readonly held: () => readonly Held[]
  readonly archive: Archive
}

/** Keeps the policy: once soon, then each limits.retentionEveryMs. Faults are lines in the log. */
export function startRetention({
  kernel,
  services,
  policy,
  held,
  ...parts
}: RetentionParts): Cancel {
  const { clock, chance, log } = services
  const state = { stopped: false, cancel: (): void => {} }

  async function run(): Promise<void> {
    const wish = { policy: policy(), now: clock.now(), held: held() }
    if (wish.policy.textsMs === null && wish.policy.endedMs === null) return
    const plan = await planRetention(kernel.store, kernel.work, wish)
    if (state.stopped) return
    const archive = wish.policy.archives ? parts.archive : null
    const how = { by: 'gateway', correlationId: chance.hex(limits.correlationIdBytes), archive }
    const report = await applyRetention(kernel, wish, plan, how)
    if (report.position !== null) log.info('history pruned', { ...report })
  }

  function later(delayMs: number): void {
    state.cancel = clock.after(delayMs, () => {
      run()
        .catch((error: unknown) => log.error('history not pruned', { error: String(error) }))
        .finally(() => {
          if (!state.stopped) later(limits.retentionEveryMs)
        })
    })
  }

  later(limits.retentionFirstMs)
  return () => {
    state.stopped = true
    state.cancel()
  }
}
