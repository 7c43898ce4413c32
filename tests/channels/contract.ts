/**
 * What every channel adapter promises, as one suite that runs on each, against a server that is
 * started for it. `actors/channels/README.md` says why; the rules' numbers are those of there.
 */
import * as assert from 'uvu/assert'
import { Unreached } from '../../actors/channels/adapter.ts'
import { messageOf } from '../../protocol/errors.ts'
import { cases } from '../store/cases.ts'
import { faultOf, never } from '../support/attempts.ts'
import { until } from '../support/wait.ts'
import { SKIPPED } from './skipped.ts'
import {
  type ChannelKind,
  deliver,
  isFinal,
  onStage,
  refusalOf,
  resumeOf,
  type Stage,
  texts,
} from './stage.ts'

/** Adds the suite of one kind, and runs it. */
export function channelContract(kind: ChannelKind): void {
  const { name, badTargets, absent, links, noticesDrops, longText, join } = kind
  const test = cases(`channel contract: ${name}`)
  const skipped = SKIPPED[name]
  if (skipped === undefined) throw new Error(`${name} has no entry in skipped.ts`)
  const add = (title: string, run: (stage: Stage) => Promise<void>): void => {
    const [id = ''] = title.split(' ', 1)
    const reason = skipped[id]
    const why = reason === undefined ? null : `${name}: ${reason}`
    test.unless(why, title, () => onStage(kind, run))
  }

  add('CC0 what is skipped is what cannot be asked of it, and no more', async ({ world }) => {
    const lacking = [
      ['CC4', absent !== null],
      ['CC7', noticesDrops],
      ['CC9', world.freeze !== undefined],
      ['CC12', kind.redelivers],
      ['CC13', kind.redelivers],
      ['CC15', links],
      ['CC16', world.refuseOnce !== undefined],
      ['CC17', world.revoke !== undefined],
    ].filter(([, may]) => may === false)

    assert.equal(Object.keys(skipped).toSorted(), lacking.map(([id]) => String(id)).toSorted())
  })

  add('CC1 what a person writes is heard once, unchanged, under a stable id', async (stage) => {
    const { world, make } = stage
    const { adapter, told } = make()
    await adapter.open(never, null)

    await world.say('grüß dich 😀')
    await world.say('and again')
    await until(() => told.messages.length >= 2, 'two messages')

    assert.equal(texts(told), ['grüß dich 😀', 'and again'])
    for (const message of told.messages) {
      const { peer, senderId, mentioned } = message
      assert.equal([peer, senderId, mentioned], ['direct', world.person.senderId, true])
    }
    assert.is(new Set(told.messages.map(({ messageId }) => messageId)).size, 2)
  })

  add('CC2 a delivery that resolves was taken, and arrives as it is', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)
    await deliver(made, world.person.target, 'ü one')
    await deliver(made, world.person.target, 'two')

    await until(() => world.heard().length >= 2, 'two texts')
    assert.equal(world.heard(), ['ü one', 'two'])
  })

  add('CC3 what cannot be a target, and no text, is refused unsent', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)

    for (const target of badTargets) {
      const { sent, retryable } = await faultOf(deliver(made, target, 'x'))
      assert.equal([sent, retryable], ['no', false], target)
    }
    const empty = await faultOf(deliver(made, world.person.target, ' \n '))
    assert.equal([empty.sent, empty.retryable], ['no', false])
    assert.equal(world.heard(), [])
  })

  add('CC4 nobody of that name: not sent, no use in retrying', async ({ make }) => {
    const made = make()
    await made.adapter.open(never, null)

    const { sent, retryable } = await faultOf(deliver(made, absent ?? '', 'x'))

    assert.equal([sent, retryable], ['no', false])
  })

  add('CC5 a long text arrives whole, and no character is cut', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)

    await deliver(made, world.person.target, longText)

    await until(() => join(world.heard()).length >= longText.length, 'the whole text')
    assert.is(join(world.heard()), longText)
    for (const piece of world.heard()) assert.ok(piece.isWellFormed() && !piece.includes('\ufffd'))
  })

  add('CC6 two texts to one person come in order, and do not mix', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)

    const first = deliver(made, world.person.target, longText)
    const second = deliver(made, world.person.target, 'the end')
    await Promise.all([first, second])

    await until(() => world.heard().includes('the end'), 'the end')
    if (links) assert.is(world.heard().at(-1), 'the end')
    assert.is(join(world.heard().filter((text) => text !== 'the end')), longText)
  })

  add('CC7 a server that is gone is told once; nothing is sent', async (stage) => {
    const { world, make } = stage
    const made = make()
    await made.adapter.open(never, null)

    await world.stop()
    await until(() => made.told.dropped.length > 0, 'the end of the link')
    const fault = await faultOf(deliver(made, world.person.target, 'x'))
    await made.adapter.close()

    assert.equal([fault.sent, fault.retryable], ['no', true])
    assert.instance(fault, Unreached, 'no attempt is used up')
    assert.is(made.told.dropped.length, 1)
    assert.equal(made.told.finals, [false])
  })

  add('CC8 nobody there: not sent, and worth another try', async ({ world, make }) => {
    const made = make()
    if (!links) await made.adapter.open(never, null)
    await world.stop()
    if (links) await refusalOf(made.adapter.open(never, null))

    const { sent, retryable } = await faultOf(deliver(made, world.person.target, 'x'))

    assert.equal([sent, retryable], ['no', true])
    assert.equal(made.told.dropped, [])
  })

  add('CC10 the same adapter opens again, after a goodbye and after an end', async (stage) => {
    const { world, make } = stage
    const made = make()
    await made.adapter.open(never, null)
    await made.adapter.close()
    await made.adapter.open(never, null)
    await deliver(made, world.person.target, 'one')
    await world.stop()
    if (noticesDrops) await until(() => made.told.dropped.length > 0, 'the end of the link')
    await world.start()

    await until(async () => {
      const opened = await made.adapter.open(never, null).then(
        () => true,
        () => false,
      )
      return opened
    }, 'it opens again')
    await deliver(made, world.person.target, 'two')
    await world.say('still here?')
    await until(() => texts(made.told).includes('still here?'), 'the person')

    await until(() => world.heard().includes('two'), 'two')
    assert.is(made.told.dropped.length, noticesDrops ? 1 : 0)
  })

  add('CC11 messages are handed over one by one, in order', async ({ world, make }) => {
    let running = 0
    let most = 0
    const made = make(async ({ text }) => {
      running += 1
      most = Math.max(most, running)
      for (let turn = Number(text) % 3; turn >= 0; turn -= 1)
        await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    })
    await made.adapter.open(never, null)

    for (let n = 0; n < 9; n += 1) await world.say(String(n))
    await until(() => made.told.messages.length === 9, 'nine messages')

    assert.equal([texts(made.told).join(''), most], ['012345678', 1])
  })

  add('CC12 what could not be taken comes again', async ({ world, make }) => {
    let full = true
    let refused = 0
    const made = make(async () => {
      refused += full ? 1 : 0
      if (full) throw new Error('the disk is full')
    })
    await made.adapter.open(never, null)
    const said = world.say('do not lose me')
    await until(() => refused > 0, 'a try')
    const reopen = async (): Promise<boolean> => {
      if (made.told.dropped.length > 0) {
        await made.adapter.open(never, resumeOf(made.told)).catch(() => {})
      }
      return made.told.messages.length > 0
    }
    assert.equal(made.told.messages, [])

    full = false
    await until(reopen, 'the message')
    await said

    assert.equal(texts(made.told), ['do not lose me'])
  })

  add('CC13 what comes again has the same id and, behind it, goes on', async (stage) => {
    const { world, make } = stage
    const first = make(() => new Promise(() => {})) // It dies before anything is on disk.
    await first.adapter.open(never, null)
    void world.say('once')
    await until(() => first.told.signs > 0 || !links, 'a sign of life')
    await first.adapter.close()
    world.hangUp?.()
    const second = make()
    await second.adapter.open(never, resumeOf(first.told))
    await until(() => second.told.messages.length > 0, 'the message')
    const resume = resumeOf(second.told)
    await second.adapter.close()
    const third = make()
    await third.adapter.open(never, resume)
    await world.say('twice')
    await until(() => texts(third.told).includes('twice'), 'the next message')

    assert.is(texts(second.told)[0], 'once')
    const [again] = third.told.messages.filter(({ text }) => text === 'once')
    if (again !== undefined) {
      assert.is(again.messageId, second.told.messages[0]?.messageId)
    }
    if (resume !== null) assert.is(again, undefined, 'behind the cursor')
  })

  add('CC14 opening where nobody answers is refused, and tells no end', async ({ world, make }) => {
    const made = make()
    const aborted = AbortSignal.abort()
    if (links) {
      const refusal = await refusalOf(made.adapter.open(aborted, null))
      assert.instance(refusal, Error)
    }
    await world.stop()
    if (links) {
      const refusal = await refusalOf(made.adapter.open(never, null))
      assert.ok(!isFinal(refusal), messageOf(refusal))
    }

    assert.equal(made.told.dropped, [])
  })

  add('CC15 an open link gives signs of life', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)
    await world.say('hello')
    await until(() => made.told.signs > 0, 'a sign')
  })

  addFaults(add)
  test.run()
}

type Add = (title: string, run: (stage: Stage) => Promise<void>) => void

// What the other side does to us.
function addFaults(add: Add): void {
  add('CC9 a server that dies without an answer leaves maybe', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)

    const onItsWay = world.freeze?.()
    const delivered = faultOf(deliver(made, world.person.target, 'x'))
    await onItsWay
    await world.stop()
    const { sent, retryable } = await delivered

    assert.equal([sent, retryable], ['maybe', false])
  })

  add('CC16 a platform that asks for patience is given it', async ({ world, make }) => {
    const made = make()
    await made.adapter.open(never, null)

    world.refuseOnce?.()
    const fault = await faultOf(deliver(made, world.person.target, 'x'))
    await deliver(made, world.person.target, 'y')

    assert.equal([fault.sent, fault.retryable, fault.retryAfterMs], ['no', true, 2_000])
    assert.equal(world.heard(), ['y'])
  })

  add(
    'CC17 credentials that do not hold are told as final, and not shown',
    async ({ world, make }) => {
      const made = make()
      await world.revoke?.()

      const refusal = await refusalOf(made.adapter.open(never, null))

      assert.ok(isFinal(refusal), messageOf(refusal))
      assert.not.match(messageOf(refusal), /test-token|sesame/)
    },
  )
}
