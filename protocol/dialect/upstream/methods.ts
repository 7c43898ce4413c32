/**
 * Upstream's methods that this gateway has: for each its parameters, scope and roles. One table, so
 * that what `hello-ok` promises is what is served.
 */
import type { Infer, Struct } from 'superstruct'
import { GatewayError } from '../../errors.ts'
import { quote } from '../../ids.ts'
import type { UpstreamMethod } from './method.ts'
import { approvalMethods } from './methods/approvals.ts'
import { channelMethods } from './methods/channels.ts'
import { chatMethods } from './methods/chat.ts'
import { configMethods } from './methods/config.ts'
import { cronMethods } from './methods/cron.ts'
import { deviceMethods } from './methods/devices.ts'
import { houseMethods } from './methods/house.ts'
import { nodeMethods } from './methods/nodes.ts'
import { sessionMethods } from './methods/sessions.ts'
import { toolMethods } from './methods/tools.ts'
import { usageMethods } from './methods/usage.ts'
import { checkParams } from './params.ts'

export const upstreamMethods = {
  ...houseMethods,
  ...chatMethods,
  ...sessionMethods,
  ...configMethods,
  ...deviceMethods,
  ...nodeMethods,
  ...approvalMethods,
  ...cronMethods,
  ...usageMethods,
  ...channelMethods,
  ...toolMethods,
} as const satisfies Record<string, UpstreamMethod>

export type UpstreamMethodName = keyof typeof upstreamMethods
export type UpstreamParams<M extends UpstreamMethodName> = Infer<
  (typeof upstreamMethods)[M]['params']
>

const KNOWN: ReadonlySet<string> = new Set(Object.keys(upstreamMethods))

/** Their names, for `features.methods`. */
export const UPSTREAM_METHOD_NAMES = [...KNOWN] as UpstreamMethodName[]

/** A request whose parameters have their shape. */
export interface UpstreamCommand {
  readonly method: UpstreamMethodName
  readonly params: unknown // of the method's struct
}

/**
 * Checks a request.
 * @throws {GatewayError} UNKNOWN_METHOD, INVALID_REQUEST with details.path
 */
export function parseUpstreamCommand(method: string, params: unknown): UpstreamCommand {
  const name = knownMethod(method)
  const struct = upstreamMethods[name].params as unknown as Struct
  return { method: name, params: checkParams(method, struct, params) }
}

/** @throws {GatewayError} UNKNOWN_METHOD */
export function knownMethod(method: string): UpstreamMethodName {
  if (KNOWN.has(method)) return method as UpstreamMethodName
  throw new GatewayError('UNKNOWN_METHOD', `unknown method: ${quote(method).slice(1, -1)}`)
}
