/** A state directory and a place for backups beside it, and verbs over both. */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { fill, openJournal } from '../store/journals.ts'
import { cli } from './cli.ts'
import { withDirectory } from './directory.ts'
import type { Ended } from './process.ts'

export type Json = Readonly<Record<string, unknown>>
export type Call = (...args: readonly string[]) => Promise<Ended>

export const read = ({ stdout, stderr }: Ended): Json => JSON.parse(stdout || stderr) as Json

export interface Place {
  readonly call: Call
  readonly stateDir: string
  readonly out: string
}

/** A state directory and one for backups, side by side. */
export async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const stateDir = join(directory, 'state')
    const call: Call = (...args) => cli(stateDir, args)
    try {
      await run({ call, stateDir, out: join(directory, 'out') })
    } finally {
      await call('gateway', 'stop')
    }
  })
}

export async function begin(call: Call): Promise<void> {
  const { code, stderr } = await call('gateway', '--daemon', '--port', '0')
  assert.is(code, 0, stderr)
}

export async function backUp({ call, out }: Place, ...flags: readonly string[]): Promise<string> {
  const made = await call('backup', 'create', '--out', out, '--json', ...flags)
  assert.is(made.code, 0, made.stderr + made.stdout)
  return String(read(made)['path'])
}

/** Runs one turn, stops the gateway, and backs up what it left; returns the path. */
export async function backUpTurn(place: Place): Promise<string> {
  const { call } = place
  await begin(call)
  await call('agent', '--message', 'hello')
  await call('gateway', 'stop')
  return backUp(place)
}

/** A journal of some records that no gateway has made: fast, and enough to be copied. */
export async function givenJournal(stateDir: string, records: number): Promise<void> {
  const store = await openJournal(join(stateDir, 'journal'))
  await fill(store, records)
  await store.close()
}
