import { canonicalJson } from '../platform/canonical-json.ts'
import type { Prompt, TokenUsage } from './model.ts'

/** What a chat template adds to each turn, and to the whole, at most: names of roles and marks of beginning and end. */
const tokensPerTurn = 16
const tokensPerPrompt = 32

/**
 * The most input tokens that a prompt can have. Byte-level tokenisers, which all current models use, give at most a token
 * for each byte of UTF-8, so this is an upper bound and not a guess; for English prose it is about four times too high.
 */
export function mostInputTokens(prompt: Prompt): number {
  const turns = prompt.turns.reduce(
    (sum, { content }) => sum + Buffer.byteLength(content, 'utf8') + tokensPerTurn,
    0,
  )
  const schema = prompt.format ? canonicalJson(prompt.format).length : 0
  return turns + schema + tokensPerPrompt
}

/** The same for texts to embed. */
export function mostTextTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text, 'utf8') + tokensPerTurn, 0)
}

export function sumUsage(usages: readonly TokenUsage[]): TokenUsage {
  return {
    inputTokens: usages.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
    outputTokens: usages.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
  }
}
