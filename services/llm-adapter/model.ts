import type { JsonValue } from '../platform/canonical-json.ts'

/** A turn of a prompt. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** What is asked of a model. */
export interface Prompt {
  readonly turns: readonly Turn[]
  /** Most tokens of the answer. */
  readonly maxOutputTokens: number
  readonly temperature: number
  /** The answer shall be JSON that satisfies this schema. */
  readonly format?: { readonly name: string; readonly schema: { readonly [key: string]: JsonValue } }
}

/** What a call cost, as the provider says. */
export interface TokenUsage {
  readonly inputTokens: number
  readonly outputTokens: number
}

export type FinishReason = 'stop' | 'length' | 'content_filter'

/** A whole answer. `usage` is absent where the provider does not tell. */
export interface Completion {
  readonly text: string
  readonly finishReason: FinishReason
  readonly usage?: TokenUsage
  readonly model: string
}

/** A piece of an answer; the last one alone has a `finishReason`. */
export interface Piece {
  readonly text: string
  readonly finishReason?: FinishReason
  readonly usage?: TokenUsage
}

/** Vectors in the order of the texts, all of one length. */
export interface Vectors {
  readonly vectors: readonly (readonly number[])[]
  readonly usage?: TokenUsage
  readonly model: string
}

/**
 * A language model. One call is one request: who calls it retries, meters and bounds. Errors: ModelError; the signal's
 * reason when it aborts. A stream that ends before its last piece is an error, never a short answer.
 */
export interface Model {
  readonly about: AboutModel
  complete(prompt: Prompt, signal: AbortSignal): Promise<Completion>
  stream(prompt: Prompt, signal: AbortSignal): AsyncIterable<Piece>
  embed(texts: readonly string[], signal: AbortSignal): Promise<Vectors>
}

export interface AboutModel {
  readonly configured: boolean
  readonly provider: 'builtin' | 'openai'
  readonly completionModel: string
  readonly embeddingModel: string
  /** In words: what is configured, or how to configure it. */
  readonly remark: string
}

/**
 * Why a call to a model failed.
 * rate_limited, unavailable, timeout, malformed: another try may succeed.
 * quota, key, unknown_model, unsupported, too_long, not_configured: it will not.
 */
export type ModelFault =
  | 'rate_limited'
  | 'unavailable'
  | 'timeout'
  | 'malformed'
  | 'quota'
  | 'key'
  | 'unknown_model'
  | 'unsupported'
  | 'too_long'
  | 'not_configured'

/**
 * A failed call. It holds neither prompt, answer nor key, and no cause: the SDK's errors carry what the provider said,
 * which may repeat any of them, and what is thrown may be logged.
 */
export class ModelError extends Error {
  override readonly name = 'ModelError'
  readonly fault: ModelFault
  /** What the provider asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number
  /** True when the provider has surely not worked on the request, so that it cost nothing. */
  readonly free: boolean

  constructor(fault: ModelFault, message: string, options: { retryAfterMs?: number; free?: boolean } = {}) {
    super(message)
    this.fault = fault
    this.retryAfterMs = options.retryAfterMs
    this.free = options.free ?? false
  }
}

const worthAnotherTry: ReadonlySet<ModelFault> = new Set([
  'rate_limited',
  'unavailable',
  'timeout',
  'malformed',
])

export function isWorthAnotherTry(error: unknown): error is ModelError {
  return error instanceof ModelError && worthAnotherTry.has(error.fault)
}
