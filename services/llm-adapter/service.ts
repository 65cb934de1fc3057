import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import {
  FinishReason as FinishReasonCode,
  Role,
  type Usage,
} from '../gen/nexus/llm_adapter/v1/completion_pb.ts'
import type {
  CompleteRequest,
  LlmAdapterService,
} from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { invariant } from '../platform/invariant.ts'
import { JournalUnavailableError } from '../platform/journal/journal.ts'
import { BudgetSpentError } from './budget.ts'
import { type ConversationParts, complete, embed, stream } from './converse.ts'
import type { Operation } from './events.ts'
import {
  type FinishReason,
  ModelError,
  type ModelFault,
  type Prompt,
  type TokenUsage,
  type Turn,
} from './model.ts'
import { completeStructured, prepareSchema, SchemaError, UnusableAnswerError } from './structured.ts'

export interface AdapterParts extends ConversationParts {
  /** Where a request does not say. */
  readonly defaultMaxOutputTokens: number
}

/** A hundred thousand characters in each of 256 turns would pass the contract; no model takes that much. */
const maxPromptCharacters = 4_000_000

export function createLlmAdapter(parts: AdapterParts): ServiceImpl<typeof LlmAdapterService> {
  const { events, model, budget } = parts
  return {
    complete: (request, context) =>
      answering(parts, 'complete', async () => {
        const {
          text,
          finishReason,
          usage,
          model: answeredBy,
        } = await complete(parts, promptOf(parts, request), context.signal)
        events.answered('complete', usage)
        return {
          text,
          finishReason: finishCodes[finishReason],
          usage: usageMessage(usage),
          model: answeredBy,
        }
      }),
    streamCompletion: ({ prompt }, context) => streamPieces(parts, promptOf(parts, prompt), context),
    completeStructured: ({ prompt, jsonSchema, schemaName }, context) =>
      answering(parts, 'complete_structured', async () => {
        const prepared = prepareSchema(jsonSchema)
        const asked = { ...promptOf(parts, prompt), format: { name: schemaName, schema: prepared.schema } }
        const {
          json,
          usage,
          model: answeredBy,
        } = await completeStructured(parts, { prompt: asked, prepared }, context.signal)
        events.answered('complete_structured', usage)
        return { json, usage: usageMessage(usage), model: answeredBy }
      }),
    embed: ({ texts }, context) =>
      answering(parts, 'embed', async () => {
        const { vectors, usage, model: answeredBy } = await embed(parts, texts, context.signal)
        events.answered('embed', usage)
        return {
          embeddings: vectors.map((values) => ({ values: [...values] })),
          usage: usageMessage(usage),
          model: answeredBy,
        }
      }),
    getProvider: () =>
      journalled(async () => {
        const { configured, provider, completionModel, embeddingModel, remark } = model.about
        const usedToday = configured ? await budget.used() : { inputTokens: 0, outputTokens: 0 }
        const dailyTokenBudget = BigInt(budget.tokensPerDay)
        return {
          configured,
          provider,
          completionModel,
          embeddingModel,
          remark,
          dailyTokenBudget,
          usedToday: usageMessage(usedToday),
        }
      }),
  }
}

async function* streamPieces(parts: AdapterParts, prompt: Prompt, { signal }: HandlerContext) {
  const pieces = stream(parts, prompt, signal)
  try {
    for (;;) {
      const { value, done } = await answering(parts, 'stream_completion', () => pieces.next())
      if (done) return
      const { text, finishReason, usage } = value
      if (finishReason && usage) parts.events.answered('stream_completion', usage)
      yield {
        text,
        finishReason: finishReason && finishCodes[finishReason],
        usage: usage && usageMessage(usage),
      }
    }
  } finally {
    await pieces.return(undefined)
  }
}

const roles: Readonly<Partial<Record<Role, Turn['role']>>> = {
  [Role.SYSTEM]: 'system',
  [Role.USER]: 'user',
  [Role.ASSISTANT]: 'assistant',
}

function promptOf(parts: AdapterParts, request: CompleteRequest | undefined): Prompt {
  invariant(request, 'the contract requires a prompt')
  const turns = request.messages.map(({ role, content }) => ({ role: roles[role] ?? 'user', content }))
  const characters = turns.reduce((sum, { content }) => sum + content.length, 0)
  if (characters > maxPromptCharacters) {
    throw new ConnectError(
      `messages: together they have ${characters} characters, at most ${maxPromptCharacters} are sent`,
      Code.InvalidArgument,
    )
  }
  return {
    turns,
    maxOutputTokens: request.maxOutputTokens || parts.defaultMaxOutputTokens,
    temperature: request.temperature,
  }
}

const finishCodes: Readonly<Record<FinishReason, FinishReasonCode>> = {
  stop: FinishReasonCode.STOP,
  length: FinishReasonCode.LENGTH,
  content_filter: FinishReasonCode.CONTENT_FILTER,
}

function usageMessage({ inputTokens, outputTokens }: TokenUsage): Usage {
  return {
    $typeName: 'nexus.llm_adapter.v1.Usage',
    inputTokens: BigInt(inputTokens),
    outputTokens: BigInt(outputTokens),
  }
}

const codes: Readonly<Record<ModelFault, Code>> = {
  rate_limited: Code.ResourceExhausted,
  quota: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  malformed: Code.Unavailable,
  timeout: Code.DeadlineExceeded,
  key: Code.FailedPrecondition,
  unknown_model: Code.FailedPrecondition,
  unsupported: Code.FailedPrecondition,
  not_configured: Code.FailedPrecondition,
  too_long: Code.InvalidArgument,
}

/** Gives what can go wrong its code. */
async function answering<T>(parts: AdapterParts, operation: Operation, work: () => Promise<T>): Promise<T> {
  try {
    return await journalled(work)
  } catch (error) {
    const [code, reason] = judged(error)
    if (code === undefined) throw error
    parts.events.refused(operation, reason)
    throw new ConnectError((error as Error).message, code)
  }
}

function judged(error: unknown): [code: Code | undefined, reason: string] {
  if (error instanceof ModelError) return [codes[error.fault], error.fault]
  if (error instanceof BudgetSpentError) return [Code.ResourceExhausted, 'budget']
  if (error instanceof SchemaError) return [Code.InvalidArgument, 'schema']
  if (error instanceof UnusableAnswerError) return [Code.Aborted, 'unusable']
  return [undefined, '']
}

async function journalled<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof JournalUnavailableError)) throw error
    throw new ConnectError(
      'the journal that holds the token budget cannot be reached now',
      Code.Unavailable,
      undefined,
      undefined,
      error,
    )
  }
}
