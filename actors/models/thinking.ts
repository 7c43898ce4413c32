/**
 * Levels of thinking, as each kind of provider takes them: one table.
 *
 * | level   | OpenAI `reasoning_effort` | Anthropic `budget_tokens` | Anthropic `effort` |
 * |---------|---------------------------|---------------------------|--------------------|
 * | off     | not sent                  | not sent                  | not sent           |
 * | minimal | minimal                   | 1,024                     | low                |
 * | low     | low                       | 2,048                     | low                |
 * | medium  | medium                    | 8,192                     | medium             |
 * | high    | high                      | 16,384                    | high               |
 * | xhigh   | high                      | 32,000                    | xhigh              |
 *
 * Sources. OpenAI's API reference of chat completions: models before gpt-5.1 refuse `none`, so off
 * sends nothing; only models after gpt-5.1-codex-max take `xhigh`, and a value that is not taken
 * is a 400, so it is asked for as `high`. Anthropic's "Extended thinking": at least 1,024 tokens,
 * fewer than `max_tokens`, and no more than 32,000 in one request that waits; the steps between are
 * upstream's. Anthropic's "Effort": models of generation 5 refuse budgets and take levels of effort.
 */
import type { ThinkingLevel } from './provider.ts'

interface Row {
  readonly openAiEffort: 'minimal' | 'low' | 'medium' | 'high'
  readonly budgetTokens: number
  readonly anthropicEffort: 'low' | 'medium' | 'high' | 'xhigh'
}

const TABLE: Readonly<Record<Exclude<ThinkingLevel, 'off'>, Row>> = {
  minimal: { openAiEffort: 'minimal', budgetTokens: 1_024, anthropicEffort: 'low' },
  low: { openAiEffort: 'low', budgetTokens: 2_048, anthropicEffort: 'low' },
  medium: { openAiEffort: 'medium', budgetTokens: 8_192, anthropicEffort: 'medium' },
  high: { openAiEffort: 'high', budgetTokens: 16_384, anthropicEffort: 'high' },
  xhigh: { openAiEffort: 'high', budgetTokens: 32_000, anthropicEffort: 'xhigh' },
}

const BUDGET_TOKENS_MIN = TABLE.minimal.budgetTokens

/** The level in the words of OpenAI's chat completions. */
export function openAiThinking(level: ThinkingLevel): { reasoningEffort?: string } {
  return level === 'off' ? {} : { reasoningEffort: TABLE[level].openAiEffort }
}

/** The level in Anthropic's words, and how many tokens are left for the answer. */
export interface AnthropicThinking {
  readonly options: {
    thinking?: { type: 'enabled'; budgetTokens: number } | { type: 'adaptive' }
    effort?: Row['anthropicEffort']
  }
  readonly maxOutputTokens: number | null // without the budget; null: the model's own limit
}

/**
 * The level in Anthropic's words. A budget takes at most half of `maxTokens`; where that is less
 * than Anthropic's least, the model does not think.
 */
export function anthropicThinking(
  level: ThinkingLevel,
  model: string,
  maxTokens: number | null,
): AnthropicThinking {
  if (level === 'off') return { options: {}, maxOutputTokens: maxTokens }
  const { budgetTokens: wanted, anthropicEffort: effort } = TABLE[level]
  if (/claude-[a-z]+-5\b/.test(model)) {
    return { options: { thinking: { type: 'adaptive' }, effort }, maxOutputTokens: maxTokens }
  }
  const half = maxTokens === null ? wanted : Math.floor(maxTokens / 2)
  const budgetTokens = Math.min(wanted, half)
  if (budgetTokens < BUDGET_TOKENS_MIN) return { options: {}, maxOutputTokens: maxTokens }
  return {
    options: { thinking: { type: 'enabled', budgetTokens } },
    maxOutputTokens: maxTokens === null ? null : maxTokens - budgetTokens,
  }
}
