/**
 * Addresses that nobody from outside may have us go to: those that only this network knows.
 *
 * A name is resolved once, here, and the connection goes to the address that was judged: no second
 * answer of a name server can lead elsewhere.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const PRIVATE = privateAddresses()

/** An address that we do not go to, now or later. */
export class RefusedAddress extends Error {}

/**
 * Resolves a name, or a literal address, to one address that may be gone to.
 * @throws {RefusedAddress} any of its addresses is private; whatever the name server says.
 */
export async function resolveHost(hostname: string, allowPrivate: boolean): Promise<string> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }]
  const [first] = found
  if (first === undefined) throw new Error(`${host}: no address`)
  if (allowPrivate) return first.address
  const inside = found.find(({ address }) => isPrivate(address))
  if (inside === undefined) return first.address
  throw new RefusedAddress(`${inside.address} is a private address`)
}

/** Tells whether an address is known in its own network only, or stands for none. */
export function isPrivate(address: string): boolean {
  // A v4 address that is mapped into v6 is judged as what it stands for.
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

// IANA's special-purpose registries: what is not globally reachable, and multicast.
function privateAddresses(): BlockList {
  const list = new BlockList()
  const ranges =
    '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 ' +
    '192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ' +
    '::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 ' +
    '2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8'
  for (const range of ranges.split(' ')) {
    const [network = '', prefix = ''] = range.split('/')
    list.addSubnet(network, Number(prefix), network.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}
