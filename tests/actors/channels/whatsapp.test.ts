/** The WhatsApp adapter where WhatsApp is special: a missing package, logins, secrets, acknowledgements. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ChannelAdapter } from '../../../actors/channels/adapter.ts'
import { BAILEYS, loadBaileys, type SecretFiles } from '../../../actors/channels/whatsapp-seam.ts'
import type { HeldFiles } from '../../../actors/channels/whatsapp-inbox.ts'
import { loginWhatsApp, logoutWhatsApp } from '../../../actors/channels/whatsapp-login.ts'
import { openWhatsApp, WHATSAPP_LOGIN } from '../../../actors/channels/whatsapp.ts'
import { listSideFiles } from '../../../actors/backup-files.ts'
import { heldDirectory, openHeldFiles } from '../../../actors/held-files.ts'
import { openSecretFiles, secretsDirectory } from '../../../actors/secret-files.ts'
import { type Clock, silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import { whatsappAccount } from '../../../protocol/channels/whatsapp.ts'
import { limits } from '../../../protocol/limits.ts'
import { GatewayError } from '../../../protocol/errors.ts'
import type { InboundMessage } from '../../../protocol/message.ts'
import { refusalOf } from '../../channels/stage.ts'
import { cases } from '../../store/cases.ts'
import { faultOf, linkFaultOf, never } from '../../support/attempts.ts'
import { hostOf } from '../../support/channel-host.ts'
import { withDirectory } from '../../support/directory.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/wait.ts'
import { CANARY, FakeWhatsApp, heldInMemory, secretsInMemory } from '../../support/whatsapp-fake.ts'

const whatsapp = cases('whatsapp adapter')

interface Made {
  readonly adapter: ChannelAdapter
  readonly messages: InboundMessage[]
  readonly dropped: { reason: string; final: boolean }[]
  readonly lost: string[]
  readonly tries: () => number // to take a message
}

interface Options {
  readonly clock?: Clock
  readonly held?: HeldFiles
  readonly refusal?: () => Error | null // of what is given
}

function make(
  server: FakeWhatsApp,
  files: SecretFiles = secretsInMemory(),
  { clock = systemClock, held = heldInMemory(), refusal = () => null }: Options = {},
): Made {
  const messages: InboundMessage[] = []
  const dropped: Made['dropped'] = []
  const lost: string[] = []
  let tries = 0
  const host = hostOf({
    received: async (message) => {
      tries += 1
      const refused = refusal()
      if (refused !== null) throw refused
      messages.push(message)
    },
    lost: (_, why) => lost.push(why),
    dropped: (reason, { final = false } = {}) => dropped.push({ reason, final }),
  })
  const services = { clock, chance: systemChance, log: silentLog }
  const parts = { secrets: files, held }
  const adapter = openWhatsApp(parts, host, services, async () => server)
  return { adapter, messages, dropped, lost, tries: () => tries }
}

whatsapp('WA6 without its package the channel fails, and says what to install', async () => {
  const missing = Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' })
  const fault = await linkFaultOf(loadBaileys(() => Promise.reject(missing)))
  const other = await linkFaultOf(loadBaileys(async () => ({ default: 7 })))

  assert.equal([fault.message, fault.end.final], [`whatsapp: npm install ${BAILEYS}`, true])
  assert.is(other.end.final, true)
  const root = new URL('../../../../package.json', import.meta.url)
  const own = JSON.parse(readFileSync(root, 'utf8')) as Record<string, Record<string, string>>
  assert.is(BAILEYS, `baileys@${own['peerDependencies']?.['baileys']}`)
  // It brings GPL code along: nobody gets it of us.
  assert.is(own['dependencies']?.['baileys'] ?? own['devDependencies']?.['baileys'], undefined)
  const lock = readFileSync(new URL('package-lock.json', root), 'utf8')
  assert.not.match(lock, /node_modules\/(?:baileys|libsignal)/)
})

whatsapp('WA7 whoever has not logged in is told how; so is one who was thrown out', async () => {
  const server = new FakeWhatsApp()
  const { adapter } = make(server, secretsInMemory(false))
  const fault = await linkFaultOf(adapter.open(never, null))
  assert.equal([fault.end.final, fault.message.endsWith(WHATSAPP_LOGIN)], [true, true])
  assert.ok(fault.message.length <= limits.contextTextCharsMax, 'it is shown whole')

  const made = make(server)
  await made.adapter.open(never, null)
  server.close(401)
  await until(() => made.dropped.length > 0, 'the end')
  assert.equal(made.dropped, [{ reason: `whatsapp: logged out: ${WHATSAPP_LOGIN}`, final: true }])
})

whatsapp('WA8 what ends by itself is tried again; what another took is not', async () => {
  const server = new FakeWhatsApp()
  for (const [code, final] of [
    [515, false],
    [428, false],
    [440, true],
    [403, true],
  ] as const) {
    const made = make(server)
    await made.adapter.open(never, null)
    server.close(code)
    await until(() => made.dropped.length > 0, 'the end')
    assert.equal([made.dropped.length, made.dropped[0]?.final], [1, final], String(code))
  }
})

whatsapp('WA9 S52 a login leaves its secrets in files of 0600, and a logout none', () =>
  withDirectory(async (directory) => {
    const server = new FakeWhatsApp()
    const path = secretsDirectory(directory, 'whatsapp')
    const files = openSecretFiles(path)
    const shown: string[] = []
    await loginWhatsApp({ baileys: server, files, show: (code) => shown.push(code) })
    const made = make(server, files)
    await made.adapter.open(never, null)
    await made.adapter.close()

    assert.equal(shown, ['ref,code-to-scan'])
    const names = readdirSync(path)
    assert.is(names.length, 2, 'the credentials and a key')
    for (const name of names) {
      assert.is(statSync(join(path, name)).mode & 0o777, 0o600)
      assert.match(readFileSync(join(path, name), 'utf8'), CANARY)
    }
    assert.is(statSync(path).mode & 0o777, 0o700)
    const saved = listSideFiles(directory, join(directory, 'openclaw.json'), true)
    assert.equal(saved, [], 'they are in no backup')
    files.clear()
    assert.not(existsSync(path))
  }),
)

whatsapp('WA10 a login that is not scanned leaves nothing', async () => {
  const server = new FakeWhatsApp()
  server.scans = false
  const files = secretsInMemory(false)
  const fault = await refusalOf(loginWhatsApp({ baileys: server, files, show: () => {} }))

  assert.match(String(fault), /not linked/)
  assert.equal(files.names(), [])
})

whatsapp('WA11 names of keys lead out of no directory', () =>
  withDirectory(async (directory) => {
    const files = openSecretFiles(join(directory, 'in'))
    for (const name of ['../../etc/passwd', 'a/b', 'x'.repeat(5_000), 'sender-key-1@g.us::2']) {
      files.write(name, `"${name.length}"`, false)
      assert.is(files.read(name), `"${name.length}"`)
    }
    assert.equal(readdirSync(directory), ['in'])
    files.remove('a/b')
    assert.is(files.read('a/b'), null)
  }),
)

whatsapp(
  'WA12 a message that is not acknowledged is maybe; one that is refused is not sent',
  async () => {
    const server = new FakeWhatsApp()
    const clock = manualClock()
    const { adapter } = make(server, secretsInMemory(), { clock })
    await adapter.open(never, null)
    const deliver = (deliveryId: string): Promise<unknown> =>
      adapter.deliver({ target: '120363000000000000@g.us', text: 'tea', deliveryId })

    server.refusesWith = '463'
    const refused = await faultOf(deliver('d1'))
    const taken = server.freeze()
    const silent = faultOf(deliver('d2'))
    await taken
    await until(() => clock.due().includes(limits.whatsappAckMs), 'the wait')
    await clock.pass(limits.whatsappAckMs)

    assert.equal([refused.sent, refused.retryable], ['no', false])
    const { sent, retryable } = await silent
    assert.equal([sent, retryable, server.texted.length], ['maybe', false, 0])
    await adapter.close()
  },
)

const textsOf = ({ messages }: Made): string[] => messages.map(({ text }) => text)

whatsapp('WA13 PR1 what cannot be taken waits, in order, and is offered again', async () => {
  const server = new FakeWhatsApp()
  server.say('one')
  server.say('two')
  const clock = manualClock()
  const full = new GatewayError('STORE_LOW_SPACE', 'full')
  let isFull = true
  const held = heldInMemory()
  const made = make(server, secretsInMemory(), {
    clock,
    held,
    refusal: () => (isFull ? full : null),
  })
  await made.adapter.open(never, null)
  await until(() => clock.due().includes(limits.whatsappHeldAgainMs), 'another try')
  server.say('three')
  assert.equal([made.tries() > 0, textsOf(made), held.list().length], [true, [], 3])

  isFull = false
  await clock.pass(limits.whatsappHeldAgainMs)
  await until(() => made.messages.length === 3, 'all three')

  assert.equal(textsOf(made), ['one', 'two', 'three'])
  await until(() => held.list().length === 0, 'nothing waits')
  assert.equal([made.dropped, made.lost], [[], []])
  await made.adapter.close()
})

whatsapp('WA14 PR1 what waits outlives the link and the process; files are 0600', () =>
  withDirectory(async (directory) => {
    const server = new FakeWhatsApp()
    const path = heldDirectory(directory, 'whatsapp')
    const dying = make(server, secretsInMemory(), {
      held: openHeldFiles(path),
      refusal: () => new GatewayError('UNAVAILABLE', 'the gateway ends'),
    })
    await dying.adapter.open(never, null)
    for (const text of ['one', 'two', 'three']) server.say(text)
    await until(() => dying.tries() > 0, 'a try')
    await dying.adapter.close()
    const names = readdirSync(path)
    const modes = names.map((name) => statSync(join(path, name)).mode & 0o777)
    writeFileSync(join(path, '000000000000.json'), '') // as a power cut leaves one

    const next = make(server, secretsInMemory(), { held: openHeldFiles(path) })
    await next.adapter.open(never, null)
    server.say('four')
    await until(() => next.messages.length === 4, 'all four')
    await next.adapter.close()

    assert.equal([names.length, new Set(modes)], [3, new Set([0o600])])
    assert.is(statSync(path).mode & 0o777, 0o700)
    assert.equal(textsOf(next), ['one', 'two', 'three', 'four'])
    assert.is(next.lost.length, 1, 'the empty one')
    await until(() => readdirSync(path).length === 0, 'nothing waits')
  }),
)

whatsapp('WA15 what may never be taken, and what is too much, is lost and told', async () => {
  const server = new FakeWhatsApp()
  const clock = manualClock()
  const held = heldInMemory()
  let refused: GatewayError | null = new GatewayError('APPEND_REJECTED', 'too long')
  const made = make(server, secretsInMemory(), { clock, held, refusal: () => refused })
  await made.adapter.open(never, null)
  server.say('poison')
  await until(() => made.lost.length === 1, 'the loss')
  assert.equal([made.lost, held.list()], [['too long'], []])

  refused = new GatewayError('STORE_LOW_SPACE', 'full')
  for (let n = 0; n <= limits.whatsappHeldMax; n += 1) server.say(String(n))
  assert.is(made.lost.length, 2)
  assert.is(held.list().length, limits.whatsappHeldMax)

  await until(() => clock.due().includes(limits.whatsappHeldAgainMs), 'another try')
  refused = null
  await clock.pass(limits.whatsappHeldAgainMs)
  await until(() => made.messages.length === limits.whatsappHeldMax, 'all that was kept')
  assert.is(textsOf(made)[0], '0')
  await made.adapter.close()
})

whatsapp('WA16 a message names the account that it was written to, and no number', async () => {
  const server = new FakeWhatsApp()
  const other = make(server)
  const first = new FakeWhatsApp()
  const again = make(first)
  for (const { adapter } of [other, again]) await adapter.open(never, null)
  server.say('hello')
  first.say('hello')
  await until(() => other.messages.length + again.messages.length === 2, 'both')

  const accounts = [other, again].map(({ messages }) => messages[0]?.account ?? '')
  assert.is(new Set(accounts).size, 1)
  assert.match(accounts[0] ?? '', /^[0-9a-f]{16}$/)
  assert.is.not(whatsappAccount(['+491700000001']), whatsappAccount(['+491700000002']))
  assert.is(whatsappAccount([]), null)
  for (const { adapter } of [other, again]) await adapter.close()
})

whatsapp('WA17 whoever was thrown out by the phone links anew with one login', async () => {
  const server = new FakeWhatsApp()
  const files = secretsInMemory()
  server.isLinked = false
  const shown: string[] = []
  const linking = loginWhatsApp({
    baileys: server,
    files,
    show: (code) => {
      shown.push(code)
      server.isLinked = true // It scans.
    },
  })
  await linking

  assert.equal(shown, ['ref,code-to-scan'])
  const made = make(server, files)
  await made.adapter.open(never, null)
  await made.adapter.close()
})

whatsapp('WA18 a logout takes the device off the account, and no secret stays', async () => {
  const server = new FakeWhatsApp()
  const files = secretsInMemory()
  assert.is(await logoutWhatsApp(server, files), true)
  assert.equal([server.isLinked, files.names()], [false, []])

  const away = new FakeWhatsApp()
  away.isUp = false
  const offline = secretsInMemory()
  assert.is(await logoutWhatsApp(away, offline), false)
  assert.equal([away.isLinked, offline.names()], [true, []])
  const unasked = secretsInMemory()
  assert.is(await logoutWhatsApp(null, unasked), false)
  assert.equal(unasked.names(), [])
})

whatsapp('WA19 one that is lost and whose file stays holds up nobody', async () => {
  const server = new FakeWhatsApp()
  const files = heldInMemory()
  const stays = (): never => {
    throw new Error('EROFS')
  }
  let refused: GatewayError | null = new GatewayError('APPEND_REJECTED', 'too long')
  const held = { ...files, remove: stays }
  const made = make(server, secretsInMemory(), { held, refusal: () => refused })
  await made.adapter.open(never, null)
  server.say('poison')
  await until(() => made.lost.length === 1, 'the loss')

  refused = null
  for (const text of ['next', 'last']) server.say(text)
  await until(() => made.messages.length === 2, 'those behind it')
  assert.equal([made.lost, textsOf(made)], [['too long'], ['next', 'last']])
  await made.adapter.close()
})

whatsapp.run()
