/** A cut as a whole: what `walkCut` tells actor by actor. */
import { type UntoldActor, walkCut } from '../../machines/history/cut.ts'
import type { History, Kinds } from '../../machines/history/source.ts'
import type { StateAt } from '../../machines/history/state.ts'

export interface Cut {
  readonly states: readonly StateAt[]
  readonly untold: readonly UntoldActor[]
}

/** Rebuilds every actor that existed at a position, and names those that cannot be told. */
export function cutAt(history: History, kinds: Kinds, position: number): Cut {
  const states: StateAt[] = []
  const untold: UntoldActor[] = []
  for (const each of walkCut(history, kinds, position)) {
    if ('snapshot' in each) states.push(each)
    else untold.push(each)
  }
  return { states, untold }
}
