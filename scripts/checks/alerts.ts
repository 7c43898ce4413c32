/**
 * Checks that alerts can leave: who is told of no trouble takes that for good news.
 */
import { webhookFault } from '../../actors/webhook.ts'
import type { ResolvedAlerts } from '../../protocol/config/defaults.ts'
import { type Finding, ok, warn } from './finding.ts'

/** Looks where the webhook leads; posts nothing, and nothing where none is configured. */
export async function checkAlerts(alerts: ResolvedAlerts | null): Promise<Finding[]> {
  const webhook = alerts?.webhook ?? null
  if (webhook === null) return []
  const fault = await webhookFault(webhook)
  if (fault === null) return [ok('alerts', 'the webhook has an address that may be gone to')]
  const todo = 'mend gateway.alerts.webhook; one in this network needs webhookAllowPrivate'
  return [warn('alerts', `nobody will be told: ${fault}`, todo)]
}
