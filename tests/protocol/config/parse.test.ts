/**
 * Configuration texts: what is read, and how each fault is told.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseConfig, parseConfigText, requireConfig } from '../../../protocol/config/parse.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import { limits } from '../../../protocol/limits.ts'

const config = suite('config text')

const source = { file: 'openclaw.json', env: {} }

function messages(text: string, env: Record<string, string> = {}): string[] {
  return parseConfig(text, { ...source, env }).issues.map((issue) => issue.message)
}

function refusal(text: string): GatewayError {
  try {
    parseConfig(text, source)
  } catch (thrown) {
    assert.instance(thrown, GatewayError)
    if (thrown instanceof GatewayError) return thrown
  }
  throw new Error(`accepted: ${text}`)
}

config('C1 the whole example of the specification is accepted', () => {
  const text = `{
    // comments and trailing commas are JSON5
    gateway: { port: 18789, bind: "loopback", auth: { token: "t", mode: "token" }, tailscale: { mode: "off" } },
    models: { providers: { home: { baseUrl: "http://127.0.0.1:11434/v1", apiKey: "\${HOME_MODEL_KEY}",
      api: "openai-completions", models: [{ id: "llama3.2", contextWindow: 64000, maxTokens: 4096 }] } } },
    agents: { defaults: { model: { primary: "home/llama3.2", fallbacks: ["openai/gpt-5"] }, workspace: "~/agent", maxConcurrent: 4 } },
    channels: {
      irc: { enabled: true, host: "irc.example.org", port: 6697, tls: true, nick: "heron", channels: ["#home"], password: "\${IRC_PASSWORD}",
             dmPolicy: "pairing", allowFrom: [], groupPolicy: "allowlist", groups: { "#home": { requireMention: true, allowFrom: ["*"] } } },
      telegram: { enabled: true, botToken: "\${TELEGRAM_TOKEN}", apiRoot: "https://..." } },
    session: { dmScope: "per-channel-peer", reset: { mode: "none" }, maxMessages: 400, compactThreshold: 0.8, prune: { toolResults: true } },
    messages: { queue: { mode: "steer", cap: 20, drop: "summarize" } },
    tools: { allow: ["*"], deny: [], ask: ["exec"] },
    history: { preset: "forever" },
  }`
  const env = { HOME_MODEL_KEY: 'k', IRC_PASSWORD: 'p', TELEGRAM_TOKEN: 't' }

  const { config: parsed, issues } = parseConfig(text, { file: 'openclaw.json', env })

  assert.equal(issues, [])
  assert.is(parsed.channels?.irc?.password, 'p')
  assert.is(parsed.models?.providers?.['home']?.apiKey, 'k')
})

config('C2 a syntax error names file, line and column and points at it', () => {
  const error = refusal('{\n  gateway: {\n    port 5\n  }\n}')

  assert.is(error.code, 'CONFIG_INVALID')
  assert.equal(error.details, { file: 'openclaw.json', line: 3, column: 10 })
  assert.is(error.message, "openclaw.json:3:10: invalid character '5'\n      port 5\n           ^")
})

config('C3 the line of a syntax error shows no string and nothing behind a secret key', () => {
  const faulty = [
    '{ gateway: { auth: { token: "hunter2 } } }',
    '{ gateway: { auth: { token: hunter2 } } }',
    "{ gateway: { auth: { 'password': 'x', \"token\" : hunter2 } } }",
    '{ a: "hunter2" b: 1 }',
    '{ a: "x\\"hunter2" b: 1 }',
    '{ gateway: { auth: { token:\n hunter2 } } }',
    '{ a: "b\\\nhunter2" c: 1 }',
    '{ models: { providers: { x: { apiKey: hunter2',
  ]

  for (const text of faulty) {
    const error = refusal(text)
    assert.not.match(error.message, /hunter2/, error.message)
    assert.is(error.cause, undefined)
  }
  assert.match(refusal('{ "port": 1 "x" }').message, /"port": 1/)
})

config('C4 a very long line is not searched or shown', () => {
  const text = `{ a: ${'"token'.repeat(50_000)}`
  const startedAt = performance.now()

  const error = refusal(text)

  assert.match(error.message, /too long/)
  assert.ok(performance.now() - startedAt < 2_000)
})

config('C5 an unknown key is named with the key that was probably meant', () => {
  const { issues } = parseConfig(
    '{ gatway: {}, channels: { irc: { enabled: false, groups: { "#a": { requireMentoin: true } } } } }',
    source,
  )

  const known = Object.fromEntries(issues.map((issue) => [issue.path, issue.known]))
  assert.equal(known, {
    'channels.irc.groups["#a"].requireMentoin': 'requireMention',
    gatway: 'gateway',
  })
  assert.ok(issues.some(({ message }) => message === 'gatway: unknown key, did you mean gateway?'))
  assert.equal(messages('{ gateway: { auth: { zzzzzz: 1 } } }'), [
    'gateway.auth.zzzzzz: unknown key; known here: mode, token, password, autoApproveLoopback',
  ])
  assert.match(
    messages('{ agents: { defaults: { model: { primray: "echo" } } } }').join(),
    /did you mean primary/,
  )
  assert.match(
    messages(
      '{ models: { providers: { a: { baseUrl: "http://a", models: [{ ids: "x" }] } } } }',
    ).join(),
    /models\[0\]\.ids: unknown key, did you mean id/,
  )
})

config('C6 a wrong type shows what was expected and what stands there', () => {
  assert.equal(messages('{ channels: { irc: { host: "h", port: "x" } } }'), [
    'channels.irc.port: expected an integer between 0 and 65535, got "x"',
  ])
  assert.equal(messages('{ session: { dmScope: "all" } }'), [
    'session.dmScope: expected "main" or "per-peer" or "per-channel-peer" or "per-account-channel-peer", got "all"',
  ])
  assert.equal(messages('{ discovery: { mdns: { mode: "full" } } }'), [
    'discovery.mdns.mode: expected "off" or "minimal", got "full"',
  ])
  assert.equal(messages('{ gateway: [] }'), ['gateway: expected an object, got a list'])
  assert.equal(messages('{ gateway: { port: null } }'), [
    'gateway.port: expected an integer between 0 and 65535, got null',
  ])
  assert.equal(messages('{ agents: { defaults: { model: 5 } } }'), [
    'agents.defaults.model: expected a model name, or {primary, fallbacks}, got 5',
  ])
  assert.equal(messages('{ models: { providers: { home: {} } } }'), [
    'models.providers.home.baseUrl: required, expected a text of 1 to 2048 characters',
  ])
  assert.equal(messages('{ session: { compactThreshold: 1.5, maxMessages: 1e9 } }').length, 2)
})

config('C7 a fault in a secret does not show it', () => {
  const text =
    '{ gateway: { auth: { token: 98765432, password: ["hunter2"] } }, models: { providers: { a: { baseUrl: "http://a", apiKey: {x: "hunter2"} } } } }'

  const all = messages(text).join('\n')

  assert.match(all, /gateway\.auth\.token: expected a text of 1 to 1024 characters, got a number/)
  assert.not.match(all, /hunter2|98765432/)
})

config('C8 an environment variable fills a string, wherever the string stands', () => {
  const { config: parsed, issues } = parseConfig(
    '{ gateway: { auth: { token: "a-${A}-${B}" } }, channels: { irc: { host: "h", allowFrom: ["${A}"] } } }',
    { ...source, env: { A: 'x', B: '${A}' } },
  )

  assert.equal(issues, [])
  assert.is(parsed.gateway?.auth?.token, 'a-x-${A}') // What a variable holds is not read again.
  assert.equal(parsed.channels?.irc?.allowFrom, ['x'])
})

config('C9 a missing variable is named with its path; an escaped one is text', () => {
  const { config: parsed } = parseConfig(
    '{ agents: { defaults: { systemPrompt: "$${HOME} $ {x} ${}" } } }',
    source,
  )

  assert.is(parsed.agents?.defaults?.systemPrompt, '${HOME} $ {x} ${}')
  assert.equal(messages('{ gateway: { auth: { token: "${NOPE}" } } }'), [
    'gateway.auth.token: the environment variable NOPE is not set',
  ])
  assert.match(
    messages('{ gateway: { auth: { token: "${constructor}" } } }').join(),
    /constructor is not set/,
  )
  assert.match(
    messages('{ gateway: { auth: { token: "${EMPTY}" } } }', { EMPTY: '' }).join(),
    /got a string/,
  )
})

config('C10 a fault shows the text of the file, not what the environment holds', () => {
  assert.equal(messages('{ gateway: { port: "${PORT}" } }', { PORT: 'hunter2' }), [
    'gateway.port: expected an integer between 0 and 65535, got "${PORT}"',
  ])
})

config('C11 keys that could reach a prototype are refused', () => {
  for (const key of ['__proto__', 'constructor', 'prototype', '"__proto__"']) {
    const error = refusal(`{ tools: { ${key}: { polluted: true } } }`)

    assert.is(error.code, 'CONFIG_INVALID')
    assert.is(error.details['path'], `tools.${key.replaceAll('"', '')}`)
  }
  assert.is(Reflect.get({}, 'polluted'), undefined)
})

config('C12 depth and size have bounds', () => {
  const depth = limits.configDepthMax + 5
  const deep = refusal(`{ tools: ${'['.repeat(depth)}${']'.repeat(depth)} }`)
  const veryDeep = refusal(`{ tools: ${'['.repeat(200_000)}${']'.repeat(200_000)} }`)
  const large = refusal(`{ tools: "${'x'.repeat(limits.configBytesMax)}" }`)

  assert.match(deep.message, /expected at most 32 levels/)
  assert.match(veryDeep.message, /expected at most 32 levels/)
  assert.match(large.message, /expected at most 1048576 bytes/)
})

config('C13 a text that is no object is refused', () => {
  for (const text of ['', '[]', 'null', '"x"', '5'])
    assert.is(refusal(text).code, 'CONFIG_INVALID', text)
  assert.match(refusal('[]').message, /expected an object, got a list/)
})

config('C14 with an issue nothing of the configuration is given out', () => {
  const { config: parsed, issues } = parseConfig(
    '{ gateway: { port: 1, bind: "0.0.0.0" } }',
    source,
  )

  assert.is(issues.length, 1)
  assert.equal(parsed, {})
  assert.throws(
    () => requireConfig('{ gatway: 1, sesion: 2 }', source),
    (thrown: unknown) =>
      thrown instanceof GatewayError &&
      thrown.code === 'CONFIG_INVALID' &&
      /gatway[^]*sesion/.test(thrown.message),
  )
})

config('C15 a text for a patch keeps its references', () => {
  assert.equal(parseConfigText('{ a: "${X}" }', 'f'), { a: '${X}' })
})

config.run()
