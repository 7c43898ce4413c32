/**
 * Other code in a process of its own: the child's main. Started by code-host.ts only.
 *
 * Our engine runs here with the guest's machines in it. Everything that the guest could reach out
 * with is shut before its first line runs.
 */
import { exploreSampled } from '../machines/history/explore.ts'
import { rerunSegment } from '../machines/history/fork.ts'
import { foldStream } from '../machines/history/fold.ts'
import { orInitial, Replayer } from '../machines/history/replay.ts'
import { openSegment } from '../machines/history/segment.ts'
import type { Kinds } from '../machines/history/source.ts'
import type { Code } from '../machines/history/take.ts'
import { stepTrap } from '../machines/step.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { Guest, loadGiven, shutDoors } from './code-guest.ts'
import {
  type Answer,
  type CodeFiles,
  formatMessage,
  parseQuestion,
  type Question,
} from './code-wire.ts'
import { installTrap } from './trap.ts'

const OPEN_NOTHING = { effects: [], sends: [], waits: [], connections: [], channels: [] }

const exit = process.exit.bind(process)
const isShut = isProcessShut() // Before the real process is stripped.
const { version } = process
const send = process.send?.bind(process)
const given = await loadGiven()
let replayer: Replayer | null = null
let pending: readonly JournalRecord[] = []

installTrap()
process.on('disconnect', () => exit(0))
process.on('message', (message) => {
  void answer(message).then((said) => send?.(formatOrFault(said)))
})
shutDoors()

async function answer(message: unknown): Promise<Answer> {
  try {
    return await reply(parseQuestion(message))
  } catch (thrown) {
    return faultOf(thrown)
  }
}

// What the guest made may be too large, or nothing that can be written.
function formatOrFault(said: Answer): Uint8Array {
  try {
    return formatMessage(said)
  } catch (thrown) {
    return formatMessage(faultOf(thrown))
  }
}

function faultOf(thrown: unknown): Answer {
  const { code, message } = toGatewayError(thrown)
  return { t: 'fault', code, message: message.slice(0, limits.recordBytesMax) }
}

async function reply(question: Question): Promise<Answer> {
  if (question.t === 'load') {
    replayer = new Replayer(await loadCode(question.code))
    return { t: 'loaded' }
  }
  if (replayer === null) throw new GatewayError('INTERNAL', 'code: nothing was loaded')
  switch (question.t) {
    case 'take': {
      pending = question.records
      const streams = replayer.unknown(pending)
      return streams.length > 0 ? { t: 'need', streams } : takePending(replayer)
    }
    case 'seed':
      seed(replayer, question)
      return { t: 'seeded' }
    case 'go':
      return takePending(replayer)
    case 'fork':
      return { t: 'forked', rerun: rerunSegment(question.segment, replayer.code, question.plan) }
    case 'explore':
      return explore(replayer, question)
  }
}

function explore({ code }: Replayer, asked: Extract<Question, { t: 'explore' }>): Answer {
  const { exploration, samples } = exploreSampled(asked.segment, code, asked.plan)
  const shown = samples.map(({ violation, segment: { records } }) => ({ violation, records }))
  return { t: 'explored', exploration, samples: shown }
}

function takePending(from: Replayer): Answer {
  const differences = pending.map((record) => from.take(record))
  pending = []
  from.rest()
  return { t: 'taken', differences }
}

function seed(into: Replayer, question: Extract<Question, { t: 'seed' }>): void {
  const { stream, version, base, records } = question
  const bases = base === null ? [] : [{ ...base, stream, position: 0 }]
  const segment = { from: 0, to: 0, bases, open: OPEN_NOTHING, records }
  const snapshot = orInitial(into.code, stream, () => {
    const options = { upToVersion: version }
    return foldStream(openSegment(segment), into.code.kinds, stream, options).snapshot
  })
  into.seed(stream, version, snapshot)
}

// By Node's permission model.
function isProcessShut(): boolean {
  const { permission } = process
  const isReadOnly = (permission as typeof permission | undefined)?.has('fs.write') === false
  return isReadOnly && !permission.has('child') && !permission.has('worker')
}

async function loadCode({ id, files, kinds, step }: CodeFiles): Promise<Code> {
  // A guest must find files and processes shut.
  if (!isShut)
    throw new GatewayError('FORBIDDEN', `code: Node ${version} shuts no doors: nothing is run`)
  const guest = new Guest(files, given)
  const machines = await guest.run(kinds)
  const steps = await guest.run(step)
  const { hashSnapshot, formatValue } = steps as unknown as Code
  if (typeof machines['kinds'] !== 'object' || typeof hashSnapshot !== 'function') {
    throw new GatewayError('NOT_FOUND', `code: ${kinds} or ${step} exports no machines`)
  }
  // Its own step file has a trap of its own; the clock is guarded for it too (K2).
  const { enter, leave, inHand } = stepTrap
  Object.assign(Object(steps['stepTrap']), { enter, leave, inHand })
  return { id, kinds: machines['kinds'] as Kinds, hashSnapshot, formatValue }
}
