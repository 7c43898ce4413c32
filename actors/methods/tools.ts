/** `tools.*`: which tools there are and may run, and those that a client offers. Step 4 of 8. */
import { streamName } from '../../protocol/ids.ts'
import { canonicalSessionKey } from '../../protocol/session-key.ts'
import { placeOf } from '../calls.ts'
import type { Handler } from './house.ts'

/** Lists every tool and what becomes of it in a session: `{ sessionKey, tools, sources }`. */
export const toolsList: Handler<'tools.list'> = (house, params) => {
  const sessionKey = canonicalSessionKey(params.sessionKey)
  const place = placeOf(sessionKey)
  const tools = house.tools.list().map((tool) => {
    const { name, description, parameters, source } = tool
    const { verdict, rule, fault } = house.calls.standing(tool, place)
    const runs = verdict !== 'deny' && fault === null
    return { name, description, source, verdict, rule, runs, reason: fault, parameters }
  })
  return { sessionKey, tools, sources: house.tools.faults() }
}

/** Calls a tool as this client's own wish; answers when its fate is known, as `Invoked`. */
export const toolsInvoke: Handler<'tools.invoke'> = (house, params, origin) => {
  const { name, arguments: args = {}, ask: asks = true, idempotencyKey: key = null } = params
  const sessionKey = canonicalSessionKey(params.sessionKey)
  const owner = origin.caller.admission.deviceId
  const { cause, correlationId } = origin
  const wish = { name, args, sessionKey, asks, owner, key }
  return house.invocations.invoke(wish, house.idempotency, { cause, correlationId })
}

/** Offers tools while this connection lasts; `{ registered }`, their names. */
export const toolsRegister: Handler<'tools.register'> = (house, { tools }, { caller }) => ({
  registered: house.offers.register(streamName(caller.stream), tools),
})

/** Takes them back; `{ unregistered }`, those names that it had. */
export const toolsUnregister: Handler<'tools.unregister'> = (house, { names }, { caller }) => ({
  unregistered: house.offers.unregister(streamName(caller.stream), names),
})

/** Answers a call of an offered tool; `{ taken }`: false where nothing waits for it. */
export const toolsResult: Handler<'tools.result'> = (house, params, { caller }) => {
  const { callId, text, isError = false } = params
  return { taken: house.offers.answered(streamName(caller.stream), callId, { text, isError }) }
}
