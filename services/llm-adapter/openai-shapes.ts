import { z } from 'zod'
import {
  type Completion,
  type FinishReason,
  ModelError,
  type Piece,
  type TokenUsage,
  type Vectors,
} from './model.ts'

/**
 * What an OpenAI-compatible server may send, as far as it is used. Servers differ, so unknown fields are let through;
 * what is used is checked, since the SDK checks nothing.
 */
const usage = z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0).optional() })

const completion = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: usage.nullish(),
})

/** The piece with the usage has no choices. */
const chunk = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
      }),
    )
    .nullish(),
  usage: usage.nullish(),
})

const embeddings = z.object({
  model: z.string().optional(),
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()).min(1) })),
  usage: usage.nullish(),
})

/** Errors: ModelError `malformed`. */
export function readCompletion(body: unknown): Completion {
  const { choices, model, usage: cost } = read(completion, body, 'a completion')
  const [choice] = choices
  const { content, refusal } = choice?.message ?? {}
  const finishReason = refusal ? 'content_filter' : finishReasonOf(choice?.finish_reason ?? 'stop')
  return { text: refusal ? '' : (content ?? ''), finishReason, usage: usageOf(cost), model: model ?? '' }
}

/** A piece of a stream; a refusal is not passed on as text. Errors: ModelError `malformed`. */
export function readChunk(body: unknown): Piece {
  const { choices, usage: cost } = read(chunk, body, 'a piece of a completion')
  const choice = choices?.[0]
  const ended = choice?.finish_reason ? finishReasonOf(choice.finish_reason) : undefined
  const refused = Boolean(choice?.delta?.refusal)
  return {
    text: choice?.delta?.content ?? '',
    finishReason: refused ? 'content_filter' : ended,
    usage: usageOf(cost),
  }
}

/** Errors: ModelError `malformed`, also when texts are missing or the vectors are not of one length. */
export function readEmbeddings(body: unknown, count: number): Vectors {
  const { data, model, usage: cost } = read(embeddings, body, 'embeddings')
  const vectors = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding)
  const length = vectors[0]?.length
  const inOrder =
    new Set(data.map(({ index }) => index)).size === count && data.every(({ index }) => index < count)
  if (data.length !== count || !inOrder || vectors.some((vector) => vector.length !== length)) {
    throw new ModelError('malformed', `the provider did not send ${count} vectors of one length`)
  }
  return { vectors, usage: usageOf(cost), model: model ?? '' }
}

function read<T>(shape: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = shape.safeParse(body)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') || 'the whole'
  throw new ModelError('malformed', `the provider sent what is not ${what} (at ${field})`)
}

function finishReasonOf(reason: string): FinishReason {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop'
}

function usageOf(cost: z.infer<typeof usage> | null | undefined): TokenUsage | undefined {
  return cost ? { inputTokens: cost.prompt_tokens, outputTokens: cost.completion_tokens ?? 0 } : undefined
}
