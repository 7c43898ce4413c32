/**
 * The specification's list of troubles: for each, what a person sees of it in `gateway`, `gateway
 * status`, `doctor` and `logs`.
 */
import { createConnection, createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { askLock } from '../../actors/lock.ts'
import { cases } from '../store/cases.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const trouble = cases('troubles')

function configure(stateDir: string, text: string): void {
  writeFileSync(join(stateDir, 'openclaw.json'), text, { mode: 0o600 })
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

trouble('TR1 F43 it does not start: the port is taken, by this process', async () => {
  await withDirectory(async (stateDir) => {
    const server = createServer()
    const port = await listen(server, 0, '127.0.0.1')
    configure(stateDir, `{ gateway: { port: ${port} } }`)

    const start = await cli(stateDir, ['gateway'])
    const status = await cli(stateDir, ['gateway', 'status', '--json'])
    const doctor = await cli(stateDir, ['doctor'])
    const log = await cli(stateDir, ['logs', '--level', 'error'])
    server.close()

    const taken = `port ${port} is taken by process ${process.pid}`
    assert.equal([start.code, status.code, doctor.code], [1, 3, 1])
    for (const { stderr, stdout } of [start, log]) assert.match(stderr + stdout, taken)
    assert.match(start.stderr, 'gateway --port N')
    assert.match(doctor.stdout, `${port} is taken by process ${process.pid}`)
    const { fault, says } = JSON.parse(status.stdout) as { fault: string; says: string }
    assert.is(fault, 'port')
    assert.match(says, `process ${process.pid} `)
    assert.not.ok(existsSync(join(stateDir, 'journal')), 'no start that failed is recorded')
  })
})

trouble('TR2 it does not start: a syntax error, with file, line and column', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir, '{\n  gateway: { port: 0,\n  agents }\n')

    const start = await cli(stateDir, ['gateway'])
    const doctor = await cli(stateDir, ['doctor', '--port', '0'])
    const log = await cli(stateDir, ['logs', '--level', 'error'])

    const place = `${join(stateDir, 'openclaw.json')}:3:`
    assert.is(start.code, 78)
    for (const { stderr, stdout } of [start, doctor, log]) assert.match(stdout + stderr, place)
    assert.match(start.stderr, 'doctor')
  })
})

trouble('TR3 it does not start: the state directory is no directory, or not ours', async () => {
  await withDirectory(async (directory) => {
    const stateDir = join(directory, 'file')
    writeFileSync(stateDir, '')

    const start = await cli(stateDir, ['gateway', '--port', '0'], { HOME: directory })
    const behind = await cli(stateDir, ['gateway', '--daemon'], { HOME: directory })
    const doctor = await cli(stateDir, ['doctor', '--port', '0'], { HOME: directory })

    assert.equal([start.code, behind.code, doctor.code], [1, 1, 1])
    for (const { stderr } of [start, behind])
      assert.match(stderr, 'the state directory cannot be used')
    assert.match(doctor.stdout, 'FAIL')
  })
})

trouble('TR4 a model that nobody provides is named by start and doctor', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir, '{ gateway: { port: 0 }, agents: { defaults: { model: "home/llama" } } }')

    const start = await cli(stateDir, ['gateway', '--daemon'])
    const doctor = await cli(stateDir, ['doctor', '--port', '0'])
    const log = await cli(stateDir, ['logs', '--level', 'error'])

    assert.equal([start.code, doctor.code], [78, 1])
    for (const { stdout, stderr } of [start, doctor, log]) assert.match(stdout + stderr, 'home')
  })
})

trouble('TR5 a WebSocket cannot connect: no gateway is running', async () => {
  await withDirectory(async (stateDir) => {
    const status = await cli(stateDir, ['gateway', 'status'])
    const health = await cli(stateDir, ['health'])

    assert.equal([status.code, health.code], [3, 3])
    assert.match(status.stdout, `no gateway is running (state in ${stateDir})`)
    assert.match(status.stderr, 'Start it: ')
    assert.match(health.stderr, 'no gateway is running')
  })
})

trouble('TR6 a WebSocket cannot connect: the token is wrong, and the log shows it', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir, "{ gateway: { port: 0, auth: { token: 'right-token' } } }")
    await cli(stateDir, ['gateway', '--daemon'])

    const status = await cli(stateDir, ['gateway', 'status', '--token', 'wrong'])
    const log = await cli(stateDir, ['logs'])
    await cli(stateDir, ['gateway', 'stop'])

    assert.is(status.code, 1)
    assert.match(status.stdout, /admission +refused/)
    assert.match(status.stderr, 'The token is at fault')
    assert.match(log.stdout, /websocket/i)
  })
})

trouble('TR7 a WebSocket cannot connect: something in the network cuts it', async () => {
  await withDirectory(async (stateDir) => {
    configure(stateDir, '{ gateway: { port: 0 } }')
    await cli(stateDir, ['gateway', '--daemon'])
    const port = (await askLock(stateDir))?.port ?? 0
    const cutter = createServer((socket) => socket.destroy())
    await listen(cutter, port, '127.0.0.2')

    // Verbs look where their configuration says: another address than the gateway's. It is a file of
    // their own, since a gateway takes up what is written into its own.
    const elsewhere = join(stateDir, 'elsewhere.json')
    writeFileSync(elsewhere, `{ gateway: { port: 0, bind: "127.0.0.2" } }`, { mode: 0o600 })
    const looking = { OPENCLAW_CONFIG_PATH: elsewhere }
    const cut = await cli(stateDir, ['gateway', 'status'], looking)
    cutter.close()
    await once(cutter, 'close')
    const closed = await cli(stateDir, ['gateway', 'status'], looking)
    await cli(stateDir, ['gateway', 'stop'])

    assert.equal([cut.code, closed.code], [1, 1])
    assert.match(cut.stderr, 'The network is at fault')
    assert.match(cut.stdout, 'cannot be reached as a gateway')
    assert.match(closed.stderr, 'The port is at fault')
    assert.match(closed.stdout, 'but nothing listens at ws://127.0.0.2:')
  })
})

trouble('TR8 `telnet localhost PORT` reaches a gateway that runs', async () => {
  await withDirectory(async (stateDir) => {
    mkdirSync(stateDir, { recursive: true })
    configure(stateDir, '{ gateway: { port: 0 } }')
    await cli(stateDir, ['gateway', '--daemon'])
    const port = (await askLock(stateDir))?.port ?? 0

    const socket = createConnection({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    socket.write('hello\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    await cli(stateDir, ['gateway', 'stop'])

    assert.match(answer.toString(), 'HTTP/1.1 400 Bad Request')
  })
})

trouble.run()
