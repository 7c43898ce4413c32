/**
 * The trap: while a machine steps, the clock and the random sources throw (K2), and a context that
 * takes in a text instead of a ref is refused (K1).
 *
 * On in tests and development (`OPENCLAW_TRAP=1`), off in production (decisions.md 5). A machine
 * that asks for the time would replay to another state; better to hear of it at once.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { limits } from '../protocol/limits.ts'
import { stepTrap } from '../machines/step.ts'

/** Tells whether this process is to trap. */
export function isTrapped(): boolean {
  return process.env['OPENCLAW_TRAP'] === '1'
}

let stepping: string | null = null
let inHand = '' // guard or action; stays behind one that threw, until the next step

/** Installs the trap for the life of the process; a second call changes nothing. */
export function installTrap(): void {
  if (installed) return
  installed = true
  guard(Date, 'now')
  guard(Math, 'random')
  guard(performance, 'now')
  for (const name of ['randomBytes', 'randomUUID', 'randomInt', 'getRandomValues']) {
    guard(crypto, name)
  }
  syncBuiltinESMExports()
  stepTrap.enter = (machine) => {
    stepping = machine
    inHand = ''
  }
  stepTrap.leave = () => {
    stepping = null
  }
  stepTrap.inHand = (what) => {
    inHand = what
  }
  stepTrap.inspect = findTexts
}

let installed = false

// Session keys and ids are facts in grammars of their own and may be longer (decisions.md 7).
const KEYS: ReadonlySet<string> = new Set([
  'key',
  'sessionKey',
  'deviceId',
  'nodeId',
  'approvalId',
  'sender',
  'room',
  'target',
  'runKey',
])

function findTexts(machine: string, value: unknown, name = 'context'): void {
  if (typeof value === 'string') {
    if (value.length <= limits.contextTextCharsMax || KEYS.has(name)) return
    throw new Error(`machine ${machine}: ${name} holds a text of ${value.length} characters (K1)`)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) findTexts(machine, member, key)
}

function guard(owner: object, name: string): void {
  const original: unknown = Reflect.get(owner, name)
  if (typeof original !== 'function') return
  const guarded = (...given: unknown[]): unknown => {
    if (stepping !== null) {
      const where = inHand === '' ? '' : `, ${inHand}`
      throw new Error(`machine ${stepping}${where}: asked for ${name} while stepping (K2)`)
    }
    return Reflect.apply(original, owner, given) as unknown
  }
  Reflect.defineProperty(owner, name, { value: guarded, configurable: true, writable: true })
}

if (isTrapped()) installTrap()
