/**
 * Senders who wait at a channel, for the `pairing` verbs: `list CHANNEL`, `approve CHANNEL CODE`,
 * `reject CHANNEL CODE`.
 */
import { askGateway, formatTime, rowsOf } from './ask.ts'
import type { Payload } from './client.ts'
import { columns, note, show, showJson } from './output.ts'
import type { SettingsFlags } from './settings.ts'

/** What is asked of a channel's door. */
export interface SendersAsk {
  readonly word: 'list' | 'approve' | 'reject'
  readonly channel: string
  readonly code?: string
  readonly senderId?: string // of one that was let in
}

/**
 * Asks the gateway about the senders of one channel and shows its answer; returns the exit code.
 * @throws {GatewayError} CHANNEL_UNKNOWN, NOT_FOUND, RATE_LIMITED
 */
export async function askSenders(
  flags: SettingsFlags & { readonly json?: boolean | undefined },
  { word, ...params }: SendersAsk,
): Promise<number> {
  const answer = await askGateway(flags, `channel.pairing.${word}`, params)
  if (flags.json) showJson(answer)
  else if (word === 'list') showSenders(answer)
  else showJudged(answer, word)
  return 0
}

/** Shows what became of a sender. */
export function showJudged(answer: Payload, word: 'approve' | 'reject'): void {
  const became = word === 'approve' ? 'let in' : 'turned away'
  show(`${String(answer['senderId'])} at ${String(answer['channel'])}: ${became}`)
}

function showSenders(answer: Payload): void {
  const { channel, approved } = answer
  const known: unknown[] = Array.isArray(approved) ? approved : []
  const rows = [
    ...rowsOf(answer, 'pending').map(({ senderId, rejected, expiresAt }) => [
      String(senderId),
      rejected === true ? 'turned away' : 'waits',
      formatTime(expiresAt),
    ]),
    ...known.map((id) => [String(id), 'let in', '']),
  ]
  if (rows.length === 0) return note(`nobody waits at ${String(channel)}`)
  for (const line of columns([['SENDER', 'STATE', 'CODE HOLDS UNTIL'], ...rows])) show(line)
}
