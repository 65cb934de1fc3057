import type { OpenAI } from 'openai'
import type { Clock } from '../platform/clock.ts'
import { boundedFetch } from './bounded-fetch.ts'
import {
  type Completion,
  type FinishReason,
  type Model,
  ModelError,
  type Piece,
  type Prompt,
  type TokenUsage,
} from './model.ts'
import { modelErrorFrom } from './openai-errors.ts'
import { readChunk, readCompletion, readEmbeddings } from './openai-shapes.ts'

export interface OpenAiOptions {
  /** Such as `https://host/v1`. */
  readonly baseUrl: string
  /** Empty where the server wants none. */
  readonly apiKey: string
  readonly completionModel: string
  /** Empty: embeddings are refused. */
  readonly embeddingModel: string
  /** chat: `max_tokens` and `temperature`. reasoning: `max_completion_tokens` and no temperature, as OpenAI's reasoning models want it. */
  readonly dialect: 'chat' | 'reasoning'
  readonly clock: Clock
}

const maxAnswerBytes = 32 * 1024 * 1024
/** The SDK wants one; every call has a shorter limit of its own by its signal. */
const sdkTimeoutMs = 15 * 60_000

/** A model behind any server with OpenAI's API. The SDK is loaded here, so that who has no model does not load it. */
export async function openOpenAiModel(options: OpenAiOptions): Promise<Model> {
  const { OpenAI: Client } = await import('openai')
  const client = new Client({
    baseURL: options.baseUrl,
    apiKey: options.apiKey || 'none',
    // Said explicitly, or the SDK would read them from the environment.
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: sdkTimeoutMs,
    logLevel: 'off',
    fetch: boundedFetch(maxAnswerBytes),
  })
  return new OpenAiModel(client, options)
}

class OpenAiModel implements Model {
  readonly about
  readonly #client: OpenAI
  readonly #options: OpenAiOptions

  constructor(client: OpenAI, options: OpenAiOptions) {
    this.#client = client
    this.#options = options
    const { completionModel, embeddingModel, baseUrl } = options
    const embeds = embeddingModel === '' ? '; embeddings need NEXUS_LLM_EMBEDDING_MODEL' : ''
    const remark = `${completionModel} at ${new URL(baseUrl).host}${embeds}`
    this.about = { configured: true, provider: 'openai' as const, completionModel, embeddingModel, remark }
  }

  complete(prompt: Prompt, signal: AbortSignal): Promise<Completion> {
    return this.#calling(signal, async () =>
      readCompletion(
        await this.#client.chat.completions.create({ ...this.#request(prompt), stream: false }, { signal }),
      ),
    )
  }

  async *stream(prompt: Prompt, signal: AbortSignal): AsyncGenerator<Piece> {
    const request = {
      ...this.#request(prompt),
      stream: true as const,
      stream_options: { include_usage: true },
    }
    let finishReason: FinishReason | undefined
    let usage: TokenUsage | undefined
    const chunks = await this.#calling(signal, async () =>
      this.#client.chat.completions.create(request, { signal }),
    )
    const iterator = chunks[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { value, done } = await this.#calling(signal, () => iterator.next())
        if (done) break
        const piece = readChunk(value)
        finishReason ??= piece.finishReason
        usage = piece.usage ?? usage
        if (piece.text !== '') yield { text: piece.text }
      }
    } finally {
      // Whoever stops reading ends the request.
      chunks.controller.abort()
    }
    // The SDK ends an aborted stream as if it were whole.
    signal.throwIfAborted()
    if (finishReason === undefined)
      throw new ModelError('unavailable', 'the provider cut the stream before its end')
    yield { text: '', finishReason, usage }
  }

  embed(texts: readonly string[], signal: AbortSignal) {
    const model = this.#options.embeddingModel
    if (model === '') {
      return Promise.reject(
        new ModelError(
          'not_configured',
          'no model for embeddings is configured: set NEXUS_LLM_EMBEDDING_MODEL',
          { free: true },
        ),
      )
    }
    const request = { model, input: [...texts], encoding_format: 'float' as const }
    return this.#calling(signal, async () =>
      readEmbeddings(await this.#client.embeddings.create(request, { signal }), texts.length),
    )
  }

  #request(prompt: Prompt) {
    const { completionModel, dialect } = this.#options
    const { turns, maxOutputTokens, temperature, format } = prompt
    return {
      model: completionModel,
      messages: turns.map(({ role, content }) => ({ role, content })),
      ...(dialect === 'chat'
        ? { max_tokens: maxOutputTokens, temperature }
        : { max_completion_tokens: maxOutputTokens }),
      ...(format && { response_format: responseFormat(format) }),
    }
  }

  /** Gives the SDK's errors the adapter's words. An abort passes as the signal's own reason. */
  async #calling<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      throw modelErrorFrom(error, this.#options.clock.nowMs())
    }
  }
}

function responseFormat({ name, schema }: NonNullable<Prompt['format']>) {
  return { type: 'json_schema' as const, json_schema: { name, schema, strict: isStrict(schema) } }
}

/** OpenAI constrains the answer token by token only where every object lists all of its properties and allows no others. */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict)
  if (typeof schema !== 'object' || schema === null) return true
  const { type, properties, required, additionalProperties, ...others } = schema as Record<string, unknown>
  if (type === 'object' || properties !== undefined) {
    const names = Object.keys((properties ?? {}) as object)
    const listed = Array.isArray(required) ? required : []
    if (additionalProperties !== false || !names.every((name) => listed.includes(name))) return false
  }
  return Object.values((properties ?? {}) as object).every(isStrict) && Object.values(others).every(isStrict)
}
