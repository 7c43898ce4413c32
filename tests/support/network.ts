/** Two hosts on one wire: network namespaces of this machine, gone when the run is over. */
import { spawnSync } from 'node:child_process'

/** Puts a command into one of the hosts: what goes before it. */
export interface Wire {
  readonly first: { readonly address: string; readonly enter: string }
  readonly second: { readonly address: string; readonly enter: string }
}

function ip(...args: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status === 0) return null
  return error?.message ?? stderr.trim()
}

/** Tells why there can be no such wire here; null: there can. */
export function whyNoWire(): string | null {
  const name = `ocgw-${process.pid}-probe`
  const fault = ip('netns', 'add', name)
  if (fault !== null) return `needs ip netns: ${fault}`
  const noWire = ip(
    'link',
    'add',
    'ocgwa',
    'netns',
    name,
    'type',
    'veth',
    'peer',
    'name',
    'ocgwb',
    'netns',
    name,
  )
  ip('netns', 'del', name)
  return noWire === null ? null : `needs veth: ${noWire}`
}

/** Lays a wire for the time of a run. */
export async function withWire(run: (wire: Wire) => Promise<void>): Promise<void> {
  const [a, b] = [`ocgw-${process.pid}-a`, `ocgw-${process.pid}-b`]
  const must = (...args: readonly string[]): void => {
    const fault = ip(...args)
    if (fault !== null) throw new Error(`ip ${args.join(' ')}: ${fault}`)
  }
  try {
    for (const name of [a, b]) must('netns', 'add', name)
    must('link', 'add', 'wire', 'netns', a, 'type', 'veth', 'peer', 'name', 'wire', 'netns', b)
    for (const [name, address] of [
      [a, '10.77.0.1'],
      [b, '10.77.0.2'],
    ] as const) {
      must('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'wire')
      must('-n', name, 'link', 'set', 'lo', 'up')
      must('-n', name, 'link', 'set', 'wire', 'up')
      must('-n', name, 'route', 'add', '224.0.0.0/4', 'dev', 'wire')
    }
    // `start` puts an `exec` behind it, which the inner shell takes for its own name.
    const enter = (name: string): string => `exec ip netns exec ${name} bash -c 'exec "$@"'`
    await run({
      first: { address: '10.77.0.1', enter: enter(a) },
      second: { address: '10.77.0.2', enter: enter(b) },
    })
  } finally {
    for (const name of [a, b]) ip('netns', 'del', name)
  }
}
