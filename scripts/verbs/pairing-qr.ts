/**
 * `openclaw pairing qr`: a QR code that a phone scans to come in, once, within ten minutes.
 *
 * It holds the gateway's address and a one-time secret (protocol/auth/pairing-code.ts). An address
 * that only this machine reaches is of no use to a phone, and that is said.
 */
import { networkInterfaces } from 'node:os'
import { formatSetupCode } from '../../protocol/auth/pairing-code.ts'
import { reachArgs } from '../arguments.ts'
import { askGateway, formatTime } from '../ask.ts'
import { note, show, showJson } from '../output.ts'
import { defineVerb } from '../verb.ts'

export const pairingQr = defineVerb({
  name: 'pairing qr',
  description: 'Show a QR code that lets one phone in',
  args: {
    ...reachArgs,
    url: { type: 'string', valueHint: 'URL', description: 'where the phone finds the gateway' },
    scopes: { type: 'string', valueHint: 'A,B', description: 'what the phone may do' },
  },
  async run(args) {
    const scopes = args.scopes === undefined ? {} : { scopes: args.scopes.split(',') }
    const answer = await askGateway(args, 'pairing.setup', scopes)
    const url = args.url ?? reachable(String(answer['url']))
    const setupCode = formatSetupCode(url, String(answer['bootstrapToken']))
    if (args.json) {
      showJson({ ...answer, url, setupCode })
      return 0
    }
    const { renderUnicodeCompact } = await import('uqr')
    for (const line of renderUnicodeCompact(setupCode, { border: 2 }).split('\n')) show(line)
    show(setupCode)
    note(`good for one device until ${formatTime(answer['expiresAt'])}, at ${url}`)
    if (isLocal(url)) note('only this machine reaches that address: set gateway.bind, or use --url')
    return 0
  },
})

/** Takes our address in the network for one that means all of them. */
function reachable(url: string): string {
  if (!/^ws:\/\/(?:0\.0\.0\.0|\[::\])(?=:)/.test(url)) return url
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const own = all.find(({ family, internal }) => family === 'IPv4' && !internal)
  return own === undefined ? url : url.replace(/0\.0\.0\.0|\[::\]/, own.address)
}

function isLocal(url: string): boolean {
  return /^wss?:\/\/(?:127\.|localhost|\[::1\])/.test(url)
}
