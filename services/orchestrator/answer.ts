import { randomUUID } from 'node:crypto'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { Passage } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { FinishReason } from '../gen/nexus/llm_adapter/v1/completion_pb.ts'
import type { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { promptFor, readAnswer } from './compose.ts'
import type { OrchestratorEvents } from './events.ts'
import { type CitedText, extractAnswer } from './extract.ts'

/** How an answer came about, in the words of the log and the metric. */
export type Origin = 'not_found' | 'extracted' | 'model'

/** An answer with what it rests on; with `not_found` the nearest passages. */
export interface Answer extends CitedText {
  readonly origin: Origin
}

export interface AnswerParts {
  readonly models: Client<typeof LlmAdapterService>
  readonly events: OrchestratorEvents
}

const maxOutputTokens = 1024
const modelTimeoutMs = 45_000
const providerTimeoutMs = 2_000
const notFoundText = 'Not found in the knowledge base.'

/**
 * Answers a question from passages: a model writes the answer where one is configured and does its work, else it is made
 * of sentences of the passages. Without support it is `not_found`, never a guess.
 */
export async function answer(
  parts: AnswerParts,
  question: string,
  passages: readonly Passage[],
  signal: AbortSignal,
): Promise<Answer> {
  const notFound: Answer = { origin: 'not_found', text: notFoundText, cited: passages }
  if (passages.length === 0) return notFound
  const written = await write(parts, question, passages, signal)
  if (written === 'not-found') return notFound
  if (written !== undefined) return { origin: 'model', ...written }
  const extracted = extractAnswer(question, passages)
  return extracted === undefined ? notFound : { origin: 'extracted', ...extracted }
}

/** The model's answer, or undefined when there is no model or its answer cannot be used. */
async function write(
  { models, events }: AnswerParts,
  question: string,
  passages: readonly Passage[],
  signal: AbortSignal,
): Promise<CitedText | 'not-found' | undefined> {
  try {
    const provider = await models.getProvider({}, { signal, timeoutMs: providerTimeoutMs })
    if (!provider.configured) return undefined
    const messages = promptFor(question, passages, randomUUID())
    const reply = await models.complete({ messages, maxOutputTokens }, { signal, timeoutMs: modelTimeoutMs })
    // A cut or withheld text may have lost the half that matters.
    if (reply.finishReason !== FinishReason.STOP) return events.modelNotUsed('unfinished')
    const composed = readAnswer(reply.text, passages)
    if (composed.kind === 'not-found') return 'not-found'
    return composed.kind === 'answer' ? composed.answer : events.modelNotUsed('uncited')
  } catch (error) {
    if (signal.aborted || ConnectError.from(error).code === Code.Canceled) throw error
    return events.modelNotUsed('unavailable', error)
  }
}
