/** `channels.whatsapp`: its shape, with upstream's keys, and its defaults. */
import { array, type Infer, object, optional } from 'superstruct'
import { approversOf, execApprovals } from './approvers.ts'
import type { ResolvedAccess } from './channel-defaults.ts'
import {
  accountsRefused,
  directPolicy,
  flag,
  groupPolicy,
  leaf,
  mapOf,
  unread,
  unreadAll,
} from './leaves.ts'
import { toolPolicy } from './schema-tools.ts'

/** Keys of upstream's that are accepted and not acted on. */
const WHATSAPP_UNSUPPORTED = [
  'ackReaction',
  'actions',
  'authDir',
  'blockStreaming',
  'capabilities',
  'chunkMode',
  'configWrites',
  'debounceMs',
  'defaultAccount',
  'dmHistoryLimit',
  'dms',
  'historyLimit',
  'markdown',
  'mediaMaxMb',
  'messagePrefix',
  'name',
  'responsePrefix',
  'selfChatMode',
  'sendReadReceipts',
  'textChunkLimit',
] as const

const isPerson = (value: string): boolean =>
  /^(?:\*|(?:whatsapp:)?\+\d{5,15}|\d{1,32}@lid)$/.test(value)

const person = () =>
  leaf<string>(
    'a phone number such as "+8613800138000", or "*"',
    (value) => typeof value === 'string' && isPerson(value),
  )

export const whatsappConfig = object({
  enabled: optional(flag()),
  tools: optional(toolPolicy()), // in its conversations, beside `tools`
  accounts: accountsRefused(),
  dmPolicy: optional(directPolicy()),
  allowFrom: optional(array(person())),
  execApprovals: optional(execApprovals(person)),
  groupPolicy: optional(groupPolicy()),
  groupAllowFrom: optional(array(person())), // for all groups
  groups: optional(
    mapOf(object({ requireMention: optional(flag()), tools: unread(), toolsBySender: unread() })),
  ),
  ...unreadAll(WHATSAPP_UNSUPPORTED),
})

export type WhatsAppConfig = Infer<typeof whatsappConfig>
export type ResolvedWhatsApp = ResolvedAccess

/** Fills in the defaults; null: not configured, or not enabled. */
export function resolveWhatsApp(whatsapp: WhatsAppConfig | undefined): ResolvedWhatsApp | null {
  if (whatsapp === undefined || whatsapp.enabled === false) return null
  const { groups = {}, groupAllowFrom = [], allowFrom = [] } = whatsapp
  return {
    dmPolicy: whatsapp.dmPolicy ?? 'pairing',
    allowFrom: allowFrom.map(plainId),
    ...approversOf(whatsapp.execApprovals, plainId),
    groupPolicy: whatsapp.groupPolicy ?? 'allowlist',
    groups: Object.fromEntries(
      Object.entries(groups).map(([room, { requireMention = true }]) => [
        room,
        { requireMention, allowFrom: groupAllowFrom.map(plainId) },
      ]),
    ),
  }
}

function plainId(id: string): string {
  return id.replace(/^whatsapp:/, '')
}
