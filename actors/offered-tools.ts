/**
 * Tools that others offer while they are connected: an owner's clients, and paired nodes.
 *
 *   client  tools.register ─► a call is told to it as `tool.call` ─► `tools.result` is its answer
 *   node    each command that it declares and that was allowed ─► `node.invoke`, and its answer
 *
 * Both are gone with their socket: what was in hand then may have been done.
 */
import { sayCallFault } from '../protocol/calls.ts'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'
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
   * Registers a client's tools, in place of those of the same names that it had.
   * @throws {GatewayError} INVALID_REQUEST: a name is another's; UNAVAILABLE: this connection cannot be
   * told of calls, or too many are registered.
   */
  register(connectionId: string, tools: readonly OfferedTool[]): string[] {
    if (!this.#lines.has(connectionId)) {
      throw new GatewayError('UNAVAILABLE', 'this connection cannot be told of calls')
    }
    const source = sourceOf(connectionId)
    for (const { name } of tools) {
      const other = this.#registry.find(name)
      if (other === null || other.source === source) continue
      const text = `tools: a tool named ${quote(name)} is registered already`
      throw new GatewayError('INVALID_REQUEST', text, { path: 'tools' })
    }
    for (const tool of tools) {
      this.#registry.remove(tool.name, source)
      this.#registry.add(this.#toolOf(connectionId, tool))
    }
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

/** Puts a node's tools in place of those that it had: what it was allowed, while it is connected. */
export function offerNode(
  registry: ToolRegistry,
  { state, context }: NodeRow,
  invoke: InvokeNode,
): string[] {
  const { nodeId, name, displayName, approved } = context
  const called = name || displayName || nodeId
  const commands = state === 'online' ? approved.commands : []
  const tools = commands.map((command): Tool => ({
    name: `node__${wordOf(called)}__${wordOf(command)}`.slice(0, limits.toolNameCharsMax),
    description: `Runs ${command} on the paired device ${called}. Its parameters are the command's own.`,
    parameters: ANYTHING,
    source: `node:${nodeId}`,
    fault: () => null,
    run: (args, context) => invoke({ nodeId, command, paramsJson: JSON.stringify(args) }, context),
  }))
  return registry.replace(`node:${nodeId}`, tools)
}

function wordOf(text: string): string {
  return text.replaceAll(/[^\w-]/g, '_')
}
