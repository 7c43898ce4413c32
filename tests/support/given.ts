/** given(events).when(event): folds a machine and returns what the last step did. */
import { kinds } from '../../machines/kinds.ts'
import { formatValue, type Stepped } from '../../machines/step.ts'
import type { StreamKind } from '../../protocol/ids.ts'
import type { JournalEvent } from '../../protocol/record.ts'

export interface Outcome {
  readonly value: string
  readonly context: Readonly<Record<string, unknown>>
  readonly effects: Stepped['effects']
  readonly sends: Stepped['sends']
  readonly ignored: Stepped['ignored']
  readonly waits: readonly { id: string; dueAt: number }[]
}

/** Folds events into a machine, one second apart from time 0 on; `when` is the one looked at. */
export function given(
  kind: StreamKind,
  events: readonly JournalEvent[],
): { when: (event: JournalEvent) => Outcome } {
  return {
    when: (event) => {
      const { stepper, waits } = kinds[kind]
      let snapshot = stepper.initial
      for (const [index, earlier] of events.entries()) {
        snapshot = stepper.step(snapshot, earlier, index * 1_000).snapshot
      }
      const stepped = stepper.step(snapshot, event, events.length * 1_000)
      return {
        value: formatValue(stepped.snapshot),
        context: stepped.snapshot.context as Outcome['context'],
        effects: stepped.effects,
        sends: stepped.sends,
        ignored: stepped.ignored,
        waits: waits(stepped.snapshot),
      }
    },
  }
}
