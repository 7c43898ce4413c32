/**
 * A configuration with every default filled in: what all other files read.
 *
 * Defaults stand here and nowhere else. Nothing in a resolved configuration is optional; what is
 * not there is null.
 */
import { limits } from '../limits.ts'
import type { QUEUE_MODES } from '../methods/params.ts'
import type { DmScope } from '../session-key.ts'
import {
  type ResolvedAccess,
  type ResolvedTelegram,
  type ResolvedWebhookChannel,
  resolveTelegram,
  resolveWebhookChannel,
} from './channel-defaults.ts'
import { approversOf } from './approvers.ts'
import { type ResolvedDiscord, resolveDiscord } from './discord.ts'
import { type ResolvedWhatsApp, resolveWhatsApp } from './whatsapp.ts'
import { checkMeaning, isLoopbackBind } from './check.ts'
import { ANTHROPIC_PROVIDER, BUILT_IN_PROVIDERS, ECHO_MODEL, type ModelApi } from './model.ts'
import { configInvalid } from './parse.ts'
import { type ResolvedTools, resolveTools } from './tools.ts'
import { type GatewayConfig, type IrcConfig, type ModelProviderConfig } from './schema.ts'
import { valueAt } from './path.ts'

export interface ResolvedConfig {
  readonly gateway: ResolvedGateway
  readonly agent: ResolvedAgent
  readonly providers: Readonly<Record<string, ResolvedProvider>> // by name; without `echo`
  readonly tools: ResolvedTools
  readonly irc: ResolvedIrc | null // null: not configured, or not enabled
  readonly discord: ResolvedDiscord | null // likewise
  readonly telegram: ResolvedTelegram | null // likewise
  readonly whatsapp: ResolvedWhatsApp | null // likewise
  readonly webhook: ResolvedWebhookChannel | null // likewise
  readonly session: ResolvedSession
  readonly queue: ResolvedQueue
  readonly delivery: { readonly ttlMinutes: number } // of a message to a channel
  readonly history: { readonly preset: 'forever' | 'balanced' | 'privacy' | 'lean' }
  readonly discovery: 'off' | 'minimal' // announced by mDNS
  readonly store: { readonly maxBytes: number | null } // null: as much as the disk has
}

export interface ResolvedGateway {
  readonly port: number // 0: any free one
  readonly bind: string // as written
  readonly address: string // the IP address to listen on
  readonly loopback: boolean // only this machine can reach it
  readonly auth: {
    readonly mode: 'none' | 'token' | 'password' // none: only where loopback is true
    readonly token: string | null
    readonly password: string | null // plain or scrypt:...
    readonly autoApprove: boolean // new devices directly on loopback
  }
  readonly tls: ResolvedTls | null // null: plain HTTP
  readonly alerts: ResolvedAlerts | null // null: nobody is told
  readonly tailscale: 'off' | 'serve' | 'funnel'
  readonly completions: boolean // the OpenAI-compatible door
  readonly controlUi: string | null // directory of a web client; null: none is served
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
}

export interface ResolvedAlerts {
  readonly webhook: ResolvedWebhook | null
  readonly channel: string | null
  readonly target: string | null // there, where channel is
  readonly cooldownMs: number
  readonly channelDeadMs: number
}

export interface ResolvedWebhook {
  readonly url: string
  readonly secret: string
  readonly allowPrivate: boolean
}

/** Paths of PEM files, as written. */
export interface ResolvedTls {
  readonly cert: string
  readonly key: string
}

export interface ResolvedAgent {
  readonly model: ModelChoice
  readonly systemPrompt: string
  readonly maxConcurrent: number // runs at a time, all sessions together
  readonly budget: ResolvedBudget
}

/** What runs may cost; null: no bound. */
export interface ResolvedBudget {
  readonly tokensPerRun: number | null
  readonly callsPerRun: number
  readonly tokensPerDay: number | null
}

/** Full model names in the order in which they are tried. */
export interface ModelChoice {
  readonly primary: string
  readonly fallbacks: readonly string[]
}

export interface ResolvedProvider {
  readonly baseUrl: string // without a slash at its end
  readonly api: ModelApi
  readonly apiKey: string | null
  readonly apiKeyVariable: string | null // the environment variable that holds the key instead
  readonly models: Readonly<Record<string, ResolvedModel>> // by the provider's own id; may be empty
}

export interface ResolvedModel {
  readonly contextWindow: number | null // tokens that a prompt may have
  readonly maxTokens: number | null // of one answer
  readonly takesTools: boolean
}

export interface ResolvedIrc extends ResolvedAccess {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly nick: string
  readonly username: string
  readonly realname: string
  readonly password: string | null
  readonly rooms: readonly string[] // to join
  readonly identity: 'nick' | 'account' // account: who is logged in is `account:NAME`
}

export interface ResolvedSession {
  readonly dmScope: DmScope
  readonly maxMessages: number
  readonly compactThreshold: number // of the model's window: 0 to 1; 1: hardly ever
  readonly pruneToolResults: boolean
  readonly reset: ResolvedReset
  readonly resetByType: Partial<Readonly<Record<'direct' | 'group' | 'thread', ResolvedReset>>>
  readonly resetByChannel: Readonly<Record<string, ResolvedReset>>
}

/** When a session begins anew by itself; where both are given, whichever comes first. */
export interface ResolvedReset {
  readonly mode: 'none' | 'daily' | 'idle'
  readonly atHour: number // of this machine's zone
  readonly idleMinutes: number | null // null: silence resets nothing
}

/** What becomes of a message that comes while its session's run is in hand. */
export interface ResolvedQueue {
  readonly mode: QueueWord
  readonly byChannel: Readonly<Record<string, QueueWord>>
  readonly debounceMs: number
  readonly cap: number // messages that wait in one session
  readonly drop: 'old' | 'new' | 'summarize'
}

type QueueWord = (typeof QUEUE_MODES)[number]

/**
 * Fills in every default.
 * @throws {GatewayError} CONFIG_INVALID with `details.issues`: the configuration contradicts
 * itself or opens the gateway without a secret (`check.ts`).
 */
export function resolveConfig(config: GatewayConfig): ResolvedConfig {
  const issues = checkMeaning(config)
  if (issues.length > 0) throw configInvalid(issues)
  const { irc, discord, telegram, webhook, whatsapp } = config.channels ?? {}
  return {
    gateway: resolveGateway(config.gateway ?? {}),
    agent: {
      model: modelChoice(config),
      systemPrompt: config.agents?.defaults?.systemPrompt ?? '',
      maxConcurrent: config.agents?.defaults?.maxConcurrent ?? 4,
      budget: resolveBudget(config.agents?.defaults?.budget ?? {}),
    },
    providers: resolveProviders(config.models?.providers ?? {}),
    irc: irc === undefined || irc.enabled === false ? null : resolveIrc(irc),
    discord: resolveDiscord(discord),
    telegram: resolveTelegram(telegram),
    webhook: resolveWebhookChannel(webhook),
    tools: resolveTools(config),
    whatsapp: resolveWhatsApp(whatsapp),
    session: resolveSession(config.session ?? {}),
    queue: resolveQueue(config.messages?.queue ?? {}),
    delivery: {
      ttlMinutes: config.messages?.delivery?.ttlMinutes ?? limits.deliveryTtlMs / 60_000,
    },
    history: { preset: config.history?.preset ?? 'forever' },
    discovery: config.discovery?.mdns?.mode ?? 'off',
    store: { maxBytes: config.store?.maxBytes ?? null },
  }
}

function resolveBudget(
  budget: NonNullable<NonNullable<NonNullable<GatewayConfig['agents']>['defaults']>['budget']>,
): ResolvedBudget {
  return {
    tokensPerRun: budget.tokensPerRun ?? null,
    callsPerRun: budget.callsPerRun ?? limits.runCallsMax,
    tokensPerDay: budget.tokensPerDay ?? null,
  }
}

function resolveSession(session: NonNullable<GatewayConfig['session']>): ResolvedSession {
  const { resetByType = {}, resetByChannel = {} } = session
  const types = { ...resetByType, direct: resetByType.direct ?? resetByType.dm }
  return {
    dmScope: session.dmScope ?? 'per-channel-peer',
    maxMessages: session.maxMessages ?? limits.sessionMessagesMax,
    compactThreshold: session.compactThreshold ?? limits.compactThreshold,
    pruneToolResults: session.prune?.toolResults ?? false,
    reset: resolveReset(session.reset ?? {}),
    resetByType: Object.fromEntries(
      (['direct', 'group', 'thread'] as const).flatMap((type) => {
        const reset = types[type]
        return reset === undefined ? [] : [[type, resolveReset(reset)]]
      }),
    ),
    resetByChannel: Object.fromEntries(
      Object.entries(resetByChannel).map(([name, reset]) => [name, resolveReset(reset)]),
    ),
  }
}

function resolveReset({
  mode = 'none',
  atHour = 4,
  idleMinutes,
}: NonNullable<NonNullable<GatewayConfig['session']>['reset']>): ResolvedReset {
  const idle = idleMinutes ?? (mode === 'idle' ? 60 : null)
  return { mode, atHour, idleMinutes: idle }
}

function resolveQueue({
  mode = 'steer',
  byChannel = {},
  debounceMs = limits.queueDebounceMs,
  cap = limits.sessionQueueMax,
  drop = 'summarize',
}: NonNullable<NonNullable<GatewayConfig['messages']>['queue']>): ResolvedQueue {
  return { mode, byChannel, debounceMs, cap, drop }
}

/** Reads which models answer, in order; without any the offline model `echo` does. */
export function modelChoice(config: GatewayConfig): ModelChoice {
  const choice = config.agents?.defaults?.model ?? ECHO_MODEL
  if (typeof choice === 'string') return { primary: choice, fallbacks: [] }
  return { primary: choice.primary, fallbacks: choice.fallbacks ?? [] }
}

function resolveGateway(gateway: NonNullable<GatewayConfig['gateway']>): ResolvedGateway {
  const bind = gateway.bind ?? 'loopback'
  const { mode, token = null, password = null } = gateway.auth ?? {}
  const implied = token !== null ? 'token' : password !== null ? 'password' : 'none'
  return {
    port: gateway.port ?? 18_789,
    bind,
    address: bind === 'loopback' || bind === 'localhost' ? '127.0.0.1' : bind,
    loopback: isLoopbackBind(bind),
    auth: { mode: mode ?? implied, token, password, autoApprove: autoApproves(gateway) },
    alerts: resolveAlerts(gateway),
    tls: resolveTls(gateway),
    tailscale: gateway.tailscale?.mode ?? 'off',
    completions: gateway.http?.endpoints?.chatCompletions?.enabled ?? false,
    controlUi: gateway.controlUi?.enabled === false ? null : (gateway.controlUi?.root ?? null),
    allowedHosts: gateway.allowedHosts ?? [],
    allowedOrigins: [
      ...(gateway.allowedOrigins ?? []),
      ...(gateway.controlUi?.allowedOrigins ?? []),
    ],
  }
}

function resolveAlerts({ alerts }: NonNullable<GatewayConfig['gateway']>): ResolvedAlerts | null {
  const { webhook: url, webhookSecret: secret, channel, ...rest } = alerts ?? {}
  const allowPrivate = rest.webhookAllowPrivate ?? false
  const webhook = url === undefined || secret === undefined ? null : { url, secret, allowPrivate }
  if (webhook === null && channel === undefined) return null
  return {
    webhook,
    channel: channel ?? null,
    target: rest.to ?? rest.target ?? null,
    cooldownMs: rest.cooldownMs ?? limits.alertCooldownMs,
    channelDeadMs: rest.channelDeadMs ?? limits.alertChannelDeadMs,
  }
}

function resolveTls({ tls = {} }: NonNullable<GatewayConfig['gateway']>): ResolvedTls | null {
  const cert = tls.cert ?? tls.certPath
  const key = tls.key ?? tls.keyPath
  if (tls.enabled === false || cert === undefined || key === undefined) return null
  return { cert, key }
}

// Upstream's switch for the same is gateway.nodes.pairing.autoApproveLocal; either turns it off.
function autoApproves(gateway: NonNullable<GatewayConfig['gateway']>): boolean {
  const upstream = valueAt(gateway, ['nodes', 'pairing', 'autoApproveLocal'])
  return gateway.auth?.autoApproveLoopback !== false && upstream !== false
}

function resolveProviders(
  own: Readonly<Record<string, ModelProviderConfig>>,
): Record<string, ResolvedProvider> {
  const builtIn = Object.entries(BUILT_IN_PROVIDERS).map(([name, provider]) => [
    name,
    { ...provider, apiKey: null, models: {} },
  ])
  // An entry of one's own replaces the built-in provider whole: its key goes to no other server.
  const configured = Object.entries(own).map(([name, provider]) => [
    name,
    resolveProvider(name, provider),
  ])
  return Object.fromEntries([...builtIn, ...configured])
}

function resolveProvider(
  name: string,
  { baseUrl, api, apiKey, models }: ModelProviderConfig,
): ResolvedProvider {
  const own = name === ANTHROPIC_PROVIDER ? 'anthropic-messages' : 'openai-completions'
  return {
    baseUrl: baseUrl.replace(/\/+$/, ''),
    api: api ?? own,
    apiKey: apiKey ?? null,
    apiKeyVariable: null,
    models: Object.fromEntries(
      (models ?? []).map(({ id, contextWindow, contextTokens, maxTokens, compat }) => [
        id,
        {
          contextWindow: contextTokens ?? contextWindow ?? null,
          maxTokens: maxTokens ?? null,
          takesTools: compat?.supportsTools ?? true,
        },
      ]),
    ),
  }
}

function resolveIrc(irc: IrcConfig): ResolvedIrc {
  const tls = irc.tls ?? true
  const nick = irc.nick ?? 'openclaw'
  return {
    host: irc.host ?? '',
    port: irc.port ?? (tls ? 6_697 : 6_667),
    tls,
    nick,
    username: irc.username ?? nick.replaceAll(/\W/g, '').slice(0, 10).padEnd(1, 'o'),
    realname: irc.realname ?? nick,
    password: irc.password ?? null,
    rooms: irc.channels ?? [],
    identity: irc.identity ?? 'nick',
    dmPolicy: irc.dmPolicy ?? 'pairing',
    allowFrom: irc.allowFrom ?? [],
    // A nick is whoever has it: nobody decides by that unless they are named for it.
    ...(irc.identity === 'account' ? {} : { approvers: [] }),
    ...approversOf(irc.execApprovals),
    groupPolicy: irc.groupPolicy ?? 'allowlist',
    groups: Object.fromEntries(
      Object.entries(irc.groups ?? {}).map(([room, { requireMention, allowFrom }]) => [
        room,
        { requireMention: requireMention ?? true, allowFrom: allowFrom ?? [] },
      ]),
    ),
  }
}
