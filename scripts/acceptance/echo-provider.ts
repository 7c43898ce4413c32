/**
 * A model provider as the OpenAI API has it, which answers much as our model `echo` does: with
 * `echo: ` and the user's last text, word by word. Upstream's gateway answers with it, offline.
 */
import type { ServerResponse } from 'node:http'
import { delta, startModelServer, writeEvents } from '../../tests/support/model-server.ts'

// Not `echo: ` alone: upstream's gateway takes a label off the beginning of an answer.
const OPENING = 'here is an echo: '
const WORD_MS = 40 // Slow enough that clients see several pieces, each as one event.

interface Asked {
  readonly stream?: boolean
  readonly messages?: readonly { readonly role: string; readonly content: unknown }[]
}

/** Starts it on loopback. */
export async function startEchoProvider(): Promise<{
  baseUrl: string
  close: () => Promise<void>
}> {
  const server = await startModelServer((response) => {
    const asked = JSON.parse(server.requests.at(-1) || '{}') as Asked
    void answer(response, asked)
  })
  return server
}

async function answer(response: ServerResponse, { stream, messages = [] }: Asked): Promise<void> {
  const users = messages.filter(({ role }) => role === 'user')
  const said =
    users.map(({ content }) => spoken(textOf(content))).findLast((text) => text !== '') ?? ''
  const words = [OPENING, ...said.split(/(?<=\s)/)]
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  if (stream !== true) {
    const message = { role: 'assistant', content: words.join('') }
    const choices = [{ index: 0, message, finish_reason: 'stop' }]
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: 'x', object: 'chat.completion', choices, usage }))
    return
  }
  for (const word of words) {
    writeEvents(response, delta(word))
    await new Promise((resolve) => setTimeout(resolve, WORD_MS))
  }
  writeEvents(response, { ...delta('', 'stop'), usage }, '[DONE]')
  response.end()
}

// What upstream's gateway writes around a user's words, for the model: the time, who speaks, how
// the gateway runs, and notes in messages of their own.
const ENVELOPE: readonly RegExp[] = [
  /<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>[^]*?<<<END_OPENCLAW_INTERNAL_CONTEXT>>>/g,
  /\n\nRuntime: agent=[^]*$/g,
  /Conversation info: [^]*?```json[^]*?```/g,
  /\[\w{3} \d{4}-\d\d-\d\d [^\]]*\]/g,
]

/** What the user said of a message. */
function spoken(text: string): string {
  return ENVELOPE.reduce((rest, envelope) => rest.replaceAll(envelope, ''), text).trim()
}

/** The text of a message, whose content may come in parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) =>
      typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : '',
    )
    .join('')
}
