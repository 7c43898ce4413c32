/**
 * Predicates: a question about a state, in a small language of its own.
 *
 *   value == "sending" && context.queue.length > 0
 *   !(context.attempt < 3) || context.fault == "rate"
 *
 * Names are `value`, `status`, `context`, `stream`, `position`, `version`; members by dot or
 * `[0]`, own members only, and `length` of lists and texts. No calls, no arithmetic, nothing that
 * runs: a predicate may come over the wire.
 */
import { GatewayError } from '../errors.ts'
import { quote } from '../ids.ts'
import { limits } from '../limits.ts'

/** What a predicate is asked about. */
export interface PredicateSubject {
  readonly value: unknown
  readonly status: string
  readonly context: unknown
  readonly stream: string
  readonly position: number
  readonly version: number
}

/** A predicate ready to be asked. */
export type Predicate = (subject: PredicateSubject) => boolean

type Expression = (subject: PredicateSubject) => unknown

interface Token {
  readonly text: string
  readonly at: number
}

const TOKEN =
  /\s*(\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_$][\w$]*|&&|\|\||[=!]==?|<=|>=|[<>!()[\].-])/y
const NAMES = ['value', 'status', 'context', 'stream', 'position', 'version'] as const
const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
])

/**
 * Reads a predicate.
 * @throws {GatewayError} USAGE: with the place where it cannot be read.
 */
export function parsePredicate(text: string): Predicate {
  const parser = new Parser(text, tokensOf(text))
  const expression = parser.whole()
  return (subject) => expression(subject) === true
}

function tokensOf(text: string): Token[] {
  if (text.length > limits.predicateCharsMax) {
    throw unreadable(
      text,
      limits.predicateCharsMax,
      `at most ${limits.predicateCharsMax} characters`,
    )
  }
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (text.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex
    const found = TOKEN.exec(text)
    if (found === null) throw unreadable(text, at, 'a name, a number, a text or an operator')
    tokens.push({ text: found[1] ?? '', at: TOKEN.lastIndex - (found[1] ?? '').length })
  }
  return tokens
}

function unreadable(text: string, at: number, expected: string): GatewayError {
  const rest = text.slice(at).trim()
  const got = rest === '' ? 'its end' : quote(rest)
  return new GatewayError(
    'USAGE',
    `predicate: expected ${expected} at character ${at + 1}, got ${got}`,
  )
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
  }

  whole(): Expression {
    const expression = this.#either()
    if (this.#next < this.#tokens.length) throw this.#fault('an operator or the end')
    return expression
  }

  #either(): Expression {
    this.#depth += 1
    if (this.#depth > limits.predicateDepthMax) throw this.#fault('less nesting')
    let left = this.#both()
    while (this.#take('||')) {
      const [before, after] = [left, this.#both()]
      left = (subject) => before(subject) === true || after(subject) === true
    }
    this.#depth -= 1
    return left
  }

  #both(): Expression {
    let left = this.#comparison()
    while (this.#take('&&')) {
      const [before, after] = [left, this.#comparison()]
      left = (subject) => before(subject) === true && after(subject) === true
    }
    return left
  }

  #comparison(): Expression {
    const left = this.#not()
    const operator = this.#peek()
    if (operator === undefined || !/^(?:[=!]==?|<=|>=|<|>)$/.test(operator)) return left
    this.#next += 1
    const right = this.#not()
    return (subject) => compare(left(subject), operator, right(subject))
  }

  #not(): Expression {
    if (!this.#take('!')) return this.#operand()
    const inner = this.#not()
    return (subject) => inner(subject) !== true
  }

  #operand(): Expression {
    if (this.#take('(')) {
      const inner = this.#either()
      this.#expect(')')
      return inner
    }
    if (this.#take('-')) return this.#number(-1)
    const text = this.#peek()
    if (text === undefined) throw this.#fault('a value')
    if (/^\d/.test(text)) return this.#number(1)
    this.#next += 1
    if (/^["']/.test(text)) {
      const literal = text.slice(1, -1).replaceAll(/\\(.)/g, '$1')
      return () => literal
    }
    if (WORDS.has(text)) return () => WORDS.get(text)
    const name = NAMES.find((known) => known === text)
    if (name === undefined) {
      this.#next -= 1
      throw this.#fault(`one of ${NAMES.join(', ')}`)
    }
    return this.#path((subject) => subject[name])
  }

  #number(sign: number): Expression {
    const text = this.#peek() ?? ''
    if (!/^\d/.test(text)) throw this.#fault('a number')
    this.#next += 1
    return () => sign * Number(text)
  }

  #path(from: Expression): Expression {
    let found = from
    for (;;) {
      const before = found
      if (this.#take('.')) {
        const key = this.#peek() ?? ''
        if (!/^[A-Za-z_$]/.test(key)) throw this.#fault('a member')
        this.#next += 1
        found = (subject) => member(before(subject), key)
      } else if (this.#take('[')) {
        const key = this.#operand()
        this.#expect(']')
        found = (subject) => member(before(subject), String(key(subject)))
      } else return found
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next]?.text
  }

  #take(text: string): boolean {
    if (this.#peek() !== text) return false
    this.#next += 1
    return true
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#fault(`"${text}"`)
  }

  #fault(expected: string): GatewayError {
    return unreadable(this.#text, this.#tokens[this.#next]?.at ?? this.#text.length, expected)
  }
}

function member(value: unknown, key: string): unknown {
  if (typeof value === 'string') return key === 'length' ? value.length : null
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null
  return (value as Readonly<Record<string, unknown>>)[key]
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator.startsWith('=')) return left === right
  if (operator.startsWith('!=')) return left !== right
  const bothTexts = typeof left === 'string' && typeof right === 'string'
  const bothNumbers = typeof left === 'number' && typeof right === 'number'
  if (!bothTexts && !bothNumbers) return false
  if (operator === '<') return left < right
  if (operator === '<=') return left <= right
  return operator === '>' ? left > right : left >= right
}
