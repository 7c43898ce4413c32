/**
 * The registry of tools: what is offered now, by whom.
 *
 * Sources come and go whole: a server that is down, a client that has left. A name belongs to whoever
 * had it first; nobody can put a tool of his own in the place of another.
 */
import { GatewayError } from '../../protocol/errors.ts'
import { quote } from '../../protocol/ids.ts'
import { limits } from '../../protocol/limits.ts'
import type { Tool } from './tool.ts'

/** A source that has no tools now, and why. */
export interface SourceFault {
  readonly source: string
  readonly reason: string
}

const NAME = /^[A-Za-z][\w.-]*$/

export class ToolRegistry {
  #tools = new Map<string, Tool>()
  #faults = new Map<string, string>()

  /** Every tool, in the order of their names. */
  list(): Tool[] {
    return [...this.#tools.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(name: string): Tool | null {
    return this.#tools.get(name) ?? null
  }

  /** Sources that offer nothing now, and why. */
  faults(): SourceFault[] {
    return [...this.#faults].map(([source, reason]) => ({ source, reason }))
  }

  /**
   * Adds a tool.
   * @throws {GatewayError} INVALID_REQUEST: its name is taken, or it is outside its bounds;
   * UNAVAILABLE: limits.toolsMax are registered.
   */
  add(tool: Tool): void {
    checkTool(tool)
    if (this.#tools.has(tool.name)) throw taken(tool.name)
    if (this.#tools.size >= limits.toolsMax) throw full()
    this.#tools.set(tool.name, tool)
  }

  /**
   * Puts tools of a source in place of those of the same names that it had: all of them, or none.
   * @throws {GatewayError} as `add`, and INVALID_REQUEST: a name is there twice.
   */
  put(source: string, tools: readonly Tool[]): void {
    const names = new Set(tools.map(({ name }) => name))
    if (names.size < tools.length) throw invalid('name', 'a name is there twice')
    for (const tool of tools) {
      checkTool(tool)
      const { name } = tool
      const other = this.#tools.get(name)
      if (other !== undefined && other.source !== source) throw taken(name)
    }
    const others = [...this.#tools.keys()].filter((name) => !names.has(name))
    if (others.length + names.size > limits.toolsMax) throw full()
    for (const tool of tools) this.#tools.set(tool.name, tool)
  }

  /** Removes a tool of a source; false where it has none of that name. */
  remove(name: string, source: string): boolean {
    if (this.#tools.get(name)?.source !== source) return false
    return this.#tools.delete(name)
  }

  /**
   * Puts a source's tools in place of those that it had; those that cannot be added are told of.
   * `fault`: why it offers none.
   */
  replace(source: string, tools: readonly Tool[], fault: string | null = null): string[] {
    for (const { name, source: of } of this.#tools.values()) {
      if (of === source) this.#tools.delete(name)
    }
    if (fault === null) this.#faults.delete(source)
    else this.#faults.set(source, fault)
    const refused: string[] = []
    for (const tool of tools) {
      try {
        this.add(tool)
      } catch (error) {
        refused.push(`${tool.name}: ${error instanceof Error ? error.message : ''}`)
      }
    }
    return refused
  }
}

function checkTool({ name, description, parameters }: Tool): void {
  if (!NAME.test(name) || name.length > limits.toolNameCharsMax) {
    const text = `expected letters, digits, _, - and ., at most ${limits.toolNameCharsMax}`
    throw invalid('name', text)
  }
  if (description.length > limits.toolTextCharsMax) {
    throw invalid('description', `expected at most ${limits.toolTextCharsMax} characters`)
  }
  const json = JSON.stringify(parameters)
  if (parameters['type'] !== 'object' || Buffer.byteLength(json) > limits.toolSchemaBytesMax) {
    const text = `expected a JSON schema of an object, at most ${limits.toolSchemaBytesMax} bytes`
    throw invalid('parameters', text)
  }
}

function taken(name: string): GatewayError {
  return invalid('name', `a tool named ${quote(name)} is registered already`)
}

function full(): GatewayError {
  return new GatewayError('UNAVAILABLE', `there may be at most ${limits.toolsMax} tools`)
}

function invalid(path: string, text: string): GatewayError {
  return new GatewayError('INVALID_REQUEST', `${path}: ${text}`, { path })
}
