/**
 * Tests of a table of upstream's methods: each once well, and once refused for every reason there
 * is. The table has a row for every method of its group, or it does not compile.
 */
import * as assert from 'uvu/assert'
import { allows, SCOPES } from '../../protocol/auth/scopes.ts'
import type { UpstreamMethod } from '../../protocol/dialect/upstream/method.ts'
import { cases } from '../store/cases.ts'
import type { Frame } from './client.ts'
import { inUpstream, NODE, type UpstreamClient, type UpstreamWorld } from './upstream-client.ts'

/** How one method is tried. */
export interface MethodCase {
  /** Calls it, as one who may do all, and looks at what it says. */
  readonly well: (boss: UpstreamClient, world: UpstreamWorld) => Promise<unknown>
  /** Parameters that it refuses; null: it takes anything. */
  readonly bad: Readonly<Record<string, unknown>> | null
}

/** Runs the tests of a group. */
export function runMethods<M extends Record<string, UpstreamMethod>>(
  name: string,
  methods: M,
  table: Readonly<Record<keyof M & string, MethodCase>>,
): void {
  const group = cases(`upstream ${name}`)
  for (const [method, { well }] of Object.entries<MethodCase>(table)) {
    group(`UM1 ${method} does what it is for, and answers as published`, () =>
      inUpstream(async (world) => {
        await well(await world.enter(), world)
      }),
    )
  }
  group(`UM2 each method of ${name} is refused to who may not call it`, () =>
    inUpstream(async ({ enter }) => {
      const node = await enter(NODE)
      for (const [method, { scope, roles }] of Object.entries<UpstreamMethod>(methods)) {
        if (!roles.includes('node')) {
          const { error } = await node.ask(method)
          assert.is(error?.message, 'unauthorized role: node', method)
        }
        if (scope === null) continue
        const others = SCOPES.filter((held) => !allows([held], scope))
        const bare = await enter({ scopes: others })
        const { error } = await bare.ask(method)
        assert.equal(
          [error?.code, error?.message],
          ['FORBIDDEN', `missing scope: ${scope}`],
          method,
        )
        await bare.close()
      }
    }),
  )
  group(
    `UM3 each method of ${name} refuses what are no parameters of it, and changes nothing`,
    () =>
      inUpstream(async ({ enter, store }) => {
        const boss = await enter()
        await boss.get('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'first' })
        await boss.event('chat', ({ state }) => state === 'final')
        await boss.get('sessions.list')
        const before = store.head().position
        for (const [method, { bad }] of Object.entries<MethodCase>(table)) {
          if (bad !== null) assertInvalid(method, await boss.ask(method, bad))
        }
        assert.is(store.head().position, before)
      }),
  )
  group.run()
}

function assertInvalid(method: string, { error }: Frame): void {
  assert.is(error?.code, 'INVALID_REQUEST', `${method}: ${JSON.stringify(error)}`)
  assert.ok(error?.message.startsWith(`invalid ${method} params: `), error?.message)
}

/** Says something and waits for its answer; resolves with the answer to the request. */
export async function say(boss: UpstreamClient, key: string, sessionKey = 'main') {
  const params = { sessionKey, message: `say ${key}`, idempotencyKey: key }
  const payload = await boss.get('chat.send', params)
  await boss.event('chat', ({ runId, state }) => runId === key && state === 'final')
  return payload
}
