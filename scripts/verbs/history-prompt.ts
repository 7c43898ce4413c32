/**
 * `openclaw history prompt`: what a model was asked, word for word, by any run of the past.
 */
import type { AssistantMessage } from '../../actors/models/provider.ts'
import { formatPrompt, type PromptDocument } from '../../actors/prompt.ts'
import { promptAt, runOf } from '../../machines/history/prompt.ts'
import { kinds } from '../../machines/kinds.ts'
import { formatInstant } from '../../protocol/history/address.ts'
import { historyArgs, locate } from '../history/options.ts'
import { type Source, withSource } from '../history/source.ts'
import { show, showJson, showText } from '../output.ts'
import { defineVerb } from '../verb.ts'

/** Exit code 0: shown; 10: no such run, or it asked nothing; 13: pruned. */
export const historyPrompt = defineVerb({
  name: 'history prompt',
  description: 'Show what a model was asked: system text, messages, thinking, model',
  args: {
    ...historyArgs,
    target: {
      type: 'positional',
      required: true,
      valueHint: 'RUN|ADDRESS',
      description: 'a run by its id, or a record that has to do with one: #42, head, -5m',
    },
  },
  run: (args) =>
    withSource(args.journal, (source) => {
      const { history } = source
      const isRun = history.version(`run:${args.target}`) > 0
      const meant = isRun
        ? { runId: args.target, position: history.head() }
        : runOf(history, locate(source, args.target, args).position)
      const prompt = promptAt(history, kinds, meant)
      const document = formatPrompt(prompt, (ref) => readOf(source, ref))
      if (args.json) showJson({ ok: true, ...document })
      else showPrompt(document)
      return 0
    }),
})

function readOf({ body }: Source, ref: string): string {
  const bytes = body(ref)
  return bytes === null ? '[not there]' : Buffer.from(bytes).toString('utf8')
}

function showPrompt(prompt: PromptDocument): void {
  const { runId, call, model, thinking, attempt, outcome, asSent, leftOut } = prompt
  show(`run:${runId}  #${call}  ${formatInstant(prompt.at)}  ${outcome}`)
  show(`  model ${model}, thinking ${thinking}, attempt ${attempt}, session ${prompt.sessionKey}`)
  show(`  ${saidOf(asSent)}${leftOut === 0 ? '' : `; ${leftOut} oldest messages were left out`}`)
  if (prompt.tools.length > 0) show(`  tools ${prompt.tools.join(', ')}`)
  show('── system')
  showText(prompt.system)
  for (const message of prompt.messages) {
    show(`── ${message.role}  ${message.ref}`)
    showText(message.text)
    if (message.role === 'assistant') showCalls(message)
  }
}

function showCalls({ toolCalls = [] }: AssistantMessage): void {
  for (const call of toolCalls) show(`  calls ${call.name} ${call.arguments}`)
}

function saidOf(asSent: boolean | null): string {
  if (asSent === null) return 'no answer recorded what was sent: this is its recipe'
  return asSent ? 'checked: this is what was sent' : 'this is not what was sent: entries differ'
}
