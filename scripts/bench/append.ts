/**
 * Durable appends by 100 writers through the store, against a bare LMDB loop in the same run.
 *
 * The bare loop puts values of the size that our records have, under rising numbers, with the same
 * environment options. Ours packs the record, chains and checksums it, and checks every result.
 */
import { open } from 'lmdb'
import { join } from 'node:path'
import { pack } from '../../protocol/codec.ts'
import { formatRecord } from '../../protocol/record.ts'
import { openLmdb } from '../../store/lmdb/open.ts'
import { inTempDirectory, measureInTurn, median, report, seconds } from './support.ts'

const WRITERS = 100
const RECORDS = 10_000
const ROUNDS = 9

await inTempDirectory(async (directory) => {
  const bare = open({
    path: join(directory, 'bare.mdb'),
    encoding: 'binary',
    overlappingSync: false,
  })
  const store = await openLmdb({ directory: join(directory, 'journal'), verify: false })
  const value = Buffer.alloc(38 + pack([1, 1, ...sampleFields()]).length, 7)
  let key = 0
  type Put = (key: number, value: Buffer, options: { noOverwrite: true }) => Promise<boolean>
  const barePut = bare.put.bind(bare) as unknown as Put
  const versions = new Map<string, number>()

  const put = async () => {
    key += 1
    await barePut(key, value, { noOverwrite: true })
  }
  const append = async (writer: number) => {
    const stream = `session:bench-${writer}`
    const expectedVersion = versions.get(stream) ?? 0
    const { version } = await store.append({ stream, expectedVersion, fields: sampleFields() })
    versions.set(stream, version)
  }

  const rates = await measureInTurn(ROUNDS, {
    bare: async () => RECORDS / (await seconds(() => load(put))),
    store: async () => RECORDS / (await seconds(() => load(append))),
  })
  const limit = median(rates['bare'] ?? [])
  const ours = median(rates['store'] ?? [])
  report({
    name: 'durable append, 100 writers',
    measured: `${Math.round(ours)}/s of ${Math.round(limit)}/s bare`,
    ratio: ours / limit,
    target: '≥ 0.8',
    met: ours / limit >= 0.8,
  })
  await store.close()
  await bare.close()
})

function load(run: (writer: number) => Promise<void>): Promise<unknown> {
  return Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 0; n < RECORDS / WRITERS; n += 1) await run(writer)
    }),
  )
}

function sampleFields(): unknown[] {
  return formatRecord({
    kind: 'event',
    event: {
      type: 'message.accepted',
      runId: 'a1b2c3',
      ref: 'b:0123456789abcdef0123',
      channel: 'irc',
    },
    cause: 'req:5f0c2c9e:agent#12',
    correlationId: '0123456789abcdef0123456789abcdef',
    at: 1_800_000_000_000,
    epoch: 7,
    code: '0123456789abcdef',
    ignored: null,
    value: 'running',
    stateHash: '0123456789abcdef',
    effects: [],
    sends: [{ to: 'run:a1b2c3', event: { type: 'run.requested', runId: 'a1b2c3' } }],
    armed: [],
    cancelled: [],
  })
}
