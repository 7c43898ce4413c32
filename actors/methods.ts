/** Leads each command to its handler; a method without one does not compile. Step 4 of 8. */
import { GatewayError } from '../protocol/errors.ts'
import type { Command } from '../protocol/command.ts'
import type { Origin } from './caller.ts'
import { agent, agentAbort } from './methods/agent.ts'
import {
  channelPairingApprove,
  channelPairingList,
  channelPairingReject,
} from './methods/channel-pairing.ts'
import {
  historyPrompt,
  historyRead,
  historySubscribe,
  stateDiff,
  stateOf,
  whyExplain,
} from './methods/history.ts'
import { historyErase, historyHead } from './methods/proof.ts'
import type { MethodHouse } from './methods/house.ts'
import { configApply, configGet, configPatch, configSchema } from './methods/config.ts'
import { gatewayRelease } from './methods/gateway.ts'
import { health } from './methods/health.ts'
import { agentWait, sessionsHistory, sessionsList, subscribe } from './methods/read.ts'
import {
  sessionsAbort,
  sessionsCompact,
  sessionsCreate,
  sessionsDelete,
  sessionsInject,
  sessionsPatch,
  sessionsReset,
} from './methods/sessions.ts'
import {
  deviceList,
  deviceRename,
  deviceRevoke,
  deviceRotate,
  pairingApprove,
  pairingList,
  pairingReject,
  pairingSetup,
} from './methods/pairing.ts'
import {
  approvalCancel,
  approvalList,
  approvalRequest,
  approvalResolve,
  approvalWait,
} from './methods/approvals.ts'
import { cronAdd, cronList, cronRemove, cronRun, cronRuns, cronUpdate } from './methods/cron.ts'
import {
  nodeApprove,
  nodeInvoke,
  nodeList,
  nodeReject,
  nodeRemove,
  nodeRename,
  nodeResult,
} from './methods/nodes.ts'
import {
  deliveriesDismiss,
  deliveriesList,
  deliveriesResolve,
  deliveriesResubmit,
} from './methods/deliveries.ts'
import { approvalsGrants, approvalsRevoke } from './methods/grants.ts'
import { send } from './methods/send.ts'
import {
  toolsInvoke,
  toolsList,
  toolsRegister,
  toolsResult,
  toolsUnregister,
} from './methods/tools.ts'

/** Handles a command that is checked and permitted; resolves with the answer's payload. */
export function handleCommand(house: MethodHouse, command: Command, origin: Origin): unknown {
  if (isOf(command, 'approval')) return handleApprovals(house, command, origin)
  if (isOf(command, 'approvals')) return handleGrants(house, command, origin)
  if (isOf(command, 'deliveries')) return handleDeliveries(house, command, origin)
  if (isOf(command, 'cron')) return handleCron(house, command, origin)
  if (isOf(command, 'node')) return handleNodes(house, command, origin)
  if (isOf(command, 'tools')) return handleTools(house, command, origin)
  if (isOf(command, 'sessions')) return handleSessions(house, command, origin)
  switch (command.method) {
    case 'health':
      return health(house, command.params, origin)
    case 'send':
      return send(house, command.params, origin)
    case 'agent':
      return agent(house, command.params, origin)
    case 'agent.abort':
      return agentAbort(house, command.params, origin)
    case 'subscribe':
      return subscribe(house, command.params, origin)
    case 'history.read':
      return historyRead(house, command.params, origin)
    case 'history.subscribe':
      return historySubscribe(house, command.params, origin)
    case 'history.prompt':
      return historyPrompt(house, command.params, origin)
    case 'state.at':
      return stateOf(house, command.params, origin)
    case 'state.diff':
      return stateDiff(house, command.params, origin)
    case 'why.explain':
      return whyExplain(house, command.params, origin)
    case 'history.head':
      return historyHead(house, command.params, origin)
    case 'history.erase':
      return historyErase(house, command.params, origin)
    case 'gateway.release':
      return gatewayRelease(house, command.params, origin)
    case 'config.schema':
      return configSchema(house, command.params, origin)
    case 'config.apply':
      return configApply(house, command.params, origin)
    case 'config.patch':
      return configPatch(house, command.params, origin)
    case 'config.get':
      return configGet(house, command.params, origin)
    case 'connect':
      throw new GatewayError('INVALID_REQUEST', 'connect: this connection is already connected')
    case 'agent.wait':
      return agentWait(house, command.params, origin)
    default:
      return handlePairing(house, command, origin)
  }
}

type Family<P extends string> = Extract<Command, { method: `${P}.${string}` }>

function isOf<P extends string>(command: Command, family: P): command is Family<P> {
  return command.method.startsWith(`${family}.`)
}

function handleSessions(house: MethodHouse, command: Family<'sessions'>, origin: Origin): unknown {
  switch (command.method) {
    case 'sessions.list':
      return sessionsList(house, command.params, origin)
    case 'sessions.history':
      return sessionsHistory(house, command.params, origin)
    case 'sessions.create':
      return sessionsCreate(house, command.params, origin)
    case 'sessions.patch':
      return sessionsPatch(house, command.params, origin)
    case 'sessions.abort':
      return sessionsAbort(house, command.params, origin)
    case 'sessions.reset':
      return sessionsReset(house, command.params, origin)
    case 'sessions.delete':
      return sessionsDelete(house, command.params, origin)
    case 'sessions.inject':
      return sessionsInject(house, command.params, origin)
    case 'sessions.compact':
      return sessionsCompact(house, command.params, origin)
  }
}

function handleApprovals(house: MethodHouse, command: Family<'approval'>, origin: Origin): unknown {
  switch (command.method) {
    case 'approval.request':
      return approvalRequest(house, command.params, origin)
    case 'approval.list':
      return approvalList(house, command.params, origin)
    case 'approval.wait':
      return approvalWait(house, command.params, origin)
    case 'approval.resolve':
      return approvalResolve(house, command.params, origin)
    case 'approval.cancel':
      return approvalCancel(house, command.params, origin)
  }
}

function handleGrants(house: MethodHouse, command: Family<'approvals'>, origin: Origin): unknown {
  switch (command.method) {
    case 'approvals.grants':
      return approvalsGrants(house, command.params, origin)
    case 'approvals.revoke':
      return approvalsRevoke(house, command.params, origin)
  }
}

function handleDeliveries(
  house: MethodHouse,
  command: Family<'deliveries'>,
  origin: Origin,
): unknown {
  switch (command.method) {
    case 'deliveries.list':
      return deliveriesList(house, command.params, origin)
    case 'deliveries.resubmit':
      return deliveriesResubmit(house, command.params, origin)
    case 'deliveries.resolve':
      return deliveriesResolve(house, command.params, origin)
    case 'deliveries.dismiss':
      return deliveriesDismiss(house, command.params, origin)
  }
}

function handleCron(house: MethodHouse, command: Family<'cron'>, origin: Origin): unknown {
  switch (command.method) {
    case 'cron.list':
      return cronList(house, command.params, origin)
    case 'cron.add':
      return cronAdd(house, command.params, origin)
    case 'cron.update':
      return cronUpdate(house, command.params, origin)
    case 'cron.remove':
      return cronRemove(house, command.params, origin)
    case 'cron.run':
      return cronRun(house, command.params, origin)
    case 'cron.runs':
      return cronRuns(house, command.params, origin)
  }
}

function handleNodes(house: MethodHouse, command: Family<'node'>, origin: Origin): unknown {
  switch (command.method) {
    case 'node.list':
      return nodeList(house, command.params, origin)
    case 'node.approve':
      return nodeApprove(house, command.params, origin)
    case 'node.reject':
      return nodeReject(house, command.params, origin)
    case 'node.remove':
      return nodeRemove(house, command.params, origin)
    case 'node.rename':
      return nodeRename(house, command.params, origin)
    case 'node.invoke':
      return nodeInvoke(house, command.params, origin)
    case 'node.result':
      return nodeResult(house, command.params, origin)
  }
}

function handleTools(house: MethodHouse, command: Family<'tools'>, origin: Origin): unknown {
  switch (command.method) {
    case 'tools.list':
      return toolsList(house, command.params, origin)
    case 'tools.invoke':
      return toolsInvoke(house, command.params, origin)
    case 'tools.register':
      return toolsRegister(house, command.params, origin)
    case 'tools.unregister':
      return toolsUnregister(house, command.params, origin)
    case 'tools.result':
      return toolsResult(house, command.params, origin)
  }
}

type PairingMethod = `${'pairing' | 'device' | 'channel.pairing'}.${string}`

function handlePairing(
  house: MethodHouse,
  command: Extract<Command, { method: PairingMethod }>,
  origin: Origin,
): unknown {
  switch (command.method) {
    case 'channel.pairing.list':
      return channelPairingList(house, command.params, origin)
    case 'channel.pairing.approve':
      return channelPairingApprove(house, command.params, origin)
    case 'channel.pairing.reject':
      return channelPairingReject(house, command.params, origin)
    case 'pairing.list':
      return pairingList(house, command.params, origin)
    case 'pairing.approve':
      return pairingApprove(house, command.params, origin)
    case 'pairing.reject':
      return pairingReject(house, command.params, origin)
    case 'pairing.setup':
      return pairingSetup(house, command.params, origin)
    case 'device.list':
      return deviceList(house, command.params, origin)
    case 'device.revoke':
      return deviceRevoke(house, command.params, origin)
    case 'device.rename':
      return deviceRename(house, command.params, origin)
    case 'device.rotate':
      return deviceRotate(house, command.params, origin)
  }
}
