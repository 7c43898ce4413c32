/** mDNS on a real network: what is told of the gateway there, to whom, and until when. Rule P31. */
import { hostname, userInfo } from 'node:os'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cases } from '../store/cases.ts'
import { withDirectory } from '../support/directory.ts'
import { whyNoWire, type Wire, withWire } from '../support/network.ts'
import { compiled, type Running, start } from '../support/process.ts'

const test = cases('announcing')
const TOKEN = 'a-token-that-nobody-hears'
const PORT = 18_789
const TTL_S = 120

interface Answer {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly data: unknown
}

function startGateway(stateDir: string, { first }: Wire, mode: string | null): Running {
  const config = {
    gateway: { bind: first.address, port: PORT, auth: { token: TOKEN } },
    ...(mode === null ? {} : { discovery: { mdns: { mode } } }),
  }
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config), { mode: 0o600 })
  const env = { OPENCLAW_STATE_DIR: stateDir, HOME: stateDir, NO_COLOR: '1' }
  return start([compiled('scripts/openclaw.js'), 'gateway'], env, first.enter)
}

const listen = ({ second }: Wire, ...args: readonly string[]): Running =>
  start([compiled('tests/support/mdns-listener.js'), ...args], {}, second.enter)

async function answersIn(listener: Running, pattern: RegExp): Promise<Answer[]> {
  const line = (await listener.says(pattern)).split('\n').find((each) => pattern.test(each))
  return (JSON.parse(line ?? '{}') as { answers: Answer[] }).answers
}

const texts = ({ data }: Answer): string[] =>
  (data as { data: number[] }[]).map((each) => Buffer.from(each.data).toString())

test.unless(
  whyNoWire(),
  'P31 it is announced with port and protocols and nothing else, to mDNS and to plain resolvers, and taken back',
  () =>
    withDirectory((directory) =>
      withWire(async (wire) => {
        const stateDir = join(directory, 'state')
        const listener = listen(wire)
        const gateway = startGateway(stateDir, wire, 'minimal')
        const answers = await answersIn(listener, /"ttl":120/)
        const plain = listen(wire, 'plain')
        const answered = await answersIn(plain, /"ttl":120/)
        plain.child.kill('SIGKILL')
        gateway.child.kill('SIGTERM')
        const goodbye = await answersIn(listener, /"ttl":0/)
        const { code } = await gateway.ended
        listener.child.kill('SIGKILL')
        const { stdout: heard } = await listener.ended

        const [pointer, service, text, host, ...more] = answers
        assert.equal(more, [])
        assert.is(pointer?.name, '_openclaw-gw._tcp.local')
        assert.match(String(pointer?.data), /^openclaw-[0-9a-f]{8}\._openclaw-gw\._tcp\.local$/)
        assert.is((service?.data as { port?: number } | undefined)?.port, PORT)
        assert.equal([host?.type, host?.data], ['A', wire.first.address])
        assert.equal(text === undefined ? [] : texts(text), [
          'role=gateway',
          'transport=gateway',
          `gatewayPort=${PORT}`,
          'gatewayTls=0',
          'minProtocol=3',
          'maxProtocol=4',
        ])
        assert.ok(answers.every(({ ttl }) => ttl === TTL_S))
        assert.equal(answered, answers)
        assert.equal(
          goodbye.map(({ name, ttl }) => [name, ttl]),
          answers.map(({ name }) => [name, 0]),
        )
        for (const secret of [TOKEN, stateDir, hostname(), userInfo().username]) {
          assert.not.ok(heard.includes(secret), secret)
        }
        assert.is(code, 0)
      }),
    ),
)

test.unless(whyNoWire(), 'P31 nothing is announced by default', () =>
  withDirectory((directory) =>
    withWire(async (wire) => {
      const listener = listen(wire)
      const gateway = startGateway(join(directory, 'state'), wire, null)
      await gateway.says(/ready|listening|ws:\/\//)
      gateway.child.kill('SIGTERM')
      await gateway.ended
      listener.child.kill('SIGKILL')

      assert.is((await listener.ended).stdout, '')
    }),
  ),
)

test.run()
