/**
 * The configuration as it runs: what is live, and the drivers behind its actor (machines/config.ts).
 *
 * A change is proposed as a record, checked on its own, written, and takes effect: at once where
 * all of it is read anew for each message, else by a restart. The actor decides; here is done what
 * it wishes for.
 */
import { openModels, type Models } from './models/registry.ts'
import type { ConfigContext, ConfigProposed, ConfigWake } from '../machines/config.ts'
import { changedPaths, isHot, mergePatch } from '../protocol/config/change.ts'
import { type ResolvedConfig, resolveConfig } from '../protocol/config/defaults.ts'
import { parseConfigText, requireConfig } from '../protocol/config/parse.ts'
import { formatPath, type Path } from '../protocol/config/path.ts'
import { keepSecrets, redactConfig } from '../protocol/config/redact.ts'
import { GatewayError, toGatewayError } from '../protocol/errors.ts'
import { type StreamId, streamId } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { BodyDraft } from '../store/contract.ts'
import { draftText } from './bodies.ts'
import type { ConfigFiles } from './config-files.ts'
import type { Driver, Outcome } from './outbox.ts'
import type { Registry } from './registry.ts'
import { planRun } from './run-plan.ts'
import type { Cancel, Services } from './services.ts'
import { readTls } from './tls.ts'

/** The stream of the one configuration. */
export const CONFIG: StreamId = streamId('config', 'main')

/** What is live now; replaced whole when a change takes effect. */
export interface Live {
  readonly text: string // of the file; '' where there is none
  readonly parsed: object // as written, secrets included
  readonly hash: string
  readonly config: ResolvedConfig
  readonly models: Models
  /** Why the written configuration is not this one; null where it is. */
  readonly fault: string | null
  /** Why this boot runs with the last good one; null where it does not. */
  readonly rolledBack: string | null
}

/** A change, as somebody asks for it. */
export interface Proposal {
  readonly via: ConfigProposed['via']
  readonly by: string
  readonly text: string // of the whole new configuration
  readonly delayMs: number
  readonly note: string | null
  readonly sessionKey: string | null
  readonly cause: string
  readonly correlationId: string
}

/** What a proposal came to. */
export interface Proposed {
  readonly record: JournalRecord | null // null: nothing differs
  readonly hash: string
  readonly paths: readonly string[]
  readonly effect: 'none' | 'hot' | 'restart'
}

interface House {
  readonly files: ConfigFiles
  readonly env: Readonly<Record<string, string | undefined>>
  readonly services: Services
  /** Asks the process to start the gateway anew. */
  readonly restart: () => void
}

/**
 * Reads the configuration that this process will run with: the written one or, where that is
 * broken and another one has run before, the last good one, with the fault.
 * @throws {GatewayError} CONFIG_INVALID: broken, and nothing has run yet.
 */
export function readLive({
  files,
  env,
  services,
  broken,
}: Omit<House, 'restart'> & { readonly broken: string | null }): Live {
  const house = { files, env, services }
  const text = files.read()
  try {
    if (broken === null) return openLive(text, house)
    throw new GatewayError('CONFIG_INVALID', broken)
  } catch (thrown) {
    const { message: reason, code, details } = toGatewayError(thrown)
    const good = files.lastGood(text)
    if (good === null) throw new GatewayError(code, reason, details, thrown)
    services.log.error('the configuration is broken; the last good one runs', {
      path: files.path,
      reason,
    })
    // What was tried and did not start gives way; what cannot be read stays for its owner to mend.
    if (broken !== null) files.giveWay(good)
    const fault = broken === null ? reason : null
    return { ...openLive(good, house), fault, rolledBack: reason }
  }
}

function openLive(text: string, { files, env, services }: Omit<House, 'restart'>): Live {
  const config = judgeText(text, files.path, env)
  const parsed = text === '' ? {} : parseConfigText(text, files.path)
  return {
    text,
    parsed,
    hash: files.hash(text),
    config,
    models: openModels(config, services, env),
    fault: null,
    rolledBack: null,
  }
}

/** Judges a text as a start would. @throws {GatewayError} CONFIG_INVALID */
export function judgeText(text: string, file: string, env: House['env']): ResolvedConfig {
  return resolveConfig(text === '' ? {} : requireConfig(text, { file, env }))
}

export class ConfigKeeper {
  #house: House
  #live: Live
  #registry: Registry | null = null
  #nextLook: Cancel = () => {}
  #refusedFile = '' // hash of an edit that was refused: told once
  #refusal: string | null = null

  constructor(house: House, live: Live) {
    this.#house = house
    this.#live = live
  }

  /** Where the configuration is written. */
  get path(): string {
    return this.#house.files.path
  }

  /** Why the file as it stands is not what runs; null where it is. */
  get fault(): string | null {
    return this.#live.fault ?? this.#refusal
  }

  get live(): Live {
    return this.#live
  }

  /** The drivers of `config.check`, `config.write` and `gateway.restart`. */
  drivers(): [string, Driver][] {
    const driver = (run: (change: string, hot: boolean) => Outcome): Driver => ({
      visible: false,
      run: ({ params }) => Promise.resolve(run(String(params['change']), params['hot'] === true)),
    })
    return [
      ['config.check', driver((change) => this.#check(change))],
      ['config.write', driver((change, hot) => this.#write(change, hot))],
      [
        'gateway.restart',
        driver(() => {
          this.#house.restart()
          return { type: 'effect.done' }
        }),
      ],
    ]
  }

  /** Tells the actor what this boot runs with, keeps it as good, and begins to look at the file. */
  async start(registry: Registry, cause: string): Promise<void> {
    this.#registry = registry
    const { files, services } = this.#house
    const { hash, text, fault, rolledBack } = this.#live
    const { chance, clock } = services
    if (fault !== null) this.#refusedFile = files.hash(files.read())
    const body = rolledBack === null ? null : draftText(chance, sayRolledBack(rolledBack))
    const event = { type: 'config.booted', hash, reason: body?.ref ?? '' }
    const correlationId = chance.hex(limits.correlationIdBytes)
    const message = { event, cause, correlationId, ...(body === null ? {} : { bodies: [body] }) }
    await registry.deliver(CONFIG, message)
    files.keep(text, clock.now())
    this.#lookLater()
  }

  stop(): void {
    this.#nextLook()
  }

  /**
   * Makes the text of a patched configuration; secrets that the writer could not see stay.
   * @throws {GatewayError} CONFIG_INVALID: the patch is no JSON5 object.
   */
  patched(raw: string): string {
    const patch = parseConfigText(raw, 'params.raw')
    const next = mergePatch(this.#live.parsed, patch)
    return formatText(next)
  }

  /** Makes the text of a whole configuration that was written without secrets. */
  replaced(raw: string): string {
    const next = parseConfigText(raw, 'params.raw')
    const whole = keepSecrets(next, this.#live.parsed)
    return whole === next ? raw : formatText(whole)
  }

  /**
   * Proposes a change; resolves when it is on disk as proposed.
   * @throws {GatewayError} CONFIG_INVALID: it would not start; UNAVAILABLE: another one is in hand.
   */
  async propose(proposal: Proposal): Promise<Proposed> {
    const { files, env, services } = this.#house
    const { text } = proposal
    const next = judgeText(text, files.path, env)
    const after = text === '' ? {} : parseConfigText(text, files.path)
    const paths = changedPaths(this.#live.parsed, after)
    const hash = files.hash(text)
    if (hash === this.#live.hash && this.#live.fault === null)
      return { record: null, hash, paths: [], effect: 'none' }
    const registry = this.#serving()
    const { change } = registry.snapshot(CONFIG).context as ConfigContext
    if (change !== '') {
      throw new GatewayError('UNAVAILABLE', `configuration: change ${change} is in hand, try again`)
    }
    const id = services.chance.id()
    files.propose(id, text)
    const hot = isHot(paths)
    const facts = { change: id, hash, hot, paths: paths.length }
    const { event, bodies } = this.#format(proposal, facts, { after, next })
    const { cause, correlationId } = proposal
    const record = await registry.offer(CONFIG, { event, bodies, cause, correlationId })
    if (record.ignored !== null) {
      files.settle(id)
      throw new GatewayError('UNAVAILABLE', 'configuration: another change is in hand, try again')
    }
    return { record, hash, paths: namesOf(paths), effect: hot ? 'hot' : 'restart' }
  }

  #format(
    { via, by, delayMs, note, sessionKey }: Proposal,
    facts: { change: string; hash: string; hot: boolean; paths: number },
    { after, next }: { after: object; next: ResolvedConfig },
  ): { event: Omit<ConfigProposed, 'at'>; bodies: BodyDraft[] } {
    const { chance } = this.#house.services
    const before = draftText(chance, shownText(this.#live.parsed))
    const behind = draftText(chance, shownText(after))
    const told = draftText(chance, note ?? 'The configuration was changed as asked.')
    const wake: ConfigWake | null =
      sessionKey === null
        ? null
        : {
            sessionKey,
            runId: chance.id(),
            ref: told.ref,
            model: next.agent.model.primary,
            messagesMax: next.session.maxMessages,
            plan: planRun(next, next.agent.model.primary),
          }
    const event = {
      type: 'config.proposed' as const,
      via,
      by,
      base: this.#live.hash,
      before: before.ref,
      after: behind.ref,
      delayMs,
      wake,
      ...facts,
    }
    return { event, bodies: wake === null ? [before, behind] : [before, behind, told] }
  }

  // The self-check: the candidate is read from its file and opened as a start would open it.
  #check(change: string): Outcome {
    const { files, env, services } = this.#house
    try {
      const text = files.candidate(change)
      const { tls } = openLive(text, { files, env, services }).config.gateway
      if (tls !== null) readTls(tls, files.path, services.clock.now())
      return { type: 'effect.done', facts: { valid: true, reason: '' } }
    } catch (thrown) {
      files.settle(change)
      const { message } = toGatewayError(thrown)
      const body = draftText(services.chance, `The configuration was not changed: ${message}`)
      return { type: 'effect.done', facts: { valid: false, reason: body.ref }, bodies: [body] }
    }
  }

  #write(change: string, hot: boolean): Outcome {
    const { files, services } = this.#house
    const text = files.candidate(change)
    const live = openLive(text, this.#house)
    files.write(text)
    files.settle(change)
    if (hot) {
      this.#live = live
      files.keep(text, services.clock.now())
    }
    services.log.info('configuration written', { change, effect: hot ? 'at once' : 'restart' })
    return { type: 'effect.done', facts: { reason: '' } }
  }

  #serving(): Registry {
    if (this.#registry !== null) return this.#registry
    throw new GatewayError('UNAVAILABLE', 'configuration: the gateway is not ready')
  }

  // An edit by hand goes through the same machine.
  #lookLater(): void {
    this.#nextLook = this.#house.services.clock.after(limits.configLookMs, () => {
      void this.#look().finally(() => this.#lookLater())
    })
  }

  // What is written is what runs: whatever was refused is over, and would be told again.
  #agree(): void {
    this.#refusal = null
    this.#refusedFile = ''
    if (this.#live.fault !== null) this.#live = { ...this.#live, fault: null }
  }

  async #look(): Promise<void> {
    const { files, services } = this.#house
    try {
      const text = files.read()
      const hash = files.hash(text)
      if (hash === this.#live.hash) return this.#agree()
      if (hash === this.#refusedFile) return
      const { change } = this.#serving().snapshot(CONFIG).context as ConfigContext
      if (change !== '') return
      this.#refusedFile = hash
      services.log.info('the configuration was edited', { path: files.path })
      const correlationId = services.chance.hex(limits.correlationIdBytes)
      const rest = {
        delayMs: 0,
        note: null,
        sessionKey: null,
        cause: `ext:file:${hash}`,
        correlationId,
      }
      await this.propose({ via: 'file', by: 'owner', text, ...rest })
    } catch (thrown) {
      const { code, message } = toGatewayError(thrown)
      // Said once: a file that cannot be read is looked at again every two seconds.
      if (message !== this.#refusal) {
        services.log.error('the edited configuration is not used', { code, reason: message })
      }
      this.#refusal = message
    }
  }
}

function sayRolledBack(reason: string): string {
  return `The configuration was rolled back to the last good one: ${reason}`
}

function formatText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function shownText(parsed: object): string {
  return JSON.stringify(redactConfig(parsed).config, null, 2)
}

function namesOf(paths: readonly Path[]): string[] {
  return paths.slice(0, limits.configPathsShownMax).map(formatPath)
}
