/** Commands: parameters of any shape are read or refused by path, and nothing else happens. */
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import { type Command, parseCommand } from '../../protocol/command.ts'
import { parseConfig } from '../../protocol/config/parse.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { parseManifest } from '../../protocol/history/incident.ts'
import { methods } from '../../protocol/methods.ts'
import { cases } from '../store/cases.ts'
import { faultOf } from '../store/contract.ts'
import { leastMs } from '../support/timing.ts'

const command = cases('command')

command('S25 a value with a toString of its own is refused by path, not thrown over', async () => {
  const odd = JSON.parse('{"toString": 1, "valueOf": null}') as unknown
  const wrong: [string, unknown, string][] = [
    ['agent', { message: odd }, 'message'],
    ['agent', { message: [odd] }, 'message.0'],
    ['send', { channel: 'irc', target: odd, message: 'x' }, 'target'],
    ['connect', { deviceId: 'd', auth: { token: odd } }, 'auth.token'],
    ['health', odd, 'toString'],
  ]

  for (const [method, params, path] of wrong) {
    const { code, details } = await faultOf(() => parseCommand(method, params))
    assert.equal([code, details['path']], ['INVALID_REQUEST', path], method)
  }
  const { code } = await faultOf(() => parseManifest({ format: odd }))
  assert.is(code, 'RECORD_FORMAT')
})

command('S25 a word that is none of several is refused with all that it may be', async () => {
  const { message } = await faultOf(() => parseCommand('agent', { message: 'x', thinking: 'huge' }))

  const words = '"off", "minimal", "low", "medium", "high", "xhigh"'
  assert.is(message, `params.thinking: expected one of ${words}, got "huge"`)
})

command('S38 a configuration with such a key is refused and not thrown over', async () => {
  for (const text of [
    '{gateway: {bind: {toString: 1}}}',
    '{agents: {valueOf: 1}}',
    '{gateway: {constructor: {prototype: 1}}}',
    `{"a":${'['.repeat(200)}${']'.repeat(200)}}`,
    `{"gateway": "${'x'.repeat(1024 * 1024)}"}`,
  ]) {
    const { code } = await faultOf(() => parseConfig(text, { file: 'openclaw.json', env: {} }))
    assert.is(code, 'CONFIG_INVALID')
  }
})

command('S25 any JSON as parameters of any method is a command or INVALID_REQUEST', () => {
  const names = Object.keys(methods)
  const key = fc.constantFrom('message', 'target', 'events', 'toString', '__proto__', 'auth', 'x')
  const value = fc.letrec((tie) => ({
    any: fc.oneof(fc.jsonValue(), fc.dictionary(key, tie('any'), { maxKeys: 4 })),
  })).any

  fc.assert(
    fc.property(fc.constantFrom(...names), fc.dictionary(key, value), (method, params) => {
      let read: Command | GatewayError
      try {
        read = parseCommand(method, params)
      } catch (thrown) {
        if (!(thrown instanceof GatewayError)) throw thrown
        read = thrown
      }
      return read instanceof GatewayError ? read.code === 'INVALID_REQUEST' : read.method === method
    }),
    { numRuns: 500 },
  )
})

command('S23 long repetitive texts in every field are judged within milliseconds', () => {
  const long = 'a'.repeat(100 * 1024)
  const fields = ['deviceId', 'sessionKey', 'channel', 'target', 'range', 'actor', 'path', 'runId']
  for (const method of Object.keys(methods)) {
    for (const field of fields) {
      const ms = leastMs(() => {
        try {
          parseCommand(method, { [field]: long, message: long })
        } catch (thrown) {
          assert.instance(thrown, GatewayError)
        }
      })
      // Ten times the promise: the machine may be busy.
      assert.ok(ms < 100, `${method}.${field}`)
    }
  }
})

command.run()
