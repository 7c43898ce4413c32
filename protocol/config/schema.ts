/**
 * The shape of `openclaw.json`: which keys there are and what they may hold.
 *
 * Keys are the specification's, then upstream's. Keys that upstream has and this version does not
 * act on are in `KNOWN_UNSUPPORTED`: they are accepted, and `doctor` names them.
 */
import {
  array,
  boolean,
  enums,
  integer,
  type Infer,
  max,
  min,
  number,
  object,
  optional,
  record,
  size,
  string,
  union,
  unknown,
} from 'superstruct'

const port = () => max(min(integer(), 0), 65_535)
const name = () => size(string(), 1, 128)

export const ircConfig = object({
  enabled: optional(boolean()),
  host: size(string(), 1, 255),
  port: optional(port()), // 6697 with tls, 6667 without
  tls: optional(boolean()), // default true
  nick: size(string(), 1, 32),
  username: optional(name()),
  realname: optional(name()),
  password: optional(string()),
  channels: optional(array(name())), // rooms to join
  dmPolicy: optional(enums(['pairing', 'allowlist', 'open', 'disabled'])), // default pairing
  allowFrom: optional(array(string())),
  groupPolicy: optional(enums(['allowlist', 'open', 'disabled'])), // default allowlist
  groups: optional(
    record(string(), object({ requireMention: optional(boolean()), allowFrom: optional(array(string())) })),
  ),
})

export const modelProviderConfig = object({
  baseUrl: size(string(), 1, 2_048),
  apiKey: optional(string()),
  api: optional(enums(['openai-completions', 'anthropic-messages'])), // default openai-completions
  models: optional(
    array(
      object({
        id: name(),
        name: optional(name()),
        contextWindow: optional(min(integer(), 1)),
        maxTokens: optional(min(integer(), 1)),
      }),
    ),
  ),
})

const modelChoice = union([
  size(string(), 1, 256),
  object({ primary: size(string(), 1, 256), fallbacks: optional(array(size(string(), 1, 256))) }),
])

export const configStruct = object({
  gateway: optional(
    object({
      port: optional(port()),
      bind: optional(size(string(), 1, 255)), // loopback | 127.0.0.1 | 0.0.0.0 | one address
      auth: optional(
        object({
          mode: optional(enums(['token', 'password'])),
          token: optional(size(string(), 1, 1_024)),
          password: optional(size(string(), 1, 1_024)),
        }),
      ),
      tailscale: optional(object({ mode: optional(enums(['off', 'serve', 'funnel'])) })),
    }),
  ),
  models: optional(object({ providers: optional(record(name(), modelProviderConfig)) })),
  agents: optional(
    object({
      defaults: optional(
        object({
          model: optional(modelChoice),
          systemPrompt: optional(size(string(), 0, 65_536)),
          workspace: optional(string()),
          maxConcurrent: optional(max(min(integer(), 1), 64)),
        }),
      ),
    }),
  ),
  channels: optional(object({ irc: optional(ircConfig), telegram: optional(unknown()) })),
  session: optional(
    object({
      dmScope: optional(enums(['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'])),
      maxMessages: optional(max(min(integer(), 2), 10_000)),
      compactThreshold: optional(max(min(number(), 0), 1)),
      prune: optional(object({ toolResults: optional(boolean()) })),
      reset: optional(unknown()),
    }),
  ),
  messages: optional(unknown()),
  tools: optional(unknown()),
  history: optional(object({ preset: optional(string()) })),
})

/** The configuration as written by its owner: every key optional. */
export type GatewayConfig = Infer<typeof configStruct>
export type IrcConfig = Infer<typeof ircConfig>
export type ModelProviderConfig = Infer<typeof modelProviderConfig>

/** Paths that are accepted but not acted on by this version; `doctor` lists those in use. */
export const KNOWN_UNSUPPORTED: readonly string[] = [
  'channels.telegram',
  'session.reset',
  'session.compactThreshold',
  'session.prune',
  'messages',
  'tools',
  'history',
  'gateway.tailscale',
  'agents.defaults.workspace',
]

/** Paths that hold secrets; `*` stands for any key. They are never shown, logged or recorded. */
export const SECRET_PATHS: readonly string[] = [
  'gateway.auth.token',
  'gateway.auth.password',
  'models.providers.*.apiKey',
  'channels.irc.password',
  'channels.telegram.botToken',
]
