/**
 * What a configuration must mean, beyond the shape of each key: rules over several keys at once.
 *
 * No rule here ever weakens security for convenience: an open address without a secret, or a mode
 * of authentication without its secret, is refused.
 */
import { isPasswordHash, passwordHashFault } from '../auth/password.ts'
import { quote } from '../ids.ts'
import { limits } from '../limits.ts'
import { isAgentId } from '../session-key.ts'
import { checkHttpChannels } from './channel-check.ts'
import { BUILT_IN_PROVIDERS, ECHO_MODEL, readModelName } from './model.ts'
import type { ConfigIssue } from './parse.ts'
import { formatPath } from './path.ts'
import type { GatewayConfig } from './schema.ts'

/** Collects what is wrong with a configuration whose shape is right. */
export function checkMeaning(config: GatewayConfig): ConfigIssue[] {
  const channels = [...checkIrc(config), ...checkHttpChannels(config)]
  const named = [...checkModels(config), ...checkAgents(config), ...checkMcp(config)]
  return [...checkGateway(config), ...named, ...channels]
}

// What can be no agent's id would narrow nothing, in silence.
function checkAgents({ agents: { list = [], entries = {} } = {} }: GatewayConfig): ConfigIssue[] {
  const ids: [(string | number)[], string][] = [
    ...list.map(({ id }, index): [(string | number)[], string] => [
      ['agents', 'list', index, 'id'],
      id,
    ]),
    ...Object.keys(entries).map((id): [string[], string] => [['agents', 'entries', id], id]),
  ]
  return ids.flatMap(([path, id]) =>
    isAgentId(id.toLowerCase())
      ? []
      : [issue(path, `expected an id of at most 64 letters, digits, _ and -, got ${quote(id)}`)],
  )
}

// A server is started here or reached over HTTP; its name stands before those of its tools.
function checkMcp({ mcp }: GatewayConfig): ConfigIssue[] {
  return Object.entries(mcp?.servers ?? {}).flatMap(([name, { command, url }]) => {
    const path = ['mcp', 'servers', name]
    const isNamed = /^[A-Za-z][\w-]{0,31}$/.test(name)
    const names = isNamed ? [] : [issue(path, 'expected a name of letters, digits, _ and -')]
    const isOne = (command === undefined) !== (url === undefined)
    const isHttp = url === undefined || (URL.canParse(url) && /^https?:/i.test(url))
    return [
      ...names,
      ...(isOne ? [] : [issue(path, 'expected either command or url')]),
      ...(isHttp ? [] : [issue([...path, 'url'], `expected an http or https address`)]),
    ]
  })
}

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['loopback', 'localhost', '::1'])

/** Tells whether a bind reaches this machine only. */
export function isLoopbackBind(bind: string): boolean {
  return LOOPBACK_NAMES.has(bind) || (bind.startsWith('127.') && isIpv4(bind))
}

function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text)
}

function isIpv6(text: string): boolean {
  if (!/^[\da-f:.]{2,45}$/i.test(text) || !text.includes(':')) return false
  return URL.canParse(`http://[${text}]/`)
}

function checkGateway(config: GatewayConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = []
  const { bind = 'loopback', auth = {} } = config.gateway ?? {}
  if (!LOOPBACK_NAMES.has(bind) && !isIpv4(bind) && !isIpv6(bind)) {
    issues.push(
      issue(['gateway', 'bind'], `expected "loopback" or one IP address, got ${quote(bind)}`),
    )
  }
  for (const kind of ['token', 'password'] as const) {
    const path = ['gateway', 'auth', kind]
    if (auth[kind] !== undefined && auth[kind].trim() === '') {
      issues.push(issue(path, 'expected a secret, got only spaces'))
    }
    if (auth.mode === kind && auth[kind] === undefined) {
      issues.push(issue(path, `required by gateway.auth.mode "${kind}"`))
    }
  }
  const hash = auth.password ?? ''
  const hashFault = isPasswordHash(hash) ? passwordHashFault(hash) : null
  if (hashFault !== null) issues.push(issue(['gateway', 'auth', 'password'], hashFault))
  issues.push(
    ...checkOrigins(config),
    ...checkTls(config),
    ...checkTailscale(config),
    ...checkAlerts(config),
  )
  if (!isLoopbackBind(bind) && auth.token === undefined && auth.password === undefined) {
    const reason = `${quote(bind)} is open to others and needs gateway.auth.token or gateway.auth.password`
    issues.push(issue(['gateway', 'bind'], reason))
  }
  return issues
}

function checkTls({ gateway = {} }: GatewayConfig): ConfigIssue[] {
  const { tls } = gateway
  if (tls === undefined || tls.enabled === false) return []
  const paths = { cert: tls.cert ?? tls.certPath, key: tls.key ?? tls.keyPath }
  return (['cert', 'key'] as const)
    .filter((name) => paths[name] === undefined)
    .map((name) => issue(['gateway', 'tls', name], 'expected the path of a PEM file, got nothing'))
}

// Tailscale carries everybody who may use it to loopback; funnel carries the whole Internet there.
function checkTailscale({ gateway = {} }: GatewayConfig): ConfigIssue[] {
  const { tailscale = {}, bind = 'loopback', auth = {} } = gateway
  const { mode = 'off' } = tailscale
  if (mode === 'off') return []
  const path = ['gateway', 'tailscale', 'mode']
  const issues: ConfigIssue[] = []
  if (!isLoopbackBind(bind)) {
    issues.push(issue(path, `${quote(mode)} needs gateway.bind "loopback", got ${quote(bind)}`))
  }
  const hasPassword = auth.password !== undefined && auth.mode !== 'token'
  if (mode === 'funnel' && !hasPassword) {
    const reason = '"funnel" is open to the Internet and needs gateway.auth.mode "password"'
    issues.push(issue(path, `${reason} and gateway.auth.password`))
  }
  return issues
}

function checkAlerts({ gateway = {} }: GatewayConfig): ConfigIssue[] {
  const { webhook, webhookSecret, webhookAllowPrivate, channel, to, target } = gateway.alerts ?? {}
  const path = ['gateway', 'alerts']
  const issues: ConfigIssue[] = []
  const url = webhook !== undefined && URL.canParse(webhook) ? new URL(webhook) : null
  const schemes = webhookAllowPrivate === true ? /^https?:$/ : /^https:$/
  if (webhook !== undefined && (url === null || !schemes.test(url.protocol))) {
    issues.push(issue([...path, 'webhook'], 'expected an https URL'))
  } else if (url !== null && (url.username !== '' || url.password !== '')) {
    issues.push(issue([...path, 'webhook'], 'must hold no user or password'))
  }
  if (webhook !== undefined && webhookSecret === undefined) {
    issues.push(issue([...path, 'webhookSecret'], 'required by gateway.alerts.webhook, to sign'))
  }
  if (channel !== undefined && to === undefined && target === undefined) {
    issues.push(issue([...path, 'to'], 'required by gateway.alerts.channel'))
  }
  return issues
}

// A wildcard would let every web page in; what is no origin would never match.
function checkOrigins({ gateway = {} }: GatewayConfig): ConfigIssue[] {
  const lists: [string[], readonly string[]][] = [
    [['gateway', 'allowedOrigins'], gateway.allowedOrigins ?? []],
    [['gateway', 'controlUi', 'allowedOrigins'], gateway.controlUi?.allowedOrigins ?? []],
  ]
  return lists.flatMap(([path, origins]) =>
    [...origins.entries()]
      .filter(([, origin]) => !isOrigin(origin))
      .map(([index, origin]) =>
        issue(
          [...path, index],
          `expected one origin such as "https://ui.example", got ${quote(origin)}`,
        ),
      ),
  )
}

function isOrigin(text: string): boolean {
  if (text.includes('*')) return false
  if (/^https?:/i.test(text)) return URL.canParse(text) && new URL(text).origin === text
  return text === 'null' || /^[a-z][a-z\d+.-]*:\/\/[^\s/*]*$/.test(text)
}

function checkModels(config: GatewayConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = []
  const providers = config.models?.providers ?? {}
  for (const [name, { baseUrl }] of Object.entries(providers)) {
    const path = ['models', 'providers', name]
    if (name === ECHO_MODEL || name.includes('/')) {
      issues.push(issue(path, 'this name cannot be used for a provider'))
    }
    const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
    if (url === null || !/^https?:$/.test(url.protocol)) {
      issues.push(issue([...path, 'baseUrl'], 'expected an http or https URL'))
    } else if (url.username !== '' || url.password !== '' || url.search !== '') {
      issues.push(issue([...path, 'baseUrl'], 'must hold no user, password or query; use apiKey'))
    }
  }
  const choice = config.agents?.defaults?.model
  const fallbacks = typeof choice === 'object' ? (choice.fallbacks ?? []) : []
  if (fallbacks.length > limits.modelFallbacksMax) {
    const reason = `at most ${limits.modelFallbacksMax} models, got ${fallbacks.length}`
    issues.push(issue(['agents', 'defaults', 'model', 'fallbacks'], reason))
  }
  for (const [path, name] of modelsNamed(config)) {
    const problem = modelProblem(name, config)
    if (problem !== null) issues.push(issue(path, problem))
  }
  return issues
}

/** Lists every model that the configuration names, with the place where it does. */
function modelsNamed(config: GatewayConfig): [(string | number)[], string][] {
  const path = ['agents', 'defaults', 'model']
  const choice = config.agents?.defaults?.model
  if (choice === undefined) return []
  if (typeof choice === 'string') return [[path, choice]]
  const fallbacks = choice.fallbacks ?? []
  return [
    [[...path, 'primary'], choice.primary],
    ...fallbacks.map((name, index): [(string | number)[], string] => [
      [...path, 'fallbacks', index],
      name,
    ]),
  ]
}

function modelProblem(name: string, config: GatewayConfig): string | null {
  const parsed = readModelName(name)
  if (parsed === null) return `expected provider/model or "echo", got ${quote(name)}`
  const { provider } = parsed
  if (provider === ECHO_MODEL) return parsed.model === ECHO_MODEL ? null : 'expected "echo" alone'
  const own = config.models?.providers ?? {}
  const entry = Object.hasOwn(own, provider) ? own[provider] : undefined
  if (entry !== undefined || Object.hasOwn(BUILT_IN_PROVIDERS, provider)) return null
  const known = [ECHO_MODEL, ...Object.keys(BUILT_IN_PROVIDERS), ...Object.keys(own)].join(', ')
  return `unknown provider ${quote(provider)}; known: ${known}`
}

const NICK = /^[A-Za-z[\]\\`_^{|}][\w[\]\\`^{|}-]*$/
const ROOM = /^[#&+!][^\s,:\p{Cc}]+$/u

function checkIrc(config: GatewayConfig): ConfigIssue[] {
  const irc = config.channels?.irc
  if (irc === undefined || irc.enabled === false) return []
  const issues: ConfigIssue[] = []
  const at = (key: string | number, ...more: (string | number)[]): (string | number)[] => [
    'channels',
    'irc',
    key,
    ...more,
  ]
  if (irc.host === undefined)
    issues.push(issue(at('host'), 'required while channels.irc is enabled'))
  if (irc.host !== undefined && !/^[\w.:-]+$/.test(irc.host)) {
    issues.push(issue(at('host'), `expected a host name or an address, got ${quote(irc.host)}`))
  }
  if (irc.nick !== undefined && !NICK.test(irc.nick)) {
    issues.push(issue(at('nick'), `expected an IRC nick, got ${quote(irc.nick)}`))
  }
  for (const [index, room] of (irc.channels ?? []).entries()) {
    if (ROOM.test(room)) continue
    issues.push(issue(at('channels', index), `expected a room such as "#home", got ${quote(room)}`))
  }
  for (const key of ['username', 'realname', 'password'] as const) {
    if (irc[key] === undefined || !/\p{Cc}/u.test(irc[key])) continue
    issues.push(issue(at(key), 'must hold no line break or other control character'))
  }
  if (irc.username !== undefined && /[\s@]/.test(irc.username)) {
    issues.push(issue(at('username'), 'must hold no space and no @'))
  }
  return issues
}

function issue(path: readonly (string | number)[], reason: string): ConfigIssue {
  const at = formatPath(path)
  return { path: at, message: `${at}: ${reason}` }
}
