/**
 * Configurations as files: the one that counts, the one that is proposed, and those of the past.
 *
 *   openclaw.json                          as its owner writes it
 *   config/candidate-<change>.openclaw.json   proposed, until it is judged
 *   config/<time>-<hash>.openclaw.json        a ring of those that ran; the newest is the last good
 *   keys/config.key                        under which configurations are hashed
 *
 * A hash stands in records and answers, and a configuration holds secrets: so it is keyed, and no
 * secret can be guessed from it. Files are 0600, written beside and renamed.
 */
import { createHmac } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { GatewayError, messageOf } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { notWritten, writePrivate } from './private-file.ts'
import { openSecretKey } from './secret-key.ts'

const SUFFIX = '.openclaw.json'

/** Where a file lies that a configuration names: relative to the configuration's own. */
export function namedFile(path: string, configPath: string): string {
  const home = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path
  return resolve(dirname(configPath), home)
}

/** The configuration files of a state directory. */
export class ConfigFiles {
  readonly path: string
  readonly #ring: string
  readonly #key: Uint8Array

  constructor(stateDir: string, path: string) {
    this.path = path
    this.#ring = join(stateDir, 'config')
    this.#key = openSecretKey(join(stateDir, 'keys', 'config.key'))
  }

  /** Names a text: 32 hex digits, nothing to those who lack the key. */
  hash(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex').slice(0, 32)
  }

  /**
   * The configuration as it is written; '' where there is no file.
   * @throws {GatewayError} CONFIG_INVALID: it is there and cannot be read.
   */
  read(): string {
    try {
      return existsSync(this.path) ? readFileSync(this.path, 'utf8') : ''
    } catch (cause) {
      const reason = messageOf(cause)
      const message = `${this.path}: cannot be read: ${reason}`
      throw new GatewayError('CONFIG_INVALID', message, { file: this.path }, cause)
    }
  }

  /** Replaces the configuration. @throws {GatewayError} PERMISSION: the old one stands. */
  write(text: string): void {
    writeIn(this.path, text)
  }

  /** Puts a proposed text aside until it is judged. */
  propose(change: string, text: string): void {
    writeIn(this.#candidate(change), text)
  }

  /** Reads a proposed text. @throws {GatewayError} NOT_FOUND */
  candidate(change: string): string {
    const file = this.#candidate(change)
    if (existsSync(file)) return readFileSync(file, 'utf8')
    throw new GatewayError('NOT_FOUND', `configuration: change ${change} is not here any more`)
  }

  /** Forgets a proposed text. */
  settle(change: string): void {
    rmSync(this.#candidate(change), { force: true })
  }

  /** Keeps a text that ran, as the newest of the ring; the oldest goes. */
  keep(text: string, at: number): void {
    const hash = this.hash(text)
    const known = this.#kept()
    if (known.at(-1)?.includes(`-${hash}`)) return
    const stamp = new Date(at).toISOString().replaceAll(/[^0-9]/g, '')
    writeIn(join(this.#ring, `${stamp}-${hash}${SUFFIX}`), text)
    const all = this.#kept()
    for (const name of all.slice(0, Math.max(0, all.length - limits.configVersionsMax))) {
      rmSync(join(this.#ring, name), { force: true })
    }
  }

  /** The newest text that ran, other than one; null where there is none. */
  lastGood(otherThan: string): string | null {
    for (const name of this.#kept().toReversed()) {
      const text = readFileSync(join(this.#ring, name), 'utf8')
      if (text !== otherThan) return text
    }
    return null
  }

  /** Puts a good text in place of one that did not start, which is kept beside it. */
  giveWay(good: string): void {
    if (existsSync(this.path)) renameSync(this.path, `${this.path}.rejected`)
    this.write(good)
  }

  #candidate(change: string): string {
    return join(this.#ring, `candidate-${basename(change)}${SUFFIX}`)
  }

  // Named by time, so their order is that of their lives.
  #kept(): string[] {
    if (!existsSync(this.#ring)) return []
    const names = readdirSync(this.#ring).filter((name) => /^\d+-[0-9a-f]{32}\./.test(name))
    return names.sort()
  }
}

// Its directory is made where there is none.
function writeIn(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw notWritten(path, cause)
  }
  writePrivate(path, text)
}
