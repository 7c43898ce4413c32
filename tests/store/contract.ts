/**
 * The contract suite: what every store must do, whatever lies beneath it.
 *
 * Each backend's test file hands in how it opens an empty store; the cases know nothing else.
 */
import * as assert from 'uvu/assert'
import { bodyRef } from '../../protocol/codec.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from './cases.ts'
import type { Cases } from './cases.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { AppendDraft, BodyDraft, Store } from '../../store/contract.ts'

/** Makes a draft with small fields. */
export function draft(stream: string, expectedVersion: number, fact: unknown = 'x'): AppendDraft {
  return { stream, expectedVersion, fields: [0, 'test.happened', { fact }] }
}

/** Makes a body with its ref; `salt` fills the salt. */
export function body(text: string, salt = 7): BodyDraft {
  const salted = new Uint8Array(16).fill(salt)
  const bytes = Buffer.from(text)
  return { ref: bodyRef(salted, bytes), salt: salted, bytes }
}

/** Runs something that must be refused with a code; returns the details of the refusal. */
export async function refusal(
  run: () => unknown,
  code: ErrorCode,
  what: string = code,
): Promise<Readonly<Record<string, unknown>>> {
  const fault = await faultOf(run, what)
  assert.is(fault.code, code, `${what}: ${fault.message}`)
  return fault.details
}

/** Runs something that must be refused; returns the refusal whole. */
export async function faultOf(run: () => unknown, what = 'a refusal'): Promise<GatewayError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
  throw new Error(`${what}: nothing was thrown`)
}

/** What is answered, or that it is pruned; anything else is a fault. */
export function answerOf<T>(ask: () => T): T | 'pruned' {
  try {
    return ask()
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'HISTORY_PRUNED') return 'pruned'
    throw error
  }
}

/**
 * Builds the suite for a backend; `open` gives an empty store that the case closes, `more` adds
 * cases that have a file of their own.
 */
export function storeContract(
  name: string,
  open: () => Promise<Store>,
  more: (promise: Add) => void,
): Cases {
  const test = cases(name)
  const promise = (title: string, run: (store: Store) => Promise<void>): void => {
    test(title, async () => {
      const store = await open()
      try {
        await run(store)
      } finally {
        await store.close()
      }
    })
  }
  appendCases(promise)
  readCases(promise)
  foldCases(promise)
  compactCases(promise)
  more(promise)
  return test
}

/** Adds a case that is handed an empty store. */
export type Add = (title: string, run: (store: Store) => Promise<void>) => void

function appendCases(promise: Add): void {
  promise('S1 an append answers where its record stands', async (store) => {
    const first = await store.append(draft('run:a', 0))
    const second = await store.append(draft('run:a', 1))

    assert.equal(first, { position: 1, version: 1 })
    assert.equal(second, { position: 2, version: 2 })
    assert.is(store.head().position, 2)
  })

  promise('S2 positions and versions are dense over many streams', async (store) => {
    const drafts = Array.from({ length: 60 }, (_, i) => draft(`run:${i % 7}`, Math.floor(i / 7)))
    const appended = await Promise.all(drafts.map((each) => store.append(each)))

    assert.equal(
      appended.map(({ position }) => position),
      drafts.map((_, i) => i + 1),
    )
    assert.equal(
      appended.map(({ version }) => version),
      drafts.map((_, i) => Math.floor(i / 7) + 1),
    )
  })

  promise('S3 a stale append writes nothing and throws VERSION_CONFLICT', async (store) => {
    await store.append(draft('run:a', 0))

    for (const expectedVersion of [0, 2]) {
      const details = await refusal(
        () => store.append({ ...draft('run:a', expectedVersion), bodies: [body('lost')] }),
        'VERSION_CONFLICT',
      )
      assert.is(details['version'], 1)
    }

    assert.is(store.head().position, 1)
    assert.is(store.version('run:a'), 1)
    assert.is(store.body(body('lost').ref), null)
  })

  promise('S3 of two appends at one version in one turn the first wins', async (store) => {
    const outcomes = await Promise.allSettled([
      store.append(draft('run:a', 0, 'first')),
      store.append(draft('run:a', 0, 'second')),
      store.append(draft('run:a', 1, 'third')),
    ])

    assert.equal(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.equal(
      [...store.stream('run:a')].map(({ fields }) => fields[2]),
      [{ fact: 'first' }, { fact: 'third' }],
    )
  })

  promise('S3 F52 unacceptable drafts are refused with APPEND_REJECTED', async (store) => {
    const salt = new Uint8Array(16)
    const large = new Uint8Array(limits.bodyBytesMax + 1)
    const bad: AppendDraft[] = [
      draft('', 0),
      draft('run:\n', 0),
      draft('run:\ud800', 0),
      draft(`run:${'x'.repeat(limits.streamNameBytesMax)}`, 0),
      draft('run:a', -1),
      draft('run:a', 0.5),
      draft('run:a', 0, 'x'.repeat(limits.recordBytesMax)),
      draft('run:a', 0, Symbol('no')),
      { ...draft('run:a', 0), bodies: [{ ref: '', salt, bytes: salt }] },
      { ...draft('run:a', 0), bodies: [{ ref: 'b:1', salt: new Uint8Array(3), bytes: salt }] },
      { ...draft('run:a', 0), bodies: [{ ref: 'b:1', salt, bytes: large }] },
      { ...draft('run:a', 0), bodies: Array.from({ length: 500 }, (_, i) => body(`${i}`)) },
    ]
    for (const each of bad) await refusal(() => store.append(each), 'APPEND_REJECTED')

    assert.is(store.head().position, 0)
    assert.equal(await store.append(draft('run:a', 0)), { position: 1, version: 1 })
  })

  promise('S4 bodies are there once their record is', async (store) => {
    const bodies = [body('one'), body('two'), body('')]
    await store.append({ ...draft('run:a', 0), bodies })
    await store.append({ ...draft('run:a', 1), bodies: [body('one')] })

    assert.equal(Buffer.from(store.body(bodies[0]!.ref)!).toString(), 'one')
    assert.equal(Buffer.from(store.body(bodies[1]!.ref)!).toString(), 'two')
    assert.is(store.body(bodies[2]!.ref)!.length, 0)
    assert.is(store.body('b:00000000000000000000'), null)
    const salted = store.salted(bodies[0]!.ref)!
    assert.is(bodyRef(salted.salt, salted.bytes), bodies[0]!.ref)
    assert.is(store.salted('b:00000000000000000000'), null)
    assert.is(store.stats().bodies, 3)
  })

  promise('S5 a closed store refuses appends', async (store) => {
    await store.close()

    await refusal(() => store.append(draft('run:a', 0)), 'STORE_FAILED')
    await refusal(() => store.putCheckpoint('open', 1, Buffer.of(1)), 'STORE_FAILED')
  })

  promise('S7 appends are committed in the order of the calls', async (store) => {
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const { position } = await store.append(draft(`run:${i}`, 0, i))
        order.push(position)
      }),
    )

    assert.equal(
      order,
      order.map((_, i) => i + 1),
    )
    assert.equal(
      [...store.range(1)].map(({ stream }) => stream),
      order.map((_, i) => `run:${i}`),
    )
  })
}

function readCases(promise: Add): void {
  promise('S6 fields come back as they were written', async (store) => {
    const fields = [1, 'a.b', { n: 1.5, t: 'é\u0000🙂', deep: [null, true, [-1, 2 ** 40]] }, []]
    await store.append({ stream: 'session:agent:main:é', expectedVersion: 0, fields })

    const record = store.read(1)!
    assert.equal(record.fields, fields)
    assert.is(record.stream, 'session:agent:main:é')
    assert.is(record.version, 1)
  })

  promise('S6 each record holds the hash of the one before it', async (store) => {
    for (let i = 0; i < 5; i += 1) await store.append(draft('run:a', i))

    let previous = Buffer.alloc(32)
    for (const record of store.range(1)) {
      assert.equal(Buffer.from(record.previousHash), previous)
      previous = Buffer.from(record.hash)
    }
    assert.equal(Buffer.from(store.head().hash), previous)
  })

  promise('an empty store has nothing at any place', async (store) => {
    assert.is(store.head().position, 0)
    assert.equal(Buffer.from(store.head().hash), Buffer.alloc(32))
    assert.equal([...store.range(1)], [])
    assert.equal([...store.stream('run:a')], [])
    assert.is(store.read(1), null)
    assert.is(store.version('run:a'), 0)
    assert.is(store.positionOf('run:a', 1), null)
    assert.is(store.snapshot('run:a'), null)
    assert.is(store.checkpoint('open'), null)
  })

  promise('ranges and streams keep to their bounds', async (store) => {
    for (let i = 0; i < 10; i += 1) await store.append(draft(`run:${i % 2}`, Math.floor(i / 2)))
    const positions = (from: number, to?: number): number[] =>
      [...store.range(from, to)].map(({ position }) => position)

    assert.equal(positions(9), [9, 10])
    assert.equal(positions(0, 2), [1, 2])
    assert.equal(positions(4, 4), [4])
    assert.equal(positions(5, 4), [])
    assert.equal(positions(10, 99), [10])
    assert.equal(
      [...store.stream('run:1', 4)].map(({ position, version }) => [position, version]),
      [
        [8, 4],
        [10, 5],
      ],
    )
    assert.equal([...store.stream('run:1', 6)], [])
    assert.is(store.positionOf('run:0', 3), 5)
    assert.is(store.positionOf('run:0', 6), null)
    assert.is(store.positionOf('run:0', 0), null)
    for (const position of [0, -1, 1.5, 11, NaN]) assert.is(store.read(position), null)
  })

  promise(
    'the version of a stream at any position is found, and all streams are',
    async (store) => {
      for (let i = 0; i < 10; i += 1) await store.append(draft(`run:${i % 3}`, Math.floor(i / 3)))

      assert.equal([...store.streams()], ['run:0', 'run:1', 'run:2'])
      assert.equal(
        [0, 1, 3, 4, 9, 10, 99].map((position) => store.versionAt('run:0', position)),
        [0, 1, 1, 2, 3, 4, 4],
      )
      assert.is(store.versionAt('run:2', 2), 0)
      assert.is(store.versionAt('run:9', 5), 0)
    },
  )

  promise('streams of one kind are found, in the order of their first records', async (store) => {
    const names = ['node:z', 'nodes:a', 'node', 'run:1', 'node:é', 'node:a', 'node:b:c']
    for (const name of names) await store.append(draft(name, 0))

    assert.equal([...store.streams('node')], ['node:z', 'node:é', 'node:a', 'node:b:c'])
    assert.equal([...store.streams('nobody')], [])
    await store.append(draft('node:later', 0))
    assert.is([...store.streams('node')].at(-1), 'node:later')
  })

  promise('an iterator may be left and others go on', async (store) => {
    for (let i = 0; i < 6; i += 1) await store.append(draft('run:a', i))
    const seen: number[] = []
    for (const { version } of store.stream('run:a')) {
      if (version === 3) break
      await store.append(draft('run:b', version - 1))
      seen.push(version, ...[...store.range(1, 2)].map(({ position }) => position))
    }

    assert.equal(seen, [1, 1, 2, 2, 1, 2])
    assert.is(store.head().position, 8)
  })
}

function foldCases(promise: Add): void {
  promise('the newest snapshot at or below a version is served', async (store) => {
    for (let i = 0; i < 9; i += 1) await store.append(draft('run:a', i))
    await store.putSnapshot('run:a', 3, Buffer.from('three'))
    await store.putSnapshot('run:a', 8, Buffer.from('eight'))

    const version = (at?: number): number => store.snapshot('run:a', at)?.version ?? 0
    assert.equal([version(), version(8), version(7), version(3), version(2)], [8, 8, 3, 3, 0])
    assert.is(Buffer.from(store.snapshot('run:a', 5)!.bytes).toString(), 'three')
    assert.is(store.stats().snapshots, 2)
  })

  promise('snapshots and checkpoints ahead of the journal are refused', async (store) => {
    await store.append(draft('run:a', 0))

    await refusal(() => store.putSnapshot('run:a', 2, Buffer.of(1)), 'APPEND_REJECTED')
    await refusal(() => store.putSnapshot('run:b', 1, Buffer.of(1)), 'APPEND_REJECTED')
    await refusal(() => store.putCheckpoint('open', 2, Buffer.of(1)), 'APPEND_REJECTED')
    await refusal(() => store.putCheckpoint('', 1, Buffer.of(1)), 'APPEND_REJECTED')
    const large = new Uint8Array(limits.bodyBytesMax + 1)
    await refusal(() => store.putSnapshot('run:a', 1, large), 'APPEND_REJECTED')
  })

  promise('the newest checkpoint of a name is served', async (store) => {
    for (let i = 0; i < 5; i += 1) await store.append(draft('run:a', i))
    for (const at of [1, 2, 4, 5]) await store.putCheckpoint('open', at, Buffer.of(at))
    await store.putCheckpoint('other', 3, Buffer.of(30))

    assert.is(store.checkpoint('open')!.position, 5)
    assert.equal(Buffer.from(store.checkpoint('open')!.bytes), Buffer.of(5))
    assert.is(store.checkpoint('other')!.position, 3)
    assert.is(store.checkpoint('ope'), null)
  })
}

function compactCases(promise: Add): void {
  promise('compaction takes what lies below the newest snapshot, and no more', async (store) => {
    for (let i = 0; i < 20; i += 1) await store.append(draft(`run:${i % 2}`, Math.floor(i / 2)))
    await store.putSnapshot('run:0', 4, Buffer.from('four'))
    await store.putSnapshot('run:0', 8, Buffer.from('eight'))

    assert.equal(await store.compact('run:0', 7), { removed: 3 })
    assert.equal(await store.compact('run:0', 7), { removed: 0 })
    assert.equal(await store.compact('run:1', 9), { removed: 0 })
    assert.equal(await store.compact('run:9', 9), { removed: 0 })

    assert.equal(await refusal(() => [...store.stream('run:0', 2)], 'HISTORY_PRUNED'), {
      pruned: true,
      from: 1,
      to: 3,
    })
    assert.equal(
      [...store.stream('run:0', 4)].map(({ version }) => version),
      [4, 5, 6, 7, 8, 9, 10],
    )
    assert.is(store.read(1), null)
    assert.is(store.read(3), null)
    assert.is(store.read(7)!.version, 4)
    assert.is(store.link(3)!.pruned, true)
    assert.equal([store.link(3)!.stream, store.link(3)!.version], ['run:0', 2])
    assert.equal(store.link(2)!.previousHash, store.link(1)!.hash)
    assert.is(store.link(2)!.pruned, false)
    assert.is(store.link(21), null)
    assert.is(store.versionAt('run:0', 6), 3)
    assert.equal([...store.range(1, 8)].length, 5)
    assert.is(store.version('run:0'), 10)
    assert.is(store.positionOf('run:0', 1), 1)
    assert.equal(await store.compact('run:0', 8), { removed: 4 })
    assert.equal(await store.append(draft('run:0', 10)), { position: 21, version: 11 })
  })

  promise('S14 a tombstone carries what is to be kept of its record', async (store) => {
    for (let i = 0; i < 4; i += 1) {
      await store.append({ ...draft('run:a', i, `fact ${i}`), bodies: [body(`text ${i}`)] })
    }
    const before = store.tree.head()
    await store.putSnapshot('run:a', 2, Buffer.from('two'))
    await store.compact('run:a', 2)
    await store.putSnapshot('run:a', 4, Buffer.from('four'))
    await store.compact('run:a', 4, ({ position, fields }) => [position, fields[2]])

    const kept = [1, 2, 3, 4].map((position) => store.link(position)!.kept)
    assert.equal(kept, [[], [2, { fact: 'fact 1' }], [3, { fact: 'fact 2' }], []])
    assert.equal(store.tree.head(), before)
    const refs = [0, 1, 2, 3].map((i) => body(`text ${i}`).ref)
    assert.equal([...store.refs()].toSorted(), refs.toSorted())
  })
}
