/**
 * The model `echo`: answers offline and always the same, with what the user said last.
 *
 * It makes the gateway usable and testable without any model. It takes no time: its pieces come
 * in one turn of the event loop. Step 7 of 8.
 */
import { limits } from '../../protocol/limits.ts'
import { ModelFault, type ModelProvider } from './provider.ts'

/** Makes the provider; its answer is `echo: ` and the user's last text, word by word. */
export function openEcho(): ModelProvider {
  return {
    probe: () => Promise.resolve('built in, answers offline'),
    call: async ({ messages }, onDelta, signal) => {
      const said = messages.findLast(({ role }) => role === 'user')?.text ?? ''
      const text = `echo: ${said}`
      for (const piece of piecesOf(text)) {
        if (signal.aborted) throw new ModelFault('echo: aborted', 'aborted')
        onDelta(piece)
        await Promise.resolve()
      }
      return { text, inputTokens: 0, outputTokens: 0, finish: 'stop', toolCalls: [] }
    },
  }
}

/** Cuts a text before its words, into at most `limits.echoPiecesMax` pieces. */
function piecesOf(text: string): string[] {
  const words = text.split(/(?<=\s)(?=\S)/)
  const size = Math.ceil(words.length / limits.echoPiecesMax)
  const pieces: string[] = []
  for (let at = 0; at < words.length; at += size) pieces.push(words.slice(at, at + size).join(''))
  return pieces
}
