/**
 * Other code as a guest: linked by us, so that it gets what machines need and nothing else.
 *
 * Its files come as text; what they import is looked up among them, or is one of a few packages of
 * ours. The process has no file access beyond our own code (Node's permission model); here the
 * doors that it leaves open are shut: network, process, dynamic imports, and every global that
 * the language itself does not bring.
 */
import dgram from 'node:dgram'
import dns from 'node:dns'
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { posix } from 'node:path'
import vm from 'node:vm'
import { GatewayError } from '../protocol/errors.ts'
import { quote } from '../protocol/ids.ts'

/** What a guest may import beside its own files; of node:crypto only what digests and verifies. */
const GIVEN: Readonly<Record<string, readonly string[] | null>> = {
  xstate: null,
  immer: null,
  msgpackr: null,
  superstruct: null,
  json5: null,
  'node:buffer': ['Buffer', 'isUtf8', 'isAscii', 'constants'],
  'node:crypto': [
    'createHash',
    'createHmac',
    'createPublicKey',
    'hash',
    'hkdfSync',
    'timingSafeEqual',
    'verify',
  ],
}

const GIVEN_NAMES = Object.keys(GIVEN).join(', ')

// What the language brings, and what of Node's only computes.
const GLOBALS: ReadonlySet<string> = new Set(
  Object.getOwnPropertyNames(vm.runInNewContext('globalThis')).concat(
    ['globalThis', 'Buffer', 'TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams'],
    ['atob', 'btoa', 'queueMicrotask', 'structuredClone', 'setTimeout', 'clearTimeout'],
    ['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'performance'],
  ),
)

const NAMED = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'require', 'Worker', 'crypto']

function refusal(name: string): GatewayError {
  return new GatewayError('FORBIDDEN', `replayed code asked for ${name}, which it is not given`)
}

function refuse(name: string): () => never {
  return () => {
    throw refusal(name)
  }
}

/** The package of a name that a guest may import, ready to be linked. */
export type Given = ReadonlyMap<string, vm.Module>

/** Loads what guests are given; must come before `shutDoors`. */
export async function loadGiven(): Promise<Given> {
  const given = new Map<string, vm.Module>()
  for (const [name, only] of Object.entries(GIVEN)) {
    const exported = (await import(name)) as Readonly<Record<string, unknown>>
    const names = Object.keys(exported).filter((key) => only === null || only.includes(key))
    const module = new vm.SyntheticModule(
      names,
      () => {
        for (const key of names) module.setExport(key, exported[key])
      },
      { identifier: name },
    )
    given.set(name, module)
  }
  return given
}

/** Takes away network, process and globals, for the rest of this process's life. */
export function shutDoors(): void {
  net.Socket.prototype.connect = refuse('the network')
  net.Server.prototype.listen = refuse('the network')
  dgram.Socket.prototype.bind = refuse('the network')
  dgram.Socket.prototype.send = refuse('the network')
  for (const owner of [net, dgram, dns, dns.promises]) {
    for (const name of Object.keys(owner)) {
      if (/^(?:connect|create|lookup|resolve|reverse|Resolver)/.test(name)) {
        Reflect.set(owner, name, refuse('the network'))
      }
    }
  }
  syncBuiltinESMExports()
  stripProcess()
  closePrototypes()
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!GLOBALS.has(name)) Reflect.deleteProperty(globalThis, name)
  }
  for (const name of NAMED) define(name, refuse(name))
  define('process', stubProcess())
}

// What Node itself asks of it while it takes in and sends messages.
const PROCESS_KEPT =
  /^(?:_events|_eventsCount|_maxListeners|_exiting|exitCode|reallyExit|nextTick|domain|channel|connected|send|disconnect|_send|_disconnect|_handleQueue|_pendingMessage|emitWarning|_tickCallback)$/

// Its own stub is easily gone round: Node hands the real one to whoever listens closely. So that
// holds nothing either.
function stripProcess(): void {
  const real = process
  for (const name of Object.getOwnPropertyNames(real)) {
    if (PROCESS_KEPT.test(name)) continue
    if (!Reflect.deleteProperty(real, name)) Reflect.set(real, name, undefined)
  }
  for (const name of ['noDeprecation', 'throwDeprecation', 'traceDeprecation']) {
    Object.defineProperty(real, name, { value: name === 'noDeprecation' })
  }
}

// No getter or setter put there sees the objects that Node works with, nor the real process.
function closePrototypes(): void {
  for (const prototype of [Object.prototype, Function.prototype, Array.prototype]) {
    Object.preventExtensions(prototype)
  }
  Object.freeze(EventEmitter.prototype)
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: false, writable: false })
}

// Libraries look at `process.env.NODE_ENV`; whatever else is asked of it is refused by name.
function stubProcess(): object {
  const known: Readonly<Record<string, unknown>> = { env: Object.freeze({}), platform: '' }
  return new Proxy(Object.freeze({}), {
    get: (_target, name) => {
      if (typeof name !== 'string' || Object.hasOwn(known, name)) return known[String(name)]
      return refuse(`process.${name}`)
    },
  })
}

/**
 * Links and runs the files that an entry leads to; returns what it exports.
 * @throws {GatewayError} FORBIDDEN: it imports what it is not given; NOT_FOUND: a file is missing.
 */
export class Guest {
  #files: Readonly<Record<string, string>>
  #given: Given
  #modules = new Map<string, vm.SourceTextModule>()

  constructor(files: Readonly<Record<string, string>>, given: Given) {
    this.#files = files
    this.#given = given
  }

  async run(entry: string): Promise<Readonly<Record<string, unknown>>> {
    const module = this.#module(entry, 'it')
    if (module.status === 'unlinked') {
      await module.link((specifier, from) => this.#resolve(specifier, from.identifier))
    }
    await module.evaluate()
    return module.namespace as Readonly<Record<string, unknown>>
  }

  #resolve(specifier: string, from: string): vm.Module {
    if (/^\.{1,2}\//.test(specifier)) {
      const path = posix.join(posix.dirname(from), specifier)
      if (!path.startsWith('../')) return this.#module(path, from)
      throw forbidden(specifier, from, 'it lies outside of its directory')
    }
    const given = this.#given.get(specifier)
    if (given !== undefined) return given
    throw forbidden(specifier, from, `only ${GIVEN_NAMES} are given`)
  }

  #module(path: string, from: string): vm.SourceTextModule {
    const known = this.#modules.get(path)
    if (known !== undefined) return known
    const text = Object.hasOwn(this.#files, path) ? this.#files[path] : undefined
    if (text === undefined) {
      throw new GatewayError('NOT_FOUND', `code: ${quote(path)}, which ${from} needs, is missing`)
    }
    const module = new vm.SourceTextModule(text, {
      identifier: path,
      initializeImportMeta: () => {},
      importModuleDynamically: (specifier) => {
        throw forbidden(specifier, path, 'nothing is imported while it runs')
      },
    })
    this.#modules.set(path, module)
    return module
  }
}

function forbidden(specifier: string, from: string, why: string): GatewayError {
  return new GatewayError('FORBIDDEN', `code: ${from} imports ${quote(specifier)}: ${why}`)
}
