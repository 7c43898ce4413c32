/** The client library: what a program of somebody else's would write. */
import { once } from 'node:events'
import { connect as dial, createServer, type Server, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { connect, type ConnectOptions, type GatewayClient } from 'openclaw-gateway/client'
import { cases } from '../store/cases.ts'
import { refusal } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway } from '../support/gateway.ts'

const test = cases('client library')

/** A road to a gateway that can be cut, and closed for a while. */
class Road {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #open = true
  /** Where it leads. */
  port = 0

  constructor() {
    this.#server = createServer((near) => {
      if (!this.#open) return void near.destroy()
      const far = dial(this.port, '127.0.0.1')
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => this.cut())
      }
      near.pipe(far).pipe(near)
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as { port: number }
    return `127.0.0.1:${port}`
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  block(): void {
    this.#open = false
    this.cut()
  }

  unblock(): void {
    this.#open = true
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}

interface Given {
  readonly road: Road
  readonly options: ConnectOptions
  readonly byRoad: ConnectOptions
}

async function withGateway(use: (given: Given) => Promise<void>): Promise<void> {
  await withDirectory(async (stateDir) => {
    const road = new Road()
    const host = await road.listen()
    const gateway = { auth: { mode: 'token', token: 'tok' }, allowedHosts: [host] }
    const house = await startTestGateway({ config: { gateway } })
    road.port = house.gateway.port
    const options = { url: house.gateway.url, token: 'tok', stateDir }
    try {
      await use({ road, options, byRoad: { ...options, url: `ws://${host}` } })
    } finally {
      road.close()
      await house.stop()
    }
  })
}

async function answers(client: GatewayClient, count: number): Promise<string[]> {
  const texts: string[] = []
  for await (const { event, payload } of client.events()) {
    if (event === 'agent.done') texts.push(String(payload['text']))
    if (texts.length === count) break
  }
  return texts
}

test('CL1 asks, is answered, and hears what comes of it', () =>
  withGateway(async ({ options }) => {
    const gateway = await connect({ ...options, subscribe: ['agent'] })

    const { status } = await gateway.request('health', {})
    await gateway.request('agent', { message: 'hello', idempotencyKey: 'h1' })

    assert.is(status, 'healthy')
    assert.equal(await answers(gateway, 1), ['echo: hello'])
    assert.ok(gateway.position > 0)
    gateway.close()
  }))

test('CL2 what was missed while the connection was gone comes once, in order', () =>
  withGateway(async ({ road, options, byRoad }) => {
    const far = await connect(byRoad)
    const near = await connect({ ...options, subscribe: [] })
    await near.request('agent', { message: 'one', idempotencyKey: '1' })
    const first = await answers(far, 1)
    road.block()
    await near.request('agent', { message: 'two', idempotencyKey: '2' })
    await near.request('agent', { message: 'three', idempotencyKey: '3' })
    road.unblock()

    const rest = await answers(far, 2)

    assert.equal([...first, ...rest], ['echo: one', 'echo: two', 'echo: three'])
    far.close()
    near.close()
  }))

test('CL3 who was not let in is told so, and no address of a gateway is refused', () =>
  withGateway(async ({ options }) => {
    await refusal(() => connect({ ...options, token: 'wrong' }), 'UNAUTHORIZED')
    await refusal(() => connect({ ...options, url: 'http://127.0.0.1:1' }), 'USAGE')
    await refusal(() => connect({ ...options, url: 'ws://127.0.0.1:1' }), 'NOT_RUNNING')
    await refusal(() => connect({ ...options, resumeFrom: 9_999 }), 'RESUME_TOO_OLD')
  }))

test('CL4 a refused request is an error with its code and path', () =>
  withGateway(async ({ options }) => {
    const gateway = await connect(options)

    const fault = await gateway
      .request('agent', { message: '' })
      .catch((error: { code: string; details: { path: string } }) => error)

    assert.is((fault as { code: string }).code, 'INVALID_REQUEST')
    assert.is((fault as { details: { path: string } }).details.path, 'message')
    gateway.close()
  }))

test('CL5 a request that reads is asked again behind a cut; one that writes only with a key', () =>
  withGateway(async ({ road, byRoad }) => {
    const gateway = await connect(byRoad)
    road.cut()

    const { status } = await gateway.request('health', {})
    road.cut()
    const accepted = await gateway.request('agent', { message: 'x', idempotencyKey: 'k' })
    road.cut()
    await refusal(() => gateway.request('agent', { message: 'y' }), 'UNAVAILABLE')

    assert.is(status, 'healthy')
    assert.is(accepted['status'], 'accepted')
    gateway.close()
  }))

test.run()
