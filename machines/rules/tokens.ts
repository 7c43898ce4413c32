/**
 * Tokens, estimated: four bytes of UTF-8 are one.
 *
 * About right for English, some too few for German, and about right again for Chinese, where a
 * character has three bytes and is about one token. It is used where no provider has told: for what
 * a prompt will cost, and for when a history is summarised.
 */
const BYTES_PER_TOKEN = 4

/** Estimates the tokens of a text of so many bytes. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN)
}
