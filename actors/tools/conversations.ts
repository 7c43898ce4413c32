/**
 * `sessions_list`, `sessions_history` and `message`: conversations, as far as this one may see them.
 *
 * A run of the main conversation that no channel began sees all and writes to whom it will. Every
 * other run, of a client's other sessions too, sees its own conversation and answers there only.
 */
import { limits } from '../../protocol/limits.ts'
import {
  numberOf,
  textOf,
  type Tool,
  type ToolArguments,
  type ToolContext,
  ToolError,
} from './tool.ts'

/** A conversation as `sessions_list` shows it. */
export interface ConversationRow {
  readonly key: string
  readonly channel: string | null
  readonly lastMessageAt: number // ms since epoch
  readonly messages: number
}

/** One message as `sessions_history` shows it. */
export interface ConversationMessage {
  readonly role: string
  readonly text: string
  readonly ts: number // ms since epoch
}

/** What these tools need of the house. */
export interface Conversations {
  readonly list: () => readonly ConversationRow[]
  readonly history: (sessionKey: string, limit: number) => Promise<readonly ConversationMessage[]>
  /** Hands a message to the delivery actor; resolves when it is on disk. */
  readonly send: (
    message: { readonly channel: string; readonly target: string; readonly text: string },
    context: ToolContext,
  ) => Promise<string>
  /** Where answers of this run go; null: to no channel. */
  readonly route: (context: ToolContext) => { channel: string; target: string } | null
}

/** Opens the three. */
export function openConversationTools(house: Conversations): Tool[] {
  const common = { source: 'built-in', fault: () => null }
  return [
    {
      ...common,
      name: 'sessions_list',
      description: 'Lists conversations, the newest first.',
      parameters: { type: 'object', properties: { limit: { type: 'integer', minimum: 1 } } },
      run: (args, context) => Promise.resolve({ text: listed(house, args, context) }),
    },
    {
      ...common,
      name: 'sessions_history',
      description: 'Shows the last messages of a conversation; without a key, of this one.',
      parameters: {
        type: 'object',
        properties: {
          sessionKey: { type: 'string' },
          limit: { type: 'integer', minimum: 1, maximum: limits.toolListMax },
        },
      },
      run: async (args, context) => ({ text: await shown(house, args, context) }),
    },
    {
      ...common,
      name: 'message',
      description:
        'Sends a message to somebody on a channel. Without channel and target: to where this conversation is.',
      parameters: {
        type: 'object',
        properties: {
          channel: { type: 'string' },
          target: { type: 'string' },
          message: { type: 'string' },
        },
        required: ['message'],
      },
      run: async (args, context) => ({ text: await sent(house, args, context) }),
    },
  ]
}

function limitOf(args: ToolArguments): number {
  return numberOf(args, 'limit', { min: 1, max: limits.toolListMax, otherwise: 20 })
}

function listed(house: Conversations, args: ToolArguments, context: ToolContext): string {
  const rows = house
    .list()
    .filter(({ key }) => context.isOwner || key === context.sessionKey)
    .toSorted((a, b) => b.lastMessageAt - a.lastMessageAt)
    .slice(0, limitOf(args))
    .map(({ key, channel, messages, lastMessageAt }) => {
      return { key, channel, messages, lastMessageAt: new Date(lastMessageAt).toISOString() }
    })
  return JSON.stringify(rows)
}

async function shown(
  house: Conversations,
  args: ToolArguments,
  context: ToolContext,
): Promise<string> {
  const key = args['sessionKey'] === undefined ? context.sessionKey : textOf(args, 'sessionKey')
  if (!context.isOwner && key !== context.sessionKey) {
    throw new ToolError('sessionKey: from here only this conversation can be read')
  }
  const messages = await house.history(key, limitOf(args))
  return JSON.stringify(
    messages.map(({ role, text, ts }) => ({ role, text, at: new Date(ts).toISOString() })),
  )
}

async function sent(
  house: Conversations,
  args: ToolArguments,
  context: ToolContext,
): Promise<string> {
  const own = house.route(context)
  const channel = args['channel'] === undefined ? own?.channel : textOf(args, 'channel')
  const target = args['target'] === undefined ? own?.target : textOf(args, 'target')
  const text = textOf(args, 'message')
  if (text === '') throw new ToolError('message: is empty')
  if (channel === undefined || target === undefined) {
    throw new ToolError('channel, target: this conversation is on no channel, so both are needed')
  }
  if (!context.isOwner && (channel !== own?.channel || target !== own.target)) {
    throw new ToolError('from here messages go to this conversation only')
  }
  const deliveryId = await house.send({ channel, target, text }, context)
  return `accepted for delivery to ${target} on ${channel} as ${deliveryId}`
}
