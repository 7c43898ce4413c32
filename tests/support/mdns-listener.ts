/**
 * Asks the network for gateways until it is killed, and writes each answer as a line of JSON. With
 * `plain` it asks as a resolver does that is no mDNS: from a port of its own.
 */
import mdns from 'multicast-dns'

const asked = '_openclaw-gw._tcp.local'
const socket = mdns(process.argv[2] === 'plain' ? { bind: false } : { bind: '0.0.0.0' })
socket.on('response', (answer) => {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
})
socket.on('warning', () => {})
setInterval(() => socket.query(asked, 'PTR'), 250)
