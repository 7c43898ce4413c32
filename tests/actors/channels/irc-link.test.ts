/**
 * The IRC link against a scripted server, for what ngIRCd does not do: IRCv3 tags, silence before
 * the greeting, lines without an end.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChannelAdapter } from '../../../actors/channels/adapter.ts'
import { limits } from '../../../protocol/limits.ts'
import { never } from '../../support/attempts.ts'
import { adapterOf, configOf, refusalOf } from '../../support/irc-adapter.ts'
import { manualClock } from '../../support/manual-clock.ts'

const link = suite<{ server: Server; sockets: Socket[]; adapters: ChannelAdapter[] }>('irc link')

link.before.each(async (scene) => {
  scene.sockets = []
  scene.adapters = []
  scene.server = createServer((socket) => {
    scene.sockets.push(socket)
    socket.on('error', () => {})
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(scene.server, 'listening')
})

link.after.each(async ({ server, sockets, adapters }) => {
  for (const socket of sockets) socket.destroy()
  server.close()
  for (const adapter of adapters) await adapter.close()
})

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

link('A20 an aborted opening rejects and leaves no socket', async (scene) => {
  const { adapter } = adapterOf(scene, configOf(portOf(scene.server)))
  const control = new AbortController()

  const opening = refusalOf(adapter.open(control.signal, null))
  const [socket] = (await once(scene.server, 'connection')) as [Socket]
  const closed = once(socket, 'close')
  control.abort()

  assert.match((await opening).message, /aborted/)
  await closed
  assert.match((await refusalOf(adapter.open(control.signal, null))).message, /aborted/)
  assert.is(scene.sockets.length, 1)
})

link('A21 a server that never greets is given up after the time to open', async (scene) => {
  const clock = manualClock()
  const { adapter } = adapterOf(scene, configOf(portOf(scene.server)), { clock })

  const opening = refusalOf(adapter.open(never, null))
  const [socket] = (await once(scene.server, 'connection')) as [Socket]
  const closed = once(socket, 'close')
  await clock.pass(limits.channelOpenMs)

  assert.is((await opening).code, 'TIMEOUT')
  await closed
  assert.equal(clock.due(), [])
})

link('A22 a close while opening ends the opening', async (scene) => {
  const { adapter, heard } = adapterOf(scene, configOf(portOf(scene.server)))

  const opening = refusalOf(adapter.open(never, null))
  await once(scene.server, 'connection')
  await adapter.close()

  assert.is((await opening).code, 'UNAVAILABLE')
  assert.equal(heard.dropped, [])
})

link('A23 tags are asked for once; msgid names the message, time dates it', async (scene) => {
  const { adapter, heard } = adapterOf(scene, configOf(portOf(scene.server), { rooms: [] }))
  const said: string[] = []
  const answers: Readonly<Record<string, string>> = {
    'CAP LS 302': ':s CAP * LS * :batch server-time\r\n:s CAP * LS :message-tags sasl=PLAIN\r\n',
    'CAP REQ :server-time message-tags': ':s CAP * ACK :server-time message-tags\r\n',
    'CAP END':
      ':s 001 heron :hi\r\n:s 422 heron :no motd\r\nPING :x\r\n\r\n:s\r\n' +
      '@msgid=m-1;time=2026-01-02T03:04:05.000Z :bob!b@h PRIVMSG heron :hello\r\n',
  }
  scene.server.on('connection', (socket) => {
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      for (const line of text.trim().split('\r\n')) {
        said.push(line)
        socket.write(answers[line] ?? '')
      }
    })
  })

  await adapter.open(never, null)
  await heard.until(() => heard.messages.length === 1)

  const [message] = heard.messages
  assert.is(message?.messageId, 'm-1')
  assert.is(message?.sentAt, Date.UTC(2026, 0, 2, 3, 4, 5))
  assert.equal(
    said.filter((line) => line.startsWith('CAP')),
    Object.keys(answers),
  )
})

link('A24 a server without TLS is no TLS server', async (scene) => {
  scene.server.on('connection', (socket) => socket.write('NOTICE * :hello\r\n'))
  const { adapter } = adapterOf(scene, configOf(portOf(scene.server), { tls: true }))

  const refusal = await refusalOf(adapter.open(never, null))

  assert.is(refusal.code, 'UNAVAILABLE')
})

link('A25 a line without an end ends the link', async (scene) => {
  const { adapter } = adapterOf(scene, configOf(portOf(scene.server)))

  const opening = refusalOf(adapter.open(never, null))
  const [socket] = (await once(scene.server, 'connection')) as [Socket]
  socket.write('x'.repeat(limits.ircReceivedBytesMax + 1))

  assert.match((await opening).message, /without an end/)
})

link.run()
