/**
 * Redaction: no secret is shown, and what is shown can be written back without losing one.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { keepSecrets, redactConfig } from '../../../protocol/config/redact.ts'

const redact = suite('config redaction')

const whole = {
  gateway: { port: 1, auth: { mode: 'token', token: 'hunter2', password: 'hunter2' } },
  models: {
    providers: {
      'my.home': { baseUrl: 'http://h', apiKey: 'hunter2', models: [{ id: 'x', maxTokens: 5 }] },
    },
  },
  channels: { irc: { host: 'h', password: 'hunter2' }, telegram: { botToken: 'hunter2' } },
  plugins: {
    entries: [{ name: 'p', headers: { Authorization: 'hunter2' } }],
    token: { ref: 'hunter2' },
  },
  tools: { web: { search: { apiKey: 'hunter2', enabled: true } } },
}

redact('C40 every secret is absent and its concrete path is listed', () => {
  const { config, secretPaths } = redactConfig(whole)

  assert.not.match(JSON.stringify(config), /hunter2/)
  assert.equal(secretPaths, [
    'gateway.auth.token',
    'gateway.auth.password',
    'models.providers["my.home"].apiKey',
    'channels.irc.password',
    'channels.telegram.botToken',
    'plugins.entries[0].headers.Authorization',
    'plugins.token',
    'tools.web.search.apiKey',
  ])
  assert.match(JSON.stringify(config), /"maxTokens":5/)
  assert.match(JSON.stringify(config), /"mode":"token"/)
})

redact('C41 what was given is not changed', () => {
  const before = JSON.stringify(whole)
  redactConfig(whole)

  assert.is(JSON.stringify(whole), before)
})

redact('C42 P26 a redacted configuration written back keeps every secret', () => {
  const { config } = redactConfig(whole)

  const written = keepSecrets(config as object, whole)

  assert.equal(written, whole)
})

redact('C43 an explicit null removes a secret, a new value replaces it', () => {
  const written = {
    gateway: { auth: { token: null, password: 'new' } },
    channels: { irc: { host: 'h' } },
  }

  const kept = keepSecrets(written, whole)

  assert.equal(kept, {
    gateway: { auth: { password: 'new' } },
    channels: { irc: { host: 'h', password: 'hunter2' } },
  })
})

redact('C44 removing what a secret belongs to removes the secret', () => {
  assert.equal(keepSecrets({ gateway: { port: 2 } }, whole), { gateway: { port: 2 } })
})

redact.run()
