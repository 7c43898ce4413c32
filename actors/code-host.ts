/**
 * Other code, kept at arm's length: one child process for each code, without network, without
 * files but our own, without processes and workers, and with a deadline for every answer.
 *
 * Replay, forks and explorations under code that is not ours run there; what comes back is data.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Difference } from '../machines/history/replay.ts'
import { standingBase } from '../machines/history/holes.ts'
import type { History } from '../machines/history/source.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import { checkDifferences, checkNeeded, parseAnswer } from './code-answer.ts'
import {
  type Answer,
  type CodeFiles,
  formatMessage,
  type Needed,
  type Question,
} from './code-wire.ts'
import type { Clock } from './services.ts'

/** Code that runs in a process of its own. */
export interface CodeHost {
  readonly id: string
  /** Replays some records, in order; seeds itself from the history. */
  readonly replay: (
    history: History,
    records: readonly JournalRecord[],
  ) => Promise<readonly (Difference | null)[]>
  /**
   * Asks one question; `patience` is how many deadlines long an answer may take, by default one.
   * @throws {GatewayError} TIMEOUT: it loops; its own fault; INTERNAL: it died.
   */
  readonly ask: <Kind extends Answer['t']>(
    question: Question,
    expected: Kind,
    patience?: number,
  ) => Promise<Extract<Answer, { t: Kind }>>
  readonly close: () => Promise<void>
}

export interface CodeHostOptions {
  readonly clock: Clock
  readonly answerMs?: number // default limits.codeAnswerMs
}

/**
 * Starts a process with some code in it.
 * @throws {GatewayError} FORBIDDEN: it imports what it is not given; NOT_FOUND: a file is missing,
 * or it has no machines; TIMEOUT, INTERNAL.
 */
export async function openCodeHost(
  code: CodeFiles,
  { clock, answerMs = limits.codeAnswerMs }: CodeHostOptions,
): Promise<CodeHost> {
  const child = spawn(process.execPath, childArguments(), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
    env: {},
  })
  const conversation = new Conversation(child, code.id, clock, answerMs)
  const ask: CodeHost['ask'] = async (question, expected, patience = 1) => {
    const answer = await conversation.ask(question, patience)
    if (answer.t === 'fault') throw new GatewayError(answer.code, answer.message, { code: code.id })
    if (answer.t !== expected) throw new GatewayError('INTERNAL', `code: unexpected ${answer.t}`)
    return answer as Extract<Answer, { t: typeof expected }>
  }
  try {
    await ask({ t: 'load', code }, 'loaded')
  } catch (error) {
    await conversation.close()
    throw error
  }
  return {
    id: code.id,
    ask,
    replay: (history, records) => replayThere(conversation, history, records),
    close: () => conversation.close(),
  }
}

const DIST = fileURLToPath(new URL('../', import.meta.url))

// Node 20 calls the permission model experimental; vm modules it does everywhere.
function childArguments(): string[] {
  const isOld = process.allowedNodeEnvironmentFlags.has('--experimental-permission')
  const isNew = process.allowedNodeEnvironmentFlags.has('--permission')
  const permission = isNew || !isOld ? '--permission' : '--experimental-permission'
  const readable = [DIST, ...packageFolders()].map((path) => `--allow-fs-read=${join(path, sep)}*`)
  return [
    permission,
    ...readable,
    '--experimental-vm-modules',
    '--disallow-code-generation-from-strings',
    '--no-warnings',
    `--max-old-space-size=${limits.codeHeapMb}`,
    join(DIST, 'actors', 'code-child.js'),
  ]
}

// Where our packages lie: beside us, or with those who installed us.
function packageFolders(): string[] {
  const folders: string[] = [join(DIST, '..', 'package.json')]
  for (let at = resolve(DIST); dirname(at) !== at; at = dirname(at)) {
    const folder = join(at, 'node_modules')
    if (existsSync(folder)) folders.push(folder)
  }
  return folders
}

/** One question at a time, each with a deadline. */
class Conversation {
  #child: ChildProcess
  readonly id: string
  #clock: Clock
  #answerMs: number
  #ended: Promise<unknown>
  #settle: ((answer: unknown, error: GatewayError | null) => void) | null = null
  #gone: GatewayError | null = null

  constructor(child: ChildProcess, id: string, clock: Clock, answerMs: number) {
    this.#child = child
    this.id = id
    this.#clock = clock
    this.#answerMs = answerMs
    this.#ended = once(child, 'exit')
    child.on('message', (message) => this.#settle?.(message, null))
    child.on('error', (error) => this.#end(`did not start: ${error.message}`))
    const kill = (): boolean => child.kill('SIGKILL') // A guest in a loop does not see us go.
    process.once('exit', kill)
    child.on('exit', (status, signal) => {
      process.off('exit', kill)
      this.#end(`ended with ${signal ?? String(status)}`)
    })
  }

  async ask(question: Question, patience = 1): Promise<Answer> {
    if (this.#gone !== null) throw this.#gone
    const bytes = formatMessage(question)
    const message = await new Promise<unknown>((answered, failed) => {
      const answerMs = this.#answerMs * patience
      const cancel = this.#clock.after(answerMs, () => {
        const text = `code ${this.id}: no answer for ${answerMs} ms`
        this.#gone = new GatewayError('TIMEOUT', text, { code: this.id })
        this.#child.kill('SIGKILL')
        this.#settle?.(null, this.#gone)
      })
      this.#settle = (answer, error) => {
        cancel()
        this.#settle = null
        if (error === null) answered(answer)
        else failed(error)
      }
      this.#child.send(bytes, (error) => {
        if (error !== null) this.#end(error.message)
      })
    })
    return parseAnswer(this.id, message)
  }

  async close(): Promise<void> {
    this.#gone ??= new GatewayError('INTERNAL', `code ${this.id}: closed`)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #end(why: string): void {
    this.#gone ??= new GatewayError('INTERNAL', `code ${this.id}: its process ${why}`)
    this.#settle?.(null, this.#gone)
  }
}

async function replayThere(
  conversation: Conversation,
  history: History,
  records: readonly JournalRecord[],
): Promise<readonly (Difference | null)[]> {
  let answer = await conversation.ask({ t: 'take', records })
  if (answer.t === 'need') {
    checkNeeded(conversation.id, answer.streams, records)
    for (const needed of answer.streams) {
      const said = await conversation.ask(seedOf(history, needed))
      if (said.t === 'fault') throw new GatewayError(said.code, said.message)
    }
    answer = await conversation.ask({ t: 'go' })
  }
  if (answer.t === 'fault') throw new GatewayError(answer.code, answer.message)
  if (answer.t !== 'taken') throw new GatewayError('INTERNAL', `code: unexpected ${answer.t}`)
  return checkDifferences(conversation.id, answer.differences, records)
}

// All records of the stream so far; where some were compacted away, the newest base behind them.
function seedOf(history: History, { stream, version }: Needed): Question {
  try {
    return { t: 'seed', stream, version, base: null, records: upTo(history, stream, 1, version) }
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'HISTORY_PRUNED') throw error
    const base = standingBase(history, stream, version)
    if (base === null) throw error
    const records = upTo(history, stream, base.version + 1, version)
    return { t: 'seed', stream, version, base, records }
  }
}

function upTo(
  history: History,
  stream: Needed['stream'],
  from: number,
  to: number,
): JournalRecord[] {
  const records: JournalRecord[] = []
  for (const record of from > to ? [] : history.stream(stream, from)) {
    if (record.version > to) break
    records.push(record)
  }
  return records
}
