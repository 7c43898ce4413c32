/**
 * The shape of `openclaw.json`: which keys there are and what they may hold.
 *
 * Keys are the specification's, then upstream's. Keys that upstream has and this version does not
 * act on are `unread()`: they are accepted, and `doctor` names them. Each leaf is
 * named by what it expects, in words that stand in messages: `expected an integer between ...`.
 * What depends on two keys at once is checked in `check.ts`; defaults stand in `defaults.ts`.
 */
import { array, type Infer, object, optional } from 'superstruct'
import { limits } from '../limits.ts'
import { QUEUE_MODES } from '../methods/params.ts'
import { execApprovals } from './approvers.ts'
import { telegramConfig, webhookConfig } from './channel-schema.ts'
import { discordConfig } from './discord.ts'
import { agentsConfig } from './schema-agents.ts'
import { mcpServerConfig, toolPolicy, toolsConfig } from './schema-tools.ts'
import { whatsappConfig } from './whatsapp.ts'
import { flag, integer, mapOf, name, oneOf, share, text, unread, unreadAll } from './leaves.ts'

export const ircConfig = object({
  tools: optional(toolPolicy()), // in its conversations, beside `tools`
  enabled: optional(flag()),
  host: optional(text(1, 255)),
  port: optional(integer(0, 65_535)),
  tls: optional(flag()),
  nick: optional(text(1, 32)),
  username: optional(name()),
  realname: optional(name()),
  password: optional(text(1, 400)),
  channels: optional(array(name())), // rooms to join
  identity: optional(oneOf('nick', 'account')), // by what a sender is known, where the network tells
  dmPolicy: optional(oneOf('pairing', 'allowlist', 'open', 'disabled')),
  allowFrom: optional(array(name())),
  execApprovals: optional(execApprovals(name)),
  groupPolicy: optional(oneOf('allowlist', 'open', 'disabled')),
  groups: optional(
    mapOf(object({ requireMention: optional(flag()), allowFrom: optional(array(name())) })),
  ),
})

const UNREAD_OF_COMPAT = [
  'codeMode',
  'maxTokensField',
  'openRouterRouting',
  'reasoningEffortMap',
  'requiresAssistantAfterToolResult',
  'requiresOpenAiAnthropicToolPayload',
  'requiresReasoningContentOnAssistantMessages',
  'requiresStringContent',
  'requiresThinkingAsText',
  'requiresToolResultName',
  'strictMessageKeys',
  'supportedReasoningEfforts',
  'supportsDeveloperRole',
  'supportsInstructions',
  'supportsJsonSchemaResponseFormat',
  'supportsPromptCacheKey',
  'supportsReasoningEffort',
  'supportsResponsesContinuation',
  'supportsStore',
  'supportsStrictMode',
  'supportsTemperature',
  'supportsUsageInStreaming',
  'thinkingFormat',
  'toolCallArgumentsEncoding',
  'toolSchemaProfile',
  'unsupportedToolSchemaKeywords',
  'visibleReasoningDetailTypes',
] as const

export const modelProviderConfig = object({
  baseUrl: text(1, 2_048),
  apiKey: optional(text(1, 4_096)),
  api: optional(oneOf('openai-completions', 'anthropic-messages')),
  models: optional(
    array(
      object({
        id: name(),
        name: optional(name()),
        contextWindow: optional(integer(1, 1_000_000_000)),
        contextTokens: optional(integer(1, 1_000_000_000)), // less than its window, to keep to
        maxTokens: optional(integer(1, 1_000_000_000)),
        compat: optional(
          object({
            supportsTools: optional(flag()), // false: it is sent none
            ...unreadAll(UNREAD_OF_COMPAT),
          }),
        ),
        reasoning: unread(),
        input: unread(),
        cost: unread(),
      }),
    ),
  ),
})

const gatewayConfig = object({
  port: optional(integer(0, 65_535)),
  bind: optional(text(1, 255)), // loopback | 127.0.0.1 | 0.0.0.0 | one address
  auth: optional(
    object({
      mode: optional(oneOf('token', 'password')),
      token: optional(text(1, 1_024)),
      password: optional(text(1, 1_024)), // plain, or scrypt:... (protocol/auth/password.ts)
      autoApproveLoopback: optional(flag()),
    }),
  ),
  allowedHosts: optional(array(text(1, 255))), // Host headers, exactly; beside addresses and our name
  allowedOrigins: optional(array(text(1, 512))), // exactly, as browsers write them
  alerts: optional(
    object({
      webhook: optional(text(1, 2_048)), // URL
      webhookSecret: optional(text(16, 1_024)), // signs what is posted
      webhookAllowPrivate: optional(flag()), // also addresses of this network, also plain http
      channel: optional(name()),
      to: optional(text(1, 256)), // upstream's name, as in cron.failureAlert
      target: optional(text(1, 256)), // the same
      cooldownMs: optional(integer(0, 31 * 86_400_000)),
      channelDeadMs: optional(integer(1_000, 86_400_000)),
    }),
  ),
  tailscale: optional(
    object({
      mode: optional(oneOf('off', 'serve', 'funnel')),
      resetOnExit: unread(), // always done
    }),
  ),
  mode: unread(),
  remote: optional(
    object({
      tlsFingerprint: optional(text(1, 256)), // SHA-256, which verbs pin; upstream's name
      url: unread(),
      token: unread(),
      password: unread(),
      transport: unread(),
      sshTarget: unread(),
      sshIdentity: unread(),
      enabled: unread(),
    }),
  ),
  controlUi: optional(
    object({
      allowedOrigins: optional(array(text(1, 512))), // upstream's name for the same
      enabled: optional(flag()),
      root: optional(text(1, 4_096)), // of an installed web client
      basePath: unread(),
      embedSandbox: unread(),
      allowExternalEmbedUrls: unread(),
      allowInsecureAuth: unread(),
      dangerouslyAllowHostHeaderOriginFallback: unread(),
      dangerouslyDisableDeviceAuth: unread(),
    }),
  ),
  reload: unread(),
  trustedProxies: unread(),
  nodes: unread(),
  http: optional(
    object({
      endpoints: optional(
        object({
          chatCompletions: optional(object({ enabled: optional(flag()) })),
          responses: unread(),
        }),
      ),
    }),
  ),
  tls: optional(
    object({
      enabled: optional(flag()),
      cert: optional(text(1, 4_096)), // path of a PEM file, with its chain
      key: optional(text(1, 4_096)), // path of a PEM file
      certPath: optional(text(1, 4_096)), // upstream's names for the same
      keyPath: optional(text(1, 4_096)),
      autoGenerate: unread(),
      caPath: unread(),
    }),
  ),
})

const resetConfig = object({
  mode: optional(oneOf('none', 'daily', 'idle')),
  atHour: optional(integer(0, 23)), // of this machine's zone
  idleMinutes: optional(integer(1, 527_040)),
})

const queueMode = () => oneOf(...QUEUE_MODES)

const messagesConfig = object({
  delivery: optional(
    object({ ttlMinutes: optional(integer(1, limits.deliveryTtlMsMax / 60_000)) }),
  ),
  queue: optional(
    object({
      mode: optional(queueMode()),
      byChannel: optional(mapOf(queueMode())),
      debounceMs: optional(integer(0, limits.queueDebounceMsMax)),
      cap: optional(integer(1, limits.queueCapMax)),
      drop: optional(oneOf('old', 'new', 'summarize')),
      debounceMsByChannel: unread(),
    }),
  ),
  ackReaction: unread(),
  ackReactionScope: unread(),
  groupChat: unread(),
  inbound: unread(),
  messagePrefix: unread(),
  removeAckAfterReply: unread(),
  responsePrefix: unread(),
  statusReactions: unread(),
  suppressToolErrors: unread(),
  tts: unread(),
  visibleReplies: unread(),
})

const sessionConfig = object({
  dmScope: optional(oneOf('main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer')),
  maxMessages: optional(integer(2, 10_000)),
  compactThreshold: optional(share()),
  prune: optional(object({ toolResults: optional(flag()) })),
  reset: optional(resetConfig),
  resetByType: optional(
    object({
      direct: optional(resetConfig),
      dm: optional(resetConfig), // upstream's older name for the same
      group: optional(resetConfig),
      thread: optional(resetConfig),
    }),
  ),
  resetByChannel: optional(mapOf(resetConfig)),
  agentToAgent: unread(),
  identityLinks: unread(),
  mainKey: unread(),
  maintenance: unread(),
  resetTriggers: unread(),
  scope: unread(),
  sendPolicy: unread(),
  store: unread(),
  threadBindings: unread(),
  typingMode: unread(),
})

const channelsConfig = object({
  irc: optional(ircConfig),
  discord: optional(discordConfig),
  telegram: optional(telegramConfig),
  webhook: optional(webhookConfig),
  whatsapp: optional(whatsappConfig),
  slack: unread(),
  signal: unread(),
  imessage: unread(),
  matrix: unread(),
})

export const configStruct = object({
  gateway: optional(gatewayConfig),
  models: optional(object({ mode: unread(), providers: optional(mapOf(modelProviderConfig)) })),
  agents: optional(agentsConfig),
  channels: optional(channelsConfig),
  session: optional(sessionConfig),
  store: optional(
    object({ maxBytes: optional(integer(limits.budgetBytesMin, Number.MAX_SAFE_INTEGER)) }),
  ),
  history: optional(object({ preset: optional(oneOf('forever', 'balanced', 'privacy', 'lean')) })),
  discovery: optional(
    object({
      mdns: optional(object({ mode: optional(oneOf('off', 'minimal')) })),
      wideArea: unread(),
    }),
  ),
  messages: optional(messagesConfig),
  tools: optional(toolsConfig),
  mcp: optional(object({ servers: optional(mapOf(mcpServerConfig)) })),
  logging: unread(),
  plugins: unread(),
  skills: unread(),
  hooks: unread(),
  cron: unread(),
  update: unread(),
  telemetry: unread(),
  env: unread(),
  meta: unread(),
})

/** The configuration as written by its owner: every key optional. */
export type GatewayConfig = Infer<typeof configStruct>
export type IrcConfig = Infer<typeof ircConfig>
export type ModelProviderConfig = Infer<typeof modelProviderConfig>

/** Paths that hold secrets; `*` stands for any key. They are never shown, logged or recorded. */
export const SECRET_PATHS: readonly string[] = [
  'gateway.auth.token',
  'gateway.auth.password',
  'gateway.alerts.webhook', // Its path is often all that guards it.
  'gateway.alerts.webhookSecret',
  'gateway.remote.token',
  'gateway.remote.password',
  'models.providers.*.apiKey',
  'mcp.servers.*.env.*',
  'mcp.servers.*.headers.*',
  'channels.irc.password',
  'channels.discord.token',
  'channels.telegram.botToken',
  'channels.telegram.webhookSecret',
  'channels.webhook.secret',
  'channels.webhook.url', // As that of alerts.
]

/**
 * Keys that hold secrets wherever they stand: parts that this version does not read are shown to
 * administrators too. `maxTokens` is none.
 */
export const SECRET_KEY =
  /(?:token|password|passphrase|passwd|secret|api_?key|private_?key|credentials?|authorization|cookie)$/i
