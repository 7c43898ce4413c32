/** Signed heads: when they are made, that they extend one another, and what clients are told. */
import '../../actors/trap.ts'
import { statSync } from 'node:fs'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Heads } from '../../actors/heads.ts'
import { openJournalKey } from '../../actors/journal-key.ts'
import {
  formatVerifier,
  parseVerifier,
  verifyCheckpoint,
} from '../../protocol/history/checkpoint.ts'
import { isExtension, type Tree } from '../../protocol/history/merkle.ts'
import { limits } from '../../protocol/limits.ts'
import type { Store } from '../../store/contract.ts'
import { openMemory } from '../../store/memory.ts'
import { cases } from '../store/cases.ts'
import { draft, refusal } from '../store/contract.ts'
import { openFakeClock, settle } from '../support/clock.ts'
import type { Frame } from '../support/client.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway } from '../support/gateway.ts'
import { openTestServices } from '../support/services.ts'

const heads = cases('heads')

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let version = from; version < to; version += 1) await store.append(draft('run:a', version))
}

const headOf = ({ payload }: Frame): { size: number; root: string; checkpoint: string } =>
  payload['head'] as { size: number; root: string; checkpoint: string }

heads('the key is made once, for its owner only', async () => {
  await withDirectory(async (directory) => {
    const first = openJournalKey(directory)
    const second = openJournalKey(directory)
    const mode = (path: string): number => statSync(join(directory, path)).mode & 0o777

    assert.is(formatVerifier(first.verifier), formatVerifier(second.verifier))
    assert.equal([mode('keys'), mode('keys/journal.pem')], [0o700, 0o600])
    assert.equal(await readdir(join(directory, 'keys')), ['journal.pem'])
    const tree = { size: 3, root: new Uint8Array(32) }
    assert.is(verifyCheckpoint(first.sign(tree), second.verifier).size, 3)
  })
})

heads('a key that is none is refused, and never replaced', async () => {
  await withDirectory(async (directory) => {
    openJournalKey(directory)
    const path = join(directory, 'keys/journal.pem')
    await writeFile(path, 'no key')

    await refusal(() => openJournalKey(directory), 'PERMISSION')
    assert.is(await readFile(path, 'utf8'), 'no key')
    await chmod(path, 0o600)
  })
})

heads('heads are signed at the start, every 256 records, in time, and at the stop', async () => {
  await withDirectory(async (directory) => {
    const store = openMemory()
    const services = openTestServices()
    await fill(store, 0, 3)
    const signer = new Heads(store, () => openJournalKey(directory), services)
    const sizes = (): number[] => [...store.signedHeads()].map(({ position }) => position)

    signer.start()
    await settle()
    assert.equal(sizes(), [3])
    await fill(store, 3, limits.headEveryRecords + 2)
    signer.committed(limits.headEveryRecords + 2)
    await settle()
    assert.equal(sizes(), [3])
    await fill(store, limits.headEveryRecords + 2, limits.headEveryRecords + 3)
    signer.committed(limits.headEveryRecords + 3)
    await settle()
    assert.equal(sizes(), [3, 259])
    await fill(store, 259, 260)
    await services.clock.advance(limits.headIntervalMs)
    await services.clock.advance(limits.headIntervalMs)
    assert.equal(sizes(), [3, 259, 260])
    await fill(store, 260, 261)
    await signer.stop()
    assert.equal(sizes(), [3, 259, 260, 261])
    assert.equal(services.lines, [])

    const { verifier } = openJournalKey(directory)
    assert.equal(
      store.keys().map((key) => Buffer.from(key)),
      [Buffer.from(verifier.publicKey)],
    )
    let older: Tree = { size: 0, root: store.tree.root(0) }
    for (const { text } of store.signedHeads()) {
      const newer = verifyCheckpoint(text, verifier)
      assert.ok(isExtension(older, newer, store.tree.consistency(older.size, newer.size)))
      older = newer
    }
  })
})

heads('without a key, or with a store that refuses, heads are told and not signed', async () => {
  await withDirectory(async (directory) => {
    const memory = openMemory()
    await fill(memory, 0, 3)
    const services = openTestServices()
    const keyless = new Heads(
      memory,
      () => {
        throw new Error('no key today')
      },
      services,
    )
    const refused = { ...memory, putHead: () => Promise.reject(new Error('no room')) }
    const roomless = new Heads(refused, () => openJournalKey(directory), services)
    for (const signer of [keyless, roomless]) {
      signer.start()
      await settle()
      assert.equal([signer.current()!.size, signer.current()!.checkpoint], [3, null])
      await signer.stop()
    }

    assert.is(keyless.key, null)
    assert.is(memory.signedHead(), null)
    assert.equal(
      services.lines.map(({ phrase }) => phrase),
      ['no key to sign heads with', 'head not signed', 'head not signed'],
    )
  })
})

heads(
  'a key that takes the place of a lost one signs, and the log says that it is new',
  async () => {
    await withDirectory(async (directory) => {
      const store = openMemory()
      await fill(store, 0, 3)
      await store.putKey(Buffer.alloc(32, 1))
      const services = openTestServices()
      const signer = new Heads(store, () => openJournalKey(directory), services)
      signer.start()
      await settle()

      assert.equal(
        services.lines.map(({ level, phrase, fields }) => [level, phrase, fields['key']]),
        [['warn', 'heads will be signed by another key than before', signer.key]],
      )
      assert.is(store.keys().length, 2)
      assert.is(store.signedHead()!.position, 3)
      await signer.stop()
    })
  },
)

heads('W20 hello and tick carry a head that verifies and extends the former', async () => {
  const clock = openFakeClock()
  const house = await startTestGateway({ services: { clock } })
  const client = house.client()
  await settle()
  const hello = headOf(await client.connect({ subscribe: ['tick'] }))
  await client.request('subscribe', { events: ['tick', 'chat'] })
  await clock.advance(limits.tickIntervalMs)
  const tick = headOf(await client.event('tick'))

  const answer = await client.request('history.head', { since: hello.size })
  const verifier = parseVerifier(String(answer.payload['key']))
  const signed = verifyCheckpoint(hello.checkpoint, verifier)
  assert.ok(signed.size <= hello.size)
  assert.ok(hello.size < tick.size)
  const [older, newer] = [hello, tick].map(({ size, root }) => ({
    size,
    root: Buffer.from(root, 'base64'),
  }))
  const proof = house.store.tree.consistency(hello.size, tick.size)
  assert.ok(isExtension(older!, newer!, proof))

  await clock.advance(limits.headIntervalMs)
  const later = await client.request('history.head', { since: signed.size })
  const next = verifyCheckpoint(String(later.payload['checkpoint']), verifier)
  const told = (later.payload['consistency'] as string[]).map((text) => Buffer.from(text, 'base64'))
  assert.ok(next.size > signed.size)
  assert.ok(isExtension(signed, next, told))
  const beyond = await client.request('history.head', { since: 1_000_000 })
  assert.is(beyond.ok, true)
  assert.is(beyond.payload['consistency'], undefined)
  const bad = await client.request('history.head', { since: -1 })
  assert.is(bad.error?.code, 'INVALID_REQUEST')
  const stopped = house.stop()
  await clock.advance(5_000)
  await stopped
})

heads.run()
