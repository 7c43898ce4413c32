/** The body of one HTTP request, or of an answer, read whole and no further than its bound. */
import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../protocol/errors.ts'

/** Reads a body. @throws {GatewayError} PAYLOAD_TOO_LARGE: what is left of it is not read */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request) {
    pieces.push(piece as Buffer)
    bytes += (piece as Buffer).length
    if (bytes > bytesMax) throw new GatewayError('PAYLOAD_TOO_LARGE', `over ${bytesMax} bytes`)
  }
  return Buffer.concat(pieces)
}
