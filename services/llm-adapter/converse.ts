import { invariant } from '../platform/invariant.ts'
import { type AttemptParts, inWords, withAttempts } from './attempts.ts'
import type { Reservation, TokenBudget } from './budget.ts'
import type { Events } from './events.ts'
import {
  type Completion,
  type Model,
  ModelError,
  type Piece,
  type Prompt,
  type TokenUsage,
  type Vectors,
} from './model.ts'
import { mostInputTokens, mostTextTokens } from './tokens.ts'
import type { Watchdog } from './watchdog.ts'

export interface ConversationParts extends AttemptParts {
  readonly model: Model
  readonly budget: TokenBudget
  readonly events: Events
  /** The longest silence within a stream. */
  readonly silenceMs: number
}

/** A result with what it cost: as the provider says, or else the most that it can have cost. */
export type Costed<T> = T & { readonly usage: TokenUsage }

/** Completes a prompt: metered, bounded, and tried again where that can help. Errors: ModelError, BudgetSpentError. */
export async function complete(
  parts: ConversationParts,
  prompt: Prompt,
  signal: AbortSignal,
): Promise<Costed<Completion>> {
  const most = { inputTokens: mostInputTokens(prompt), outputTokens: prompt.maxOutputTokens }
  return metered(parts, most, signal, (attempt) => parts.model.complete(prompt, attempt))
}

/** Turns texts into vectors, likewise. */
export async function embed(
  parts: ConversationParts,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Costed<Vectors>> {
  const most = { inputTokens: mostTextTokens(texts), outputTokens: 0 }
  return metered(parts, most, signal, (attempt) => parts.model.embed(texts, attempt))
}

async function metered<T extends { readonly usage?: TokenUsage }>(
  parts: ConversationParts,
  most: TokenUsage,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<Costed<T>> {
  checkConfigured(parts.model)
  return withAttempts(parts, signal, async (watchdog) => {
    const reservation = await parts.budget.reserve(most)
    const result = await callAndSettleFailure(parts, reservation, () => call(watchdog.signal))
    watchdog.close()
    const usage = result.usage ?? most
    await settle(parts, reservation, usage)
    return { ...result, usage }
  })
}

async function callAndSettleFailure<T>(
  parts: ConversationParts,
  reservation: Reservation,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    await settle(parts, reservation, costOfFailure(error, reservation))
    throw error
  }
}

/**
 * Completes a prompt piece by piece. Tried again only until the first piece has come; after that a fault ends the stream
 * with its error. The last piece has the reason and the usage.
 */
export async function* stream(
  parts: ConversationParts,
  prompt: Prompt,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  checkConfigured(parts.model)
  const opened = await withAttempts(parts, signal, (watchdog) => openStream(parts, prompt, watchdog))
  const { iterator, reservation, watchdog } = opened
  let next: IteratorResult<Piece> = opened.first
  let cost: TokenUsage | undefined
  try {
    while (!next.done) {
      watchdog.feed(parts.silenceMs)
      if (next.value.finishReason === undefined) yield next.value
      else {
        cost = next.value.usage ?? reservation.most
        await settle(parts, reservation, cost)
        yield { ...next.value, usage: cost }
      }
      next = await iterator.next()
    }
  } catch (error) {
    signal.throwIfAborted()
    throw inWords(error)
  } finally {
    watchdog.close()
    await iterator.return?.()
    // Whether the provider went on after we left is not known, so all that was set aside counts.
    if (!cost) await settle(parts, reservation, reservation.most)
  }
}

async function openStream(parts: ConversationParts, prompt: Prompt, watchdog: Watchdog) {
  const most = { inputTokens: mostInputTokens(prompt), outputTokens: prompt.maxOutputTokens }
  const reservation = await parts.budget.reserve(most)
  const iterator = parts.model.stream(prompt, watchdog.signal)[Symbol.asyncIterator]()
  const first = await callAndSettleFailure(parts, reservation, () => iterator.next())
  invariant(!first.done, 'a stream of a model has a last piece, or fails')
  return { iterator, reservation, watchdog, first }
}

async function settle(
  { events }: ConversationParts,
  reservation: Reservation,
  cost: TokenUsage,
): Promise<void> {
  await reservation.settle(cost)
  events.tokensUsed(cost)
}

/** What a failed request cost is not told. Unless it was surely refused before any work, all that was set aside counts. */
function costOfFailure(error: unknown, { most }: Reservation): TokenUsage {
  return error instanceof ModelError && error.free ? { inputTokens: 0, outputTokens: 0 } : most
}

/** Before any budget is touched: without a model there is nothing to meter. */
function checkConfigured({ about }: Model): void {
  if (!about.configured) throw new ModelError('not_configured', about.remark, { free: true })
}
