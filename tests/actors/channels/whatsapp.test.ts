/** The WhatsApp adapter where WhatsApp is special: a missing package, logins, secrets, acknowledgements. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ChannelAdapter, ChannelHost } from '../../../actors/channels/adapter.ts'
import { BAILEYS, loadBaileys, type SecretFiles } from '../../../actors/channels/whatsapp-seam.ts'
import { loginWhatsApp } from '../../../actors/channels/whatsapp-login.ts'
import { openWhatsApp, WHATSAPP_LOGIN } from '../../../actors/channels/whatsapp.ts'
import { listSideFiles } from '../../../actors/backup-files.ts'
import { openSecretFiles, secretsDirectory } from '../../../actors/secret-files.ts'
import { type Clock, silentLog, systemChance, systemClock } from '../../../actors/services.ts'
import { limits } from '../../../protocol/limits.ts'
import type { InboundMessage } from '../../../protocol/message.ts'
import { refusalOf } from '../../channels/stage.ts'
import { cases } from '../../store/cases.ts'
import { faultOf, linkFaultOf, never } from '../../support/attempts.ts'
import { withDirectory } from '../../support/directory.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { until } from '../../support/wait.ts'
import { CANARY, FakeWhatsApp, secretsInMemory } from '../../support/whatsapp-fake.ts'

const whatsapp = cases('whatsapp adapter')

interface Made {
  readonly adapter: ChannelAdapter
  readonly messages: InboundMessage[]
  readonly dropped: { reason: string; final: boolean }[]
}

function make(
  server: FakeWhatsApp,
  files: SecretFiles = secretsInMemory(),
  { clock = systemClock, full = false }: { clock?: Clock; full?: boolean } = {},
): Made {
  const messages: InboundMessage[] = []
  const dropped: Made['dropped'] = []
  const host: ChannelHost = {
    received: async (message) => {
      if (full && messages.length === 0) {
        messages.push(message)
        throw new Error('the disk is full')
      }
      messages.push(message)
    },
    passed: () => {},
    heard: () => {},
    dropped: (reason, { final = false } = {}) => dropped.push({ reason, final }),
  }
  const services = { clock, chance: systemChance, log: silentLog }
  return { adapter: openWhatsApp(files, host, services, async () => server), messages, dropped }
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

whatsapp('WA13 what came while we were away is taken; one that is lost ends no link', async () => {
  const server = new FakeWhatsApp()
  server.say('one')
  server.say('two')
  const made = make(server, secretsInMemory(), { full: true })
  await made.adapter.open(never, null)
  await until(() => made.messages.length === 2, 'both')

  assert.equal(
    made.messages.map(({ text }) => text),
    ['one', 'two'],
  )
  assert.equal(made.dropped, [])
  await made.adapter.close()
})

whatsapp.run()
