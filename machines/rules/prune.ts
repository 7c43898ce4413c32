/**
 * Pruning: long results of tools are cut in the older parts of a prompt, never in the journal.
 *
 * Upstream's rule without its clock: a result of more than 4,000 characters keeps its first and last
 * 1,500; those of the last three answers stay whole. A pure function of the prompt, so the same
 * records give the same prompt; a result is cut and never dropped, so it stays with its call.
 */
import { limits } from '../../protocol/limits.ts'

interface Message {
  readonly role: string
  readonly text: string
}

/** Cuts what is long and old among the results of tools. */
export function pruneResults<Of extends Message>(messages: readonly Of[]): Of[] {
  const keptFrom = startOfLast(messages, limits.pruneTurnsKept)
  return messages.map((message, index) => {
    const isCut = message.role === 'tool' && index < keptFrom
    return isCut ? { ...message, text: cutMiddle(message.text) } : message
  })
}

// Where the last so many answers begin; 0 where there are fewer.
function startOfLast(messages: readonly Message[], answers: number): number {
  let left = answers
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    if (messages[index]?.role !== 'assistant') continue
    left -= 1
    if (left === 0) return index
  }
  return 0
}

function cutMiddle(text: string): string {
  if (text.length <= limits.pruneResultCharsMax) return text
  const kept = limits.pruneResultCharsKept
  const head = text.slice(0, kept).toWellFormed()
  const tail = text.slice(-kept).toWellFormed()
  return `${head}\n[… ${text.length - 2 * kept} characters left out …]\n${tail}`
}
