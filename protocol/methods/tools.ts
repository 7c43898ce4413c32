/** Methods about tools: which there are, and those that a client offers while it is connected. */
import {
  any,
  array,
  boolean,
  integer,
  max,
  min,
  object,
  optional,
  record,
  size,
  string,
} from 'superstruct'
import { limits } from '../limits.ts'
import { CLIENT, id, idempotencyKey, sessionKey } from './params.ts'

const toolName = () => size(string(), 1, limits.toolNameCharsMax)
const offers = { scope: 'operator.admin', roles: CLIENT, writes: false } as const

export const toolMethods = {
  'tools.list': {
    params: object({ sessionKey: optional(sessionKey()) }),
    scope: 'operator.read',
    roles: CLIENT,
    writes: false,
  },
  'tools.invoke': {
    params: object({
      name: toolName(),
      arguments: optional(record(string(), any())),
      sessionKey: optional(sessionKey()),
      ask: optional(boolean()), // whether a person may be asked; default true
      idempotencyKey: optional(idempotencyKey()),
    }),
    scope: 'operator.write',
    roles: CLIENT,
    writes: true,
  },
  'tools.register': {
    params: object({
      tools: size(
        array(
          object({
            name: toolName(),
            description: optional(size(string(), 0, limits.toolTextCharsMax)),
            parameters: optional(record(string(), any())),
            timeoutMs: optional(max(min(integer(), 1), limits.nodeCallMsMax)),
          }),
        ),
        1,
        limits.toolsMax,
      ),
    }),
    ...offers,
  },
  'tools.unregister': {
    params: object({ names: size(array(toolName()), 1, limits.toolsMax) }),
    ...offers,
  },
  'tools.result': {
    params: object({
      callId: id(),
      text: size(string(), 0, limits.bodyBytesMax),
      isError: optional(boolean()),
    }),
    ...offers,
  },
} as const
