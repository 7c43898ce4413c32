/**
 * Resolved configurations: every default, and rules over several keys.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { modelChoice, resolveConfig } from '../../../protocol/config/defaults.ts'
import { unsupportedPaths } from '../../../protocol/config/unread.ts'
import { parseModelName } from '../../../protocol/config/model.ts'
import { describeSchema } from '../../../protocol/config/describe.ts'
import { WITH_TOOLS } from '../../../protocol/config/tools.ts'
import { parseConfig } from '../../../protocol/config/parse.ts'
import type { GatewayConfig } from '../../../protocol/config/schema.ts'
import { GatewayError } from '../../../protocol/errors.ts'

const config = suite('resolved config')

function problem(value: GatewayConfig): string {
  try {
    resolveConfig(value)
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === 'CONFIG_INVALID') return thrown.message
    throw thrown
  }
  return ''
}

config('C20 an empty configuration is loopback, port 18789, echo and nothing else', () => {
  const resolved = resolveConfig({})

  assert.equal(resolved.gateway, {
    port: 18_789,
    bind: 'loopback',
    address: '127.0.0.1',
    loopback: true,
    auth: { mode: 'none', token: null, password: null, autoApprove: true },
    completions: false,
    controlUi: null,
    allowedHosts: [],
    allowedOrigins: [],
    alerts: null,
    tls: null,
    tailscale: 'off',
  })
  assert.is(resolved.discovery, 'off')
  assert.equal(resolved.agent.model, { primary: 'echo', fallbacks: [] })
  assert.equal(resolved.session, {
    dmScope: 'per-channel-peer',
    maxMessages: 400,
    reset: { mode: 'none', atHour: 4, idleMinutes: null },
    resetByType: {},
    resetByChannel: {},
    compactThreshold: 0.8,
    pruneToolResults: false,
  })
  assert.equal(resolved.queue, {
    mode: 'steer',
    byChannel: {},
    debounceMs: 500,
    cap: 20,
    drop: 'summarize',
  })
  assert.is(resolved.irc, null)
  assert.equal(Object.keys(resolved.providers), ['anthropic', 'openai', 'ollama'])
})

config('C21 a bind that others can reach needs a secret', () => {
  for (const bind of ['0.0.0.0', '192.168.1.5', '::', '::ffff:127.0.0.1', 'fe80::1']) {
    assert.match(problem({ gateway: { bind } }), /^gateway\.bind: .* needs gateway\.auth/, bind)
    assert.is(problem({ gateway: { bind, auth: { token: 't' } } }), '')
    assert.is(problem({ gateway: { bind, auth: { password: 'p' } } }), '')
  }
  for (const bind of ['loopback', 'localhost', '127.0.0.1', '127.0.0.9', '::1']) {
    assert.is(problem({ gateway: { bind } }), '', bind)
  }
})

config('C22 a bind is loopback or one address', () => {
  for (const bind of [
    'lan',
    'example.org',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '127.0.0.1.evil.org',
    '127.1',
    ':',
    'g::1',
    '1.2.3.4.',
  ]) {
    assert.match(
      problem({ gateway: { bind, auth: { token: 't' } } }),
      /^gateway\.bind: expected/,
      bind,
    )
  }
  assert.is(resolveConfig({ gateway: { bind: 'localhost' } }).gateway.address, '127.0.0.1')
  assert.is(resolveConfig({ gateway: { bind: '::1' } }).gateway.address, '::1')
})

config('C23 a mode of authentication needs its secret, and spaces are none', () => {
  assert.match(problem({ gateway: { auth: { mode: 'token' } } }), /gateway\.auth\.token: required/)
  assert.match(
    problem({ gateway: { auth: { mode: 'password', token: 't' } } }),
    /password: required/,
  )
  assert.match(problem({ gateway: { bind: '0.0.0.0', auth: { token: '  ' } } }), /only spaces/)
  assert.is(resolveConfig({ gateway: { auth: { password: 'p' } } }).gateway.auth.mode, 'password')
  assert.is(resolveConfig({ gateway: { auth: { token: 't' } } }).gateway.auth.mode, 'token')
})

config('C24 an enabled irc needs a host; a disabled one needs nothing', () => {
  assert.is(
    problem({ channels: { irc: {} } }),
    'channels.irc.host: required while channels.irc is enabled',
  )
  assert.is(problem({ channels: { irc: { enabled: false } } }), '')
  assert.is(resolveConfig({ channels: { irc: { enabled: false, host: 'h' } } }).irc, null)
  assert.equal(resolveConfig({ channels: { irc: { host: 'h' } } }).irc, {
    host: 'h',
    port: 6_697,
    tls: true,
    nick: 'openclaw',
    username: 'openclaw',
    realname: 'openclaw',
    password: null,
    rooms: [],
    identity: 'nick',
    dmPolicy: 'pairing',
    allowFrom: [],
    approvers: [],
    groupPolicy: 'allowlist',
    groups: {},
  })
  assert.is(resolveConfig({ channels: { irc: { host: 'h', tls: false } } }).irc?.port, 6_667)
})

config('C25 what could smuggle a second IRC command is refused', () => {
  const bad: readonly (readonly [object, RegExp])[] = [
    [{ nick: 'a b' }, /irc\.nick/],
    [{ nick: 'a\r\nQUIT' }, /irc\.nick/],
    [{ nick: '1abc' }, /irc\.nick/],
    [{ channels: ['#ok', '#a,#b'] }, /irc\.channels\[1\]/],
    [{ channels: ['home'] }, /irc\.channels\[0\]/],
    [{ channels: ['#a b'] }, /irc\.channels\[0\]/],
    [{ password: 'x\r\nJOIN #x' }, /irc\.password/],
    [{ realname: 'x\ny' }, /irc\.realname/],
    [{ username: 'a b' }, /irc\.username/],
    [{ host: 'a b' }, /irc\.host/],
  ]

  for (const [keys, message] of bad) {
    assert.match(
      problem({ channels: { irc: { host: 'h', ...keys } } }),
      message,
      JSON.stringify(keys),
    )
  }
  assert.not.match(problem({ channels: { irc: { host: 'h', password: 'hunter2\n' } } }), /hunter2/)
})

config('C26 a model names a provider that is there', () => {
  const withModel = (model: string): GatewayConfig => ({ agents: { defaults: { model } } })

  assert.is(
    problem(withModel('nowhere/x')),
    'agents.defaults.model: unknown provider "nowhere"; known: echo, anthropic, openai, ollama',
  )
  assert.match(problem(withModel('gpt-5')), /expected provider\/model or "echo", got "gpt-5"/)
  assert.match(problem(withModel('echo/x')), /expected "echo" alone/)
  assert.match(problem(withModel('toString/x')), /unknown provider/)
  for (const model of ['echo', 'anthropic/claude', 'openai/gpt-5', 'ollama/llama3.2'])
    assert.is(problem(withModel(model)), '')
  assert.match(
    problem({ agents: { defaults: { model: { primary: 'echo', fallbacks: ['echo', 'x/y'] } } } }),
    /^agents\.defaults\.model\.fallbacks\[1\]/,
  )
})

config('C27 what a provider speaks is what its entry says, or its name', () => {
  const baseUrl = 'https://a'
  const apisOf = (providers: NonNullable<GatewayConfig['models']>['providers']): unknown[] =>
    Object.values(resolveConfig({ models: { providers } }).providers).map(({ api }) => api)

  assert.equal(apisOf({}), ['anthropic-messages', 'openai-completions', 'openai-completions'])
  assert.equal(apisOf({ a: { baseUrl, api: 'anthropic-messages' } }).at(-1), 'anthropic-messages')
  assert.equal(apisOf({ a: { baseUrl } }).at(-1), 'openai-completions')
  assert.equal(apisOf({ anthropic: { baseUrl } })[0], 'anthropic-messages')
  assert.equal(
    apisOf({ anthropic: { baseUrl, api: 'openai-completions' } })[0],
    'openai-completions',
  )
})

config('C28 an own entry replaces a built-in provider whole', () => {
  const own = resolveConfig({
    models: { providers: { openai: { baseUrl: 'https://proxy.example/v1//' } } },
  })
  const builtIn = resolveConfig({})

  assert.equal(own.providers['openai'], {
    baseUrl: 'https://proxy.example/v1',
    api: 'openai-completions',
    apiKey: null,
    apiKeyVariable: null,
    models: {},
  })
  assert.is(builtIn.providers['openai']?.apiKeyVariable, 'OPENAI_API_KEY')
  assert.is(builtIn.providers['ollama']?.baseUrl, 'http://127.0.0.1:11434/v1')
})

config('C29 a base URL is http, without user, password or query', () => {
  for (const baseUrl of [
    'ftp://x',
    'x',
    'http://u:hunter2@x',
    'https://x?key=hunter2',
    'file:///etc',
  ]) {
    const message = problem({ models: { providers: { a: { baseUrl } } } })
    assert.match(message, /^models\.providers\.a\.baseUrl/, baseUrl)
    assert.not.match(message, /hunter2/)
  }
})

config('C29 a model keeps to less than its window, and takes no tools, where it says so', () => {
  const written = [
    { id: 'a', contextWindow: 9_000 },
    { id: 'b', contextWindow: 9_000, contextTokens: 4_000, compat: { supportsTools: false } },
  ]
  const { providers } = resolveConfig({
    models: { providers: { home: { baseUrl: 'http://x', models: written } } },
  })

  const { models } = providers['home']!
  assert.equal(models, {
    a: { contextWindow: 9_000, maxTokens: null, takesTools: true },
    b: { contextWindow: 4_000, maxTokens: null, takesTools: false },
  })
})

config('C30 model names come apart at the first slash', () => {
  assert.equal(parseModelName('home/llama3.2'), { provider: 'home', model: 'llama3.2' })
  assert.equal(parseModelName('router/meta/llama'), { provider: 'router', model: 'meta/llama' })
  assert.equal(parseModelName('echo'), { provider: 'echo', model: 'echo' })
  for (const name of ['', '/', 'a/', '/a', 'gpt'])
    assert.throws(() => parseModelName(name), /expected provider/)
  assert.equal(modelChoice({ agents: { defaults: { model: { primary: 'a/b' } } } }), {
    primary: 'a/b',
    fallbacks: [],
  })
})

config('C31 what this version does not act on is listed', () => {
  const text =
    '{ gateway: { mode: "local" }, tools: { deny: ["x"] }, channels: { discord: { token: "a", voice: {} }, telegram: { botToken: "1:a", streaming: "off" } }, plugins: {} }'
  const { config: parsed, issues } = parseConfig(text, { file: 'f', env: {} })

  assert.equal(issues, [])
  assert.equal(unsupportedPaths(parsed).sort(), [
    'channels.discord.voice',
    'channels.telegram.streaming',
    'gateway.mode',
    'plugins',
  ])
})

config('C31 so is what stands in lists and maps; each path names its place', () => {
  const text =
    '{ models: { providers: { "my.home": { baseUrl: "http://x", models: [{ id: "a" }, { id: "b", cost: {} }] } } } }'
  const { config: parsed, issues } = parseConfig(text, { file: 'f', env: {} })

  assert.equal(issues, [])
  assert.equal(unsupportedPaths(parsed), ['models.providers["my.home"].models[1].cost'])
})

const telegram = (keys: object): GatewayConfig => ({
  channels: { telegram: { botToken: '77:abc', ...keys } },
})

config('TG1 telegram has upstream’s keys and our defaults; ids are numbers as texts', () => {
  const whole = telegram({
    apiRoot: 'http://127.0.0.1:8081/',
    webhookUrl: 'https://h.example/tg',
    webhookSecret: 'a-secret-of-16-chars',
    allowFrom: [501, 'tg:502', '*'],
    groupAllowFrom: ['501'],
    groups: { '-100': { allowFrom: [7] }, '*': { requireMention: false } },
  })

  assert.equal(resolveConfig(whole).telegram, {
    botToken: '77:abc',
    tokenFile: null,
    account: '77',
    apiRoot: 'http://127.0.0.1:8081',
    webhook: {
      url: 'https://h.example/tg',
      secret: 'a-secret-of-16-chars',
      path: '/telegram-webhook',
    },
    dmPolicy: 'pairing',
    allowFrom: ['501', '502', '*'],
    groupPolicy: 'allowlist',
    groups: {
      '-100': { requireMention: true, allowFrom: ['7'] },
      '*': { requireMention: false, allowFrom: ['501'] },
    },
  })
  assert.is(resolveConfig(telegram({})).telegram?.apiRoot, 'https://api.telegram.org')
  assert.is(resolveConfig({ channels: { telegram: { enabled: false } } }).telegram, null)
  const odd = resolveConfig(telegram({ botToken: 'odd' })).telegram?.account ?? ''
  assert.match(odd, /^[0-9a-f]{16}$/)
})

config('TG3 a token may rest in a file, which counts before one that is written here', () => {
  const only = resolveConfig(telegram({ botToken: undefined, tokenFile: '/run/bot' })).telegram
  const both = resolveConfig(telegram({ tokenFile: '/run/bot' })).telegram

  for (const { botToken, tokenFile } of [only!, both!]) {
    assert.equal([botToken, tokenFile], ['', '/run/bot'])
  }
  assert.is(problem(telegram({ botToken: undefined, tokenFile: '/run/bot' })), '')
})

config('C39 several accounts of one platform are refused, and not left out in silence', () => {
  for (const name of ['telegram', 'discord', 'whatsapp']) {
    const text = `{ channels: { ${name}: { enabled: false, accounts: { home: {} } } } }`
    const { issues } = parseConfig(text, { file: 'f', env: {} })
    assert.is(issues.length, 1, name)
    assert.match(issues[0]?.message ?? '', `channels.${name}.accounts: expected no accounts`)
  }
})

config('C38 every channel whose tools may be written has them read', () => {
  const written = describeSchema().flatMap(
    ({ path }) => /^channels\.(\w+)\.tools\.deny\b/.exec(path)?.[1] ?? [],
  )

  assert.equal([...new Set(written)].toSorted(), [...WITH_TOOLS].toSorted())
})

config('TG2 what of telegram contradicts itself, or would leak the token, is refused', () => {
  for (const [keys, expected] of [
    [{ botToken: undefined }, /botToken: required/],
    [{ botToken: '77:a b' }, /botToken: expected a token/],
    [{ apiRoot: 'http://bots.example' }, /apiRoot: expected an https URL/],
    [{ apiRoot: 'https://u:p@bots.example' }, /apiRoot/],
    [{ webhookUrl: 'http://h.example/tg', webhookSecret: 'x'.repeat(16) }, /webhookUrl/],
    [{ webhookUrl: 'https://h.example/tg' }, /webhookSecret: required/],
    [{ webhookSecret: 'has spaces in it, many' }, /webhookSecret: expected 16/],
    [{ webhookPath: '/readyz' }, /webhookPath/],
    [{ webhookPath: '/../x' }, /webhookPath/],
    [{ groups: { '@home': {} } }, /groups\["@home"\]/],
  ] as [object, RegExp][]) {
    assert.match(problem(telegram(keys)), expected, JSON.stringify(keys))
  }
  assert.not.match(problem(telegram({ botToken: '77:a b' })), /77:a/)
})

config('WH1 a webhook channel is closed until it is told whom to hear', () => {
  const secret = 'x'.repeat(16)

  assert.equal(resolveConfig({ channels: { webhook: { secret } } }).webhook, {
    secret,
    path: '/hooks/message',
    url: null,
    allowPrivate: false,
    dmPolicy: 'allowlist',
    allowFrom: [],
    groupPolicy: 'allowlist',
    groups: {},
  })
  for (const [keys, expected] of [
    [{}, /secret: required/],
    [{ secret: ' '.repeat(16) }, /secret: expected a secret/],
    [{ secret, path: 'hooks' }, /path: expected a path/],
    [{ secret, path: '/v1/chat/completions' }, /path: expected a path/],
    [{ secret, url: 'http://h.example/' }, /url: expected an https URL/],
    [{ secret, url: 'https://u:p@h.example/', allowPrivate: true }, /url/],
  ] as [object, RegExp][]) {
    assert.match(problem({ channels: { webhook: keys } }), expected, JSON.stringify(keys))
  }
  const one = { webhookUrl: 'https://h/', webhookSecret: secret, webhookPath: '/hooks/message' }
  const both = { channels: { webhook: { secret }, ...telegram(one).channels } }
  assert.match(problem(both), /channels\.webhook\.path: is channels\.telegram\.webhookPath/)
})

config.run()
