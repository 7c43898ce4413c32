/** A port that nobody listens on, for a program that has to be told one. */
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Finds one on loopback; somebody else could take it before it is used. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
