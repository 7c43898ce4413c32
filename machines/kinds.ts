/** The kinds of actor: for each, its machine, stepped, and what its snapshots wait for. */
import type { AnyMachineSnapshot } from 'xstate'
import type { StreamKind } from '../protocol/ids.ts'
import { alertMachine, alertWaits } from './alert.ts'
import { approvalMachine, approvalWaits } from './approval.ts'
import { callMachine, callWaits } from './call.ts'
import { channelMachine, channelWaits } from './channel.ts'
import { compactionMachine, compactionWaits } from './compaction.ts'
import { configMachine, configWaits } from './config.ts'
import { connectionMachine } from './connection.ts'
import { cronMachine, cronWaits } from './cron.ts'
import { deliveryMachine, deliveryWaits } from './delivery.ts'
import { grantMachine } from './grant.ts'
import { gatewayMachine, gatewayWaits } from './gateway.ts'
import { invocationMachine } from './invocation.ts'
import { nodeMachine } from './node.ts'
import { pairingMachine, pairingWaits } from './pairing.ts'
import { runMachine, runWaits } from './run.ts'
import { sessionWaits } from './rules/session-waits.ts'
import { sessionMachine } from './session.ts'
import { createStepper, type Stepper } from './step.ts'
import type { Wait } from './waits.ts'

export interface Kind {
  readonly stepper: Stepper
  readonly waits: (snapshot: AnyMachineSnapshot) => readonly Wait[]
}

const NO_WAITS: readonly Wait[] = []
const never = () => NO_WAITS

/** Every kind by its name; the steppers are shared by all actors of a kind. */
export const kinds: Readonly<Record<StreamKind, Kind>> = {
  gateway: {
    stepper: createStepper(gatewayMachine),
    waits: (snapshot) => gatewayWaits(snapshot.value, snapshot.context),
  },
  connection: { stepper: createStepper(connectionMachine), waits: never },
  pairing: {
    stepper: createStepper(pairingMachine),
    waits: (snapshot) => pairingWaits(snapshot.value, snapshot.context),
  },
  session: {
    stepper: createStepper(sessionMachine),
    waits: (snapshot) => sessionWaits(snapshot.value, snapshot.context),
  },
  run: {
    stepper: createStepper(runMachine),
    waits: (snapshot) => runWaits(snapshot.value, snapshot.context),
  },
  channel: {
    stepper: createStepper(channelMachine),
    waits: (snapshot) => channelWaits(snapshot.value, snapshot.context),
  },
  config: {
    stepper: createStepper(configMachine),
    waits: (snapshot) => configWaits(snapshot.value, snapshot.context),
  },
  alert: {
    stepper: createStepper(alertMachine),
    waits: (snapshot) => alertWaits(snapshot.value, snapshot.context),
  },
  node: { stepper: createStepper(nodeMachine), waits: never },
  invocation: { stepper: createStepper(invocationMachine), waits: never },
  approval: {
    stepper: createStepper(approvalMachine),
    waits: (snapshot) => approvalWaits(snapshot.value, snapshot.context),
  },
  call: {
    stepper: createStepper(callMachine),
    waits: (snapshot) => callWaits(snapshot.value, snapshot.context),
  },
  grant: { stepper: createStepper(grantMachine), waits: never },
  cron: {
    stepper: createStepper(cronMachine),
    waits: (snapshot) => cronWaits(snapshot.value, snapshot.context),
  },
  compaction: {
    stepper: createStepper(compactionMachine),
    waits: (snapshot) => compactionWaits(snapshot.value, snapshot.context),
  },
  delivery: {
    stepper: createStepper(deliveryMachine),
    waits: (snapshot) => deliveryWaits(snapshot.value, snapshot.context),
  },
}
