/**
 * Documents: what the history tools found, as plain data for programs; the same from a verb and
 * over the wire. Times are ISO texts, positions numbers, addresses texts.
 */
import { formatInstant } from '../../protocol/history/address.ts'
import { sayRecord } from '../../protocol/history/words.ts'
import { streamKind } from '../../protocol/ids.ts'
import type { StateDiff } from './diff.ts'
import type { StateAt } from './state.ts'
import type { OutputEnd, Why } from './why.ts'
import type { WhyNot } from './why-not.ts'

/** Makes the document of a state, for programs. */
export function formatState(found: StateAt, ms: number): Record<string, unknown> {
  const { stream, record, folded, snapshot, verified, waitingFor, timers, inFlight } = found
  return {
    stream,
    actor: stream,
    at: {
      position: record.position,
      asked: found.position,
      at: formatInstant(record.at),
      epoch: record.epoch,
    },
    version: record.version,
    machine: { kind: streamKind(stream), code: record.code },
    value: snapshot.value as unknown,
    status: snapshot.status,
    context: snapshot.context as unknown,
    waitingFor,
    timers: timers.map((wait) => ({ ...wait, dueAt: formatInstant(wait.dueAt) })),
    inFlight: inFlight.map((each) => ({ ...each, since: formatInstant(each.since) })),
    inFlightComplete: found.inFlightComplete,
    stateHash: record.stateHash,
    verified,
    rebuilt: { from: folded.from, folded: folded.folded, ms },
  }
}

/** Makes the document of a difference: RFC 6902 operations, each with its record. */
export function formatDiff({
  stream,
  from,
  to,
  absent,
  values,
  transitions,
  changes,
}: StateDiff): object {
  const absence = { from: absent !== null, to: absent === 'both' }
  return { stream, from, to, absent: absence, values, transitions, changes }
}

/** Makes the document of a chain. */
export function formatWhy({ steps, root, pruned }: Why, end: OutputEnd | null): object {
  return {
    chain: steps.map(({ record, output, valueBefore, guards, sinceCauseMs }) => ({
      position: record.position,
      stream: record.stream,
      version: record.version,
      type: record.event.type,
      cause: record.cause,
      at: formatInstant(record.at),
      output,
      valueBefore,
      value: record.value,
      ignored: record.ignored,
      guards,
      sinceCauseMs,
      says: sayRecord(record),
    })),
    root,
    ...(pruned === null ? {} : { pruned }),
    ...(end === null
      ? {}
      : { outcome: { outcome: end.outcome, by: end.record?.position ?? null } }),
  }
}

/** Makes the document of an absence. */
export function formatWhyNot({ verdict, chain, frontier, ignored, blocks, proof }: WhyNot): object {
  return {
    verdict,
    chain: chain.map(({ position }) => position),
    frontier:
      frontier === null
        ? null
        : {
            position: frontier.record.position,
            output: frontier.output,
            stream: frontier.stream,
            actor: frontier.stream,
            value: proof?.value ?? frontier.record.value,
            accepts: proof?.accepts ?? [],
            reason: frontier.reason,
          },
    ignored: ignored.map(({ position }) => position),
    blocks,
    proof:
      proof === null
        ? null
        : { ...proof, goesOnAt: proof.goesOnAt === null ? null : formatInstant(proof.goesOnAt) },
  }
}
