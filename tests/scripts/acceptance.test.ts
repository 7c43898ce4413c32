/**
 * The instruments of the acceptance: a recorder that changed what passes, or a row that took
 * anything, would prove nothing.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import WebSocket, { WebSocketServer } from 'ws'
import { killAll, startProcess } from '../../scripts/acceptance/process.ts'
import { at, exits, json, jsonIn, says } from '../../scripts/acceptance/row.ts'
import { rows } from '../../scripts/acceptance/rows.ts'
import { type Recorded, startRecorder } from '../support/recorder.ts'

const acceptance = suite('acceptance')

/** A server that echoes each frame, and closes with 4001 when it is told to. */
async function startEchoServer(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    response.writeHead(418, { 'x-host': request.headers.host ?? '' }).end(request.url)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, { headers }) => {
    socket.send(JSON.stringify({ type: 'event', event: 'origin', payload: headers.origin }))
    socket.on('message', (data: Buffer, isBinary) => {
      if (data.toString('utf8') === 'close') socket.close(4001, 'as told')
      else socket.send(data, { binary: isBinary })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    close: async () => {
      sockets.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

acceptance(
  'U-R1 a recorder passes frames, a foreign Origin and close codes as they are',
  async () => {
    const server = await startEchoServer()
    const recorded: Recorded[] = []
    const target = { host: '127.0.0.1', port: server.port }
    const recorder = await startRecorder(target, (each) => recorded.push(each))
    const client = new WebSocket(recorder.url, { headers: { origin: 'http://a.test' } })
    const heard: string[] = []
    client.on('message', (data: Buffer) => heard.push(data.toString('utf8')))

    await once(client, 'open')
    client.send('{"type":"req","id":"1"}')
    client.send('close')
    const [code, reason] = (await once(client, 'close')) as [number, Buffer]

    assert.is(code, 4001)
    assert.is(String(reason), 'as told')
    assert.equal(JSON.parse(heard[0]!).payload, 'http://a.test')
    assert.is(heard[1], '{"type":"req","id":"1"}')
    assert.equal(recorded.filter(({ from }) => from === 'client').map(({ frame }) => frame)[0], {
      type: 'req',
      id: '1',
    })
    assert.ok(recorded.some(({ from, closed }) => from === 'gateway' && closed?.code === 4001))
    await recorder.close()
    await server.close()
  },
)

acceptance('U-R2 a recorder passes HTTP and its status; Host names the gateway', async () => {
  const server = await startEchoServer()
  const recorded: Recorded[] = []
  const target = { host: '127.0.0.1', port: server.port }
  const recorder = await startRecorder(target, (each) => recorded.push(each))

  const response = await fetch(`http://127.0.0.1:${recorder.port}/startupz?x=1`)

  assert.is(response.status, 418)
  assert.is(response.headers.get('x-host'), `127.0.0.1:${server.port}`)
  assert.is(await response.text(), '/startupz?x=1')
  assert.equal(
    recorded.map(({ http }) => http),
    ['GET /startupz?x=1 418'],
  )
  await recorder.close()
  await server.close()
})

acceptance('U-R4 a page of the recorder reads as a page of the gateway', async () => {
  const server = await startEchoServer()
  const target = { host: '127.0.0.1', port: server.port }
  const recorder = await startRecorder(target, () => {})
  const headers = { origin: `http://127.0.0.1:${recorder.port}` }
  const client = new WebSocket(recorder.url, { headers })

  const [first] = (await once(client, 'message')) as [Buffer]

  assert.is(JSON.parse(first.toString('utf8')).payload, `http://127.0.0.1:${server.port}`)
  client.terminate()
  await recorder.close()
  await server.close()
})

acceptance('U-R3 a client is refused when the gateway behind the recorder is gone', async () => {
  const server = await startEchoServer()
  await server.close()
  const recorder = await startRecorder({ host: '127.0.0.1', port: server.port }, () => {})
  const client = new WebSocket(recorder.url)

  const [code] = (await once(client, 'close')) as [number]

  assert.ok(code === 1006 || code === 1005, `closed with ${code}`)
  await recorder.close()
})

acceptance('U-A1 expectations hold of what they name, and of nothing else', () => {
  const seen = { code: 0, text: 'Warning: {odd\n{"ok": true, "list": [1]}\n' }

  assert.ok(exits(0).holds(seen))
  assert.not.ok(exits(0).holds({ ...seen, code: null }))
  assert.ok(says(/odd/).holds(seen))
  assert.not.ok(says(/even/).holds(seen))
  assert.ok(json('ok is true', (value) => at(value, 'ok') === true).holds(seen))
  assert.not.ok(json('ok is false', (value) => at(value, 'ok') === false).holds(seen))
  assert.not.ok(json('anything', () => true).holds({ code: 0, text: 'no document' }))
  assert.is(at(jsonIn(seen.text), 'list', 0), 1)
  assert.is(at(jsonIn(seen.text), 'list', 0, 'deeper'), undefined)
})

acceptance('U-A2 rows have names of their own, something to expect and both releases', () => {
  const names = rows.map(({ name }) => name)

  assert.is(new Set(names).size, names.length)
  assert.equal(
    rows.filter(({ expect }) => expect.length === 0),
    [],
  )
  for (const release of ['new', 'old']) assert.ok(rows.some((row) => row.release === release))
})

acceptance('U-A3 a process and what it started are killed together', async () => {
  // The grandchild holds the pipe: it closes, and `ended` resolves, when that one is gone too.
  const script = `
    require('node:child_process').spawn('sleep', ['600'], { stdio: 'inherit' })
    process.stdout.write('started')
    setTimeout(() => {}, 600_000)`
  const env = { PATH: process.env['PATH'] ?? '' }
  const started = startProcess({ file: process.execPath, args: ['-e', script], env })
  await started.says(/started/)

  killAll()

  assert.is(await started.ended, null)
})

acceptance(
  'U-A4 a program that is not there, or ends early, is a fault and no silence',
  async () => {
    const started = startProcess({ file: '/no/such/program', args: [], env: {} })

    const thrown = await started.says(/ready/).then(
      () => '',
      (error: Error) => error.message,
    )
    assert.match(thrown, /without \/ready\//)
    assert.match(thrown, /ENOENT/)
  },
)

acceptance('U-R5 --small has the client libraries, and nothing that is large', async () => {
  const file = fileURLToPath(new URL('../../scripts/acceptance/all.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file, '--small', '--list'])

  assert.equal(stdout.trim().split('\n'), [
    '@openclaw/gateway-client (new)',
    'openclaw-node (new)',
    'openclaw-mcp (new)',
  ])
})

acceptance.run()
