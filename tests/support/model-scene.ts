/**
 * What the suites of model providers share: a server that nobody here wrote, aimock, a provider that
 * asks it, what is printed meanwhile, and what a call fails with.
 */
import { LLMock } from '@copilotkit/aimock'
import { suite, type Test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type ModelCall,
  ModelFault,
  type ModelFaultClass,
  type ModelProvider,
} from '../../actors/models/provider.ts'
import { silentLog, systemChance, systemClock } from '../../actors/services.ts'

export interface ModelScene {
  mock: LLMock
  provider: ModelProvider
}

export const modelServices = { clock: systemClock, chance: systemChance, log: silentLog }

/** The signal of a call that nobody ends. */
export const never: AbortSignal = new AbortController().signal

const PRINTERS = ['log', 'info', 'warn', 'error'] as const

/** A suite with a server of its own for each case; what is printed is kept, and not shown. */
export function modelSuite(
  name: string,
  open: (url: string) => ModelProvider,
): { test: Test<ModelScene>; printed: readonly unknown[] } {
  const test = suite<ModelScene>(name)
  const printed: unknown[] = []
  const originals = PRINTERS.map((printer) => console[printer])
  test.before.each(async (scene) => {
    scene.mock = new LLMock({ port: 0, host: '127.0.0.1' })
    await scene.mock.start()
    scene.provider = open(scene.mock.url)
    for (const printer of PRINTERS) console[printer] = (...words) => printed.push(words)
  })
  test.after.each(async ({ mock }) => {
    for (const [index, printer] of PRINTERS.entries()) console[printer] = originals[index]!
    await mock.stop()
  })
  return { test, printed }
}

/** A call without tools, thinking or a bound. */
export function plainCall(model: string, text: string, system: string): ModelCall {
  const messages = [{ role: 'user', text }] as const
  return { model, system, messages, thinking: 'off', maxOutputTokens: null }
}

/** The fault of a call that fails in this class. */
export async function faultOf(
  attempt: Promise<unknown>,
  expected: ModelFaultClass,
): Promise<ModelFault> {
  const thrown = await attempt.then(
    (answer) => new Error(`answered ${JSON.stringify(answer)}`),
    (fault: unknown) => fault,
  )
  if (!(thrown instanceof ModelFault)) throw thrown
  assert.is(thrown.class, expected, thrown.message)
  return thrown
}
