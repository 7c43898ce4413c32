/**
 * Running a fork: the control run first, by the code that wrote the stretch where it is at hand; a
 * what-if only where that equals the record.
 */
import { type CodeHouse, openRunner } from '../../actors/other-code.ts'
import type { ForkFile } from '../../actors/forks.ts'
import { assertControl, CONTROL, sumFork } from '../../machines/history/fork.ts'
import type { RerunPlan } from '../../machines/history/plan.ts'
import { assertWhole, cutSegment, type Segment } from '../../machines/history/segment.ts'
import { GatewayError } from '../../protocol/errors.ts'
import type { StreamId } from '../../protocol/ids.ts'
import { chooseCode } from './code.ts'
import type { Source } from './source.ts'
import { assertStretch } from './stretch.ts'

/** What to run. */
export interface ForkAsked {
  readonly from: number // first record that is run again
  readonly to: number
  readonly plan: RerunPlan
  readonly code: string
  readonly about: StreamId | null // the session whose outcomes are listed
}

/** What came of it. */
export type Ran = Pick<ForkFile, 'code' | 'records' | 'result'>

/**
 * Runs a fork.
 * @throws {GatewayError} HISTORY_PRUNED: not all of the stretch is left; REPLAY_DIVERGED: the
 * control run is not the record; NOT_FOUND: no such code.
 */
export async function runFork(
  { history }: Source,
  house: CodeHouse,
  { from, to, plan, code, about }: ForkAsked,
): Promise<Ran> {
  assertStretch(from, to, 'fork')
  const segment = cutSegment(history, house.own.kinds, { from, to, code: house.own.id })
  assertWhole(segment)
  const controller = await openController(house, segment)
  try {
    const control = await controller.rerun(segment, CONTROL)
    assertControl(segment, control)
    const choice = await chooseCode(house, code)
    const runner = await openRunner(house, choice, segment)
    try {
      const branch = await runner.rerun(segment, plan)
      const result = sumFork(history, segment, { control, branch, about })
      return { code: runner.id, records: branch.records, result }
    } finally {
      await runner.close()
    }
  } finally {
    await controller.close()
  }
}

// Where the code that wrote the stretch is not stored, ours must tell the same.
async function openController(
  house: CodeHouse,
  segment: Segment,
): Promise<Awaited<ReturnType<typeof openRunner>>> {
  try {
    return await openRunner(house, 'recorded', segment)
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'NOT_FOUND') throw error
    return openRunner(house, 'current', segment)
  }
}
