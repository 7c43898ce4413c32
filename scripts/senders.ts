/**
 * Senders who wait at a channel, for the `pairing` verbs: `list CHANNEL`, `approve CHANNEL CODE`,
 * `reject CHANNEL CODE`.
 */
import type { Client, Payload } from './client.ts'
import { columns, note, oneLine, show, showJson } from './output.ts'

/** What is asked of a channel's door, and how the answer is shown. */
export interface SendersAsk {
  readonly word: 'list' | 'approve' | 'reject'
  readonly channel: string
  readonly code?: string
  readonly json: boolean
}

/**
 * Asks the gateway about the senders of one channel and shows its answer; returns the exit code.
 * @throws {GatewayError} CHANNEL_UNKNOWN, NOT_FOUND, RATE_LIMITED
 */
export async function askSenders(client: Client, ask: SendersAsk): Promise<number> {
  const { word, channel, code, json } = ask
  const params = code === undefined ? { channel } : { channel, code }
  const answer = await client.request(`channel.pairing.${word}`, params)
  if (json) showJson(answer)
  else if (word === 'list') showSenders(channel, answer)
  else
    show(
      `${oneLine(String(answer['senderId']))} at ${channel}: ${word === 'approve' ? 'let in' : 'turned away'}`,
    )
  return 0
}

function showSenders(channel: string, { pending, approved }: Payload): void {
  const waiting: unknown[] = Array.isArray(pending) ? pending : []
  const known: unknown[] = Array.isArray(approved) ? approved : []
  const rows = [
    ...waiting.map((row) => [textOf(row, 'senderId'), stateOf(row), timeOf(row)]),
    ...known.map((id) => [oneLine(String(id)), 'let in', '']),
  ]
  if (rows.length === 0) return note(`nobody waits at ${channel}`)
  for (const line of columns([['SENDER', 'STATE', 'CODE HOLDS UNTIL'], ...rows])) show(line)
}

function stateOf(row: unknown): string {
  return read(row, 'rejected') === true ? 'turned away' : 'waits'
}

function timeOf(row: unknown): string {
  const at = read(row, 'expiresAt')
  return typeof at === 'number' ? new Date(at).toISOString() : '-'
}

function textOf(row: unknown, name: string): string {
  const value = read(row, name)
  return typeof value === 'string' ? oneLine(value) : '-'
}

function read(row: unknown, name: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, name) : null
}
