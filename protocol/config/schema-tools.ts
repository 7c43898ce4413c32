/** The shape of what `openclaw.json` says of tools, and of servers that offer more of them. */
import { array, type Infer, object, optional } from 'superstruct'
import { limits } from '../limits.ts'
import { flag, leaf, mapOf, name, number, text, unread, unreadAll } from './leaves.ts'
import { isUnknownGroup, TOOL_GROUPS } from './tool-groups.ts'

const ruleEntry = () =>
  leaf<string>(
    `a text of 1 to 128 characters, as a group one of ${Object.keys(TOOL_GROUPS).join(', ')}`,
    (value) => name().is(value) && !isUnknownGroup(value),
  )

// Which tools may run: deny wins, then ask, then allow; `*` in a name stands for anything.
const toolRules = () => ({
  allow: optional(array(ruleEntry())),
  deny: optional(array(ruleEntry())),
  ask: optional(array(ruleEntry())),
})
/** Rules of one place. */
export const toolPolicy = () => object(toolRules())
/** Rules of one agent, among keys of upstream's that stand beside them there. */
export const agentToolPolicy = () => object({ ...toolRules(), ...unreadAll(UNREAD_OF_AGENTS) })

const UNREAD_OF_AGENTS = [
  'alsoAllow',
  'byProvider',
  'codeMode',
  'elevated',
  'exec',
  'fs',
  'github',
  'loopDetection',
  'message',
  'profile',
  'sandbox',
  'swarm',
  'toolsBySender',
] as const

/** `tools`. */
export const toolsConfig = object({
  ...toolRules(),
  askMinutes: optional(number(0.01, limits.approvalMsMax / 60_000)), // how long a person is waited for
  profile: unread(),
  alsoAllow: unread(),
  byProvider: unread(),
  web: unread(),
  media: unread(),
  links: unread(),
  sessions: unread(),
  message: unread(),
  agentToAgent: unread(),
  elevated: unread(),
  exec: unread(),
  fs: unread(),
  subagents: unread(),
  sandbox: unread(),
  loopDetection: unread(),
})

/** One entry of `mcp.servers`. */
export const mcpServerConfig = object({
  command: optional(text(1, 4_096)), // started here and spoken to over its pipes
  args: optional(array(text(0, 4_096))),
  env: optional(mapOf(text(0, 4_096))),
  cwd: optional(text(1, 4_096)),
  url: optional(text(1, 2_048)), // spoken to over HTTP
  headers: optional(mapOf(text(0, 4_096))),
  enabled: optional(flag()),
  transport: unread(),
})

export type McpServerConfig = Infer<typeof mcpServerConfig>
