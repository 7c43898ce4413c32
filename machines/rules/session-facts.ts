/** What a person or a client has settled about one session: its name, its model, where it is shown. */

/** Absent members are as the configuration says, and flags that are not set are false. */
export interface SessionFacts {
  readonly label?: string
  readonly model?: string // for its messages, unless one names its own
  readonly thinking?: string
  readonly queue?: string // mode (`rules/queue.ts`)
  readonly archived?: true
  readonly pinned?: true
  readonly unread?: true
}

/** What is to change: null and false remove, what is absent stays. */
export interface FactChanges {
  readonly label?: string | null | undefined
  readonly model?: string | null | undefined
  readonly thinking?: string | null | undefined
  readonly queue?: string | null | undefined
  readonly archived?: boolean | undefined
  readonly pinned?: boolean | undefined
  readonly unread?: boolean | undefined
}

/** Applies changes; members that are removed are gone, not null. */
export function patchFacts(facts: SessionFacts, changes: FactChanges): SessionFacts {
  const entries = Object.entries({ ...facts, ...changes })
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== false))
}
