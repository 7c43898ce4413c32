/** A fork as the library builds it: edits one after the other, then one dry run. */
import { type Edit, type EditFlag, parseEdit } from '../../machines/history/edits.ts'
import { CONTROL, type ForkOutcome } from '../../machines/history/fork.ts'
import type { RerunPlan } from '../../machines/history/plan.ts'
import { requireRecord } from '../../machines/history/source.ts'
import type { JournalEvent, JournalRecord } from '../../protocol/record.ts'
import { codeHouse } from './code.ts'
import { runFork } from './fork-run.ts'
import type { Source } from './source.ts'

/** What a fork came to. */
export interface ForkBranch {
  readonly control: { readonly identical: boolean; readonly records: number }
  readonly firstDivergence: number | null
  readonly effects: Readonly<Record<string, number>>
  readonly outcomes: readonly ForkOutcome[]
  readonly records: readonly JournalRecord[] // of the branch, behind the cut
  /** How a message ended in the branch: sent, answered, failed, uncertain ...; null: not in it. */
  readonly outcome: (target: string) => string | null
}

export class ForkBuilder {
  readonly #source: Source
  readonly #at: number
  readonly #edits: Edit[] = []
  #code = 'current'

  constructor(source: Source, at: number) {
    this.#source = source
    this.#at = at
  }

  /** Changes facts of a recorded event; the function gets a copy. @throws as `requireRecord` */
  edit(address: string, change: (facts: Record<string, unknown>) => void): this {
    const position = Number(address.replace(/^#/, ''))
    const before = requireRecord(this.#source.history, position).event
    const after: Record<string, unknown> = structuredClone(before)
    change(after)
    for (const [key, value] of Object.entries(after)) {
      if (JSON.stringify(value) === JSON.stringify(before[key])) continue
      this.#edits.push({ t: 'edit', position, path: [key], value })
    }
    return this
  }

  /** A record that does not happen. */
  skip(address: string): this {
    return this.#add('skip', address)
  }

  /** A record that happens later: `+500ms`. */
  delay(address: string, by: string): this {
    return this.#add('delay', `${address} ${by}`)
  }

  /** An event from outside, behind a record. */
  insert(after: string, stream: string, { type, ...facts }: JournalEvent): this {
    return this.#add('insert', `after:${after} ${stream} ${type} ${JSON.stringify(facts)}`)
  }

  /** The outcome of an effect. */
  answer(effect: string, outcome: Readonly<Record<string, unknown>>): this {
    return this.#add('answer', `${effect}=${JSON.stringify(outcome)}`)
  }

  /** The code that runs the branch, as `--with` names it. */
  with(code: string): this {
    this.#code = code
    return this
  }

  /** Runs the fork, dry. @throws {GatewayError} REPLAY_DIVERGED: the control run is not the record */
  async run(wish: Partial<Pick<RerunPlan, 'onLost' | 'onMiss'>> = {}): Promise<ForkBranch> {
    const plan: RerunPlan = { ...CONTROL, edits: this.#edits, onMiss: 'stub', ...wish }
    const stretch = { from: this.#at + 1, to: this.#source.history.head() }
    const asked = { ...stretch, plan, code: this.#code, about: null }
    const { result, records } = await runFork(this.#source, codeHouse(this.#source), asked)
    const { control, firstDivergence, effects, outcomes } = result
    const ends = new Map(outcomes.map(({ target, branch }) => [target, branch]))
    return {
      control,
      firstDivergence,
      effects: { ...effects },
      outcomes,
      records,
      outcome: (target) => ends.get(target) ?? null,
    }
  }

  #add(flag: EditFlag, text: string): this {
    this.#edits.push(parseEdit(flag, text))
    return this
  }
}
