/**
 * An exploration of a range, under the code that is asked for.
 */
import { type CodeChoice, type CodeHouse, openRunner } from '../../actors/other-code.ts'
import type { Exploration, ExploreSample, Invariant } from '../../machines/history/explore.ts'
import { assertWhole, cutSegment } from '../../machines/history/segment.ts'
import { assertStretch } from './stretch.ts'
import type { Source } from './source.ts'

/** What is counted, in the words of the first line. */
export const INVARIANT_WORDS: Readonly<Record<Invariant, string>> = {
  'reply.lost': 'lose a reply',
  'sent.twice': 'send twice',
  'waits.forever': 'leave an actor waiting for ever',
  'machine.throws': 'make a machine throw',
}

export interface Explored extends Exploration {
  readonly code: string
  readonly samples: readonly ExploreSample[]
}

/** Crashes a range after each of its records. @throws {GatewayError} USAGE: it is too long. */
export async function exploreRange(
  source: Source,
  house: CodeHouse,
  asked: { from: number; to: number; choice: CodeChoice; budget: number },
): Promise<Explored> {
  const { from, to, choice, budget } = asked
  assertStretch(from, to, 'explore')
  const { own } = house
  const segment = cutSegment(source.history, own.kinds, { from, to, code: own.id })
  assertWhole(segment)
  const runner = await openRunner(house, choice, segment)
  try {
    const { exploration, samples } = await runner.explore(segment, { budget })
    return { ...exploration, samples, code: runner.id }
  } finally {
    await runner.close()
  }
}
