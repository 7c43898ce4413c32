/**
 * Tools that others offer while they are connected: an owner's clients, and paired nodes.
 *
 *   client  tools.register ─► a call is told to it as `tool.call` ─► `tools.result` is its answer
 *   node    each command that it declares and that was allowed ─► `node.invoke`, and its answer
 *
 * Both are gone with their socket: what was in hand then may have been done.
 */
import { sayCallFault } from '../protocol/calls.ts'
import { sha256Hex } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { NodeRow } from './nodes.ts'
import type { ToolRegistry } from './tools/registry.ts'
import {
  type Tool,
  type ToolContext,
  ToolError,
  ToolGone,
  type ToolOutput,
  type ToolSchema,
} from './tools/tool.ts'

/** A tool as a client describes it. */
export interface OfferedTool {
  readonly name: string
  readonly description?: string | undefined
  readonly parameters?: ToolSchema | undefined
  readonly timeoutMs?: number | undefined
}

/** What a client says of a call. */
export interface OfferedAnswer {
  readonly text: string
  readonly isError: boolean
}

type Tell = (payload: Readonly<Record<string, unknown>>) => void

interface Pending {
  readonly connectionId: string
  readonly settle: (answer: OfferedAnswer) => void
  readonly lose: () => void
}

const ANYTHING: ToolSchema = { type: 'object', properties: {} }

export class OfferedTools {
  #registry: ToolRegistry
  #lines = new Map<string, Tell>() // by connection
  #pending = new Map<string, Pending>() // by call

  constructor(registry: ToolRegistry) {
    this.#registry = registry
  }

  /** A client's socket is open: it can be told of calls. */
  attach(connectionId: string, tell: Tell): void {
    this.#lines.set(connectionId, tell)
  }

  /** Its socket has closed, and its tools go with it. */
  detach(connectionId: string): void {
    if (!this.#lines.delete(connectionId)) return
    this.#registry.replace(sourceOf(connectionId), [])
    for (const pending of this.#pending.values()) {
      if (pending.connectionId === connectionId) pending.lose()
    }
  }

  /**
   * Registers a client's tools, in place of those of the same names that it had: all, or none.
   * @throws {GatewayError} INVALID_REQUEST: a name is another's or there twice, or a tool is outside of
   * its bounds; UNAVAILABLE: this connection cannot be told of calls, or too many are registered.
   */
  register(connectionId: string, tools: readonly OfferedTool[]): string[] {
    if (!this.#lines.has(connectionId)) {
      throw new GatewayError('UNAVAILABLE', 'this connection cannot be told of calls')
    }
    const offered = tools.map((tool) => this.#toolOf(connectionId, tool))
    this.#registry.put(sourceOf(connectionId), offered)
    return tools.map(({ name }) => name)
  }

  /** Takes tools of a connection back; those of these names that it had. */
  unregister(connectionId: string, names: readonly string[]): string[] {
    const source = sourceOf(connectionId)
    return names.filter((name) => this.#registry.remove(name, source))
  }

  /** Takes a client's answer; false where nothing waits for it from this socket. */
  answered(connectionId: string, callId: string, answer: OfferedAnswer): boolean {
    const pending = this.#pending.get(callId)
    if (pending?.connectionId !== connectionId) return false
    pending.settle(answer)
    return true
  }

  #toolOf(connectionId: string, offered: OfferedTool): Tool {
    const { name, description = '', parameters = ANYTHING, timeoutMs } = offered
    return {
      name,
      description,
      parameters,
      source: sourceOf(connectionId),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      fault: () => null,
      run: (args, context) => this.#ask(connectionId, { name, arguments: args }, context),
    }
  }

  #ask(
    connectionId: string,
    asked: { readonly name: string; readonly arguments: object },
    { callId, runId, sessionKey, timeoutMs, signal }: ToolContext,
  ): Promise<ToolOutput> {
    const tell = this.#lines.get(connectionId)
    if (tell === undefined) throw new ToolError(sayCallFault('unavailable'))
    return new Promise<ToolOutput>((resolve, reject) => {
      const lose = (): void => reject(new ToolGone())
      const stopped = { text: sayCallFault('aborted'), isError: true }
      signal.addEventListener('abort', () => resolve(stopped), { once: true })
      this.#pending.set(callId, { connectionId, settle: resolve, lose })
      tell({ callId, runId, sessionKey, ...asked, timeoutMs })
    }).finally(() => this.#pending.delete(callId))
  }
}

function sourceOf(connectionId: string): string {
  return `client:${connectionId}`
}

/** Asks a node to run a command. */
export type InvokeNode = (
  asked: { readonly nodeId: string; readonly command: string; readonly paramsJson: string },
  context: ToolContext,
) => Promise<ToolOutput>

/**
 * Puts the tools of all nodes in place of those that they had: what each was allowed, while it is
 * connected. Nodes that are called alike have no name in common: the names of each end with six digits
 * of its id's digest, so that a rule for `node__NAME__*` holds for all of them. So it is with commands
 * of one node that become one word. Who is connected makes no difference.
 */
export function offerNodes(
  registry: ToolRegistry,
  rows: readonly NodeRow[],
  invoke: InvokeNode,
): string[] {
  const allowed = rows.filter(({ context }) => context.approvedAt > 0)
  for (const { context } of rows) registry.replace(sourceOfNode(context), [])
  return allowed.flatMap(({ state, context }) => {
    const { nodeId, approved } = context
    const word = wordOf(calledOf(context))
    const isAlone = allowed.filter((other) => wordOf(calledOf(other.context)) === word).length === 1
    const commands = state === 'online' ? approved.commands : []
    const names = namesOf(commands, word).map((name) => (isAlone ? name : suffixed(name, nodeId)))
    const tools = commands.map((command, index): Tool => ({
      name: fitting(names[index] ?? ''),
      description: `Runs ${command} on the paired device ${calledOf(context)}. Its parameters are the command's own.`,
      parameters: ANYTHING,
      source: sourceOfNode(context),
      fault: () => null,
      run: (args, asking) => invoke({ nodeId, command, paramsJson: JSON.stringify(args) }, asking),
    }))
    return registry.replace(sourceOfNode(context), tools)
  })
}

type NodeContext = NodeRow['context']

const sourceOfNode = ({ nodeId }: NodeContext): string => `node:${nodeId}`
const calledOf = ({ name, displayName, nodeId }: NodeContext): string =>
  name || displayName || nodeId

// A command that is a word already keeps it; of those that become one, the others have a suffix.
function namesOf(commands: readonly string[], node: string): string[] {
  return commands.map((command) => {
    const word = wordOf(command)
    const isShared = commands.some((other) => other !== command && wordOf(other) === word)
    const name = `node__${node}__${word}`
    return isShared && word !== command ? suffixed(name, command) : name
  })
}

function fitting(name: string): string {
  const max = limits.toolNameCharsMax
  return name.length <= max ? name : suffixed(name.slice(0, max - SUFFIX_CHARS - 1), name)
}

const SUFFIX_CHARS = 6 // Hex digits: enough for the few that are called alike.

function suffixed(word: string, of: string): string {
  return `${word}_${sha256Hex(of).slice(0, SUFFIX_CHARS)}`
}

function wordOf(text: string): string {
  return text.replaceAll(/[^\w-]/g, '_')
}
