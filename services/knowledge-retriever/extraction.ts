import { randomUUID } from 'node:crypto'
import type { Client } from '@connectrpc/connect'
import type { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { EntityKey } from './entities.ts'
import type { KnowledgeEvents } from './events.ts'
import { answerSchema, type ExtractedNames, extractionPrompt, namesOfAnswer } from './extraction-prompt.ts'
import { endOf, type ModelGate, type Patience, UnusableReplyError } from './model-gate.ts'
import { cutIntoPassages } from './passages.ts'
import type { KnownDocument } from './prepare.ts'

export interface ExtractionParts {
  readonly models: Client<typeof LlmAdapterService>
  readonly gate: ModelGate
  readonly events: KnowledgeEvents
}

const passagesAtOnce = 4
const callTimeoutMs = 60_000
const maxOutputTokens = 1024
/** The adapter asks a second time when an answer does not satisfy the schema, and then repeats all. */
const maxAnswers = 2
/** What a chat template and the adapter's words add to a prompt, at most. */
const overheadTokens = 256

/** A document while it is being read. */
interface Reading {
  readonly id: string
  readonly passages: readonly string[]
  readonly names: Set<EntityKey>
  unread: number
}

/** A model's look for the names in documents, before they are stored; what it cannot read is stored without. */
export class Extraction {
  readonly #parts: ExtractionParts

  constructor(parts: ExtractionParts) {
    this.#parts = parts
  }

  /** Why it does not read at the moment; empty while it does. */
  get stopped(): string {
    return this.#parts.gate.stopped
  }

  /**
   * The names in each of these documents that was read whole, by id; the others are to be stored without.
   * Errors: the reason of `patience.signal` when it aborts.
   */
  async namesIn(documents: readonly KnownDocument[], patience: Patience): Promise<Map<string, EntityKey[]>> {
    const end = endOf(patience)
    const readings = documents.map(readingOf)
    const tasks = readings.flatMap((reading) => reading.passages.map((passage) => ({ reading, passage })))
    await Promise.all(
      Array.from({ length: passagesAtOnce }, async () => {
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
          const { reading, passage } = task
          const names = await this.#namesOf(passage, end)
          if (names === undefined) continue
          reading.unread -= 1
          for (const name of names) reading.names.add(name)
        }
      }),
    )
    patience.signal?.throwIfAborted()
    return new Map(
      readings.filter(({ unread }) => unread === 0).map(({ id, names }) => [id, [...names].sort()]),
    )
  }

  /** Undefined when the passage was not read. */
  async #namesOf(passage: string, end: AbortSignal): Promise<ReadonlySet<EntityKey> | undefined> {
    const { models, gate, events } = this.#parts
    const messages = extractionPrompt(passage, randomUUID())
    const request = {
      prompt: { messages, maxOutputTokens },
      jsonSchema: answerSchema,
      schemaName: 'names',
    }
    try {
      const reply = await gate.ask(mostTokens(messages), end, () =>
        models.completeStructured(request, { signal: end, timeoutMs: callTimeoutMs }),
      )
      if (reply === undefined) return undefined
      const names = namesOfAnswer(JSON.parse(reply.json) as ExtractedNames, passage)
      events.namesExtracted(names.size, reply.usage)
      return names
    } catch (error) {
      if (!(error instanceof UnusableReplyError)) throw error
      events.passageNotRead(error.message)
      return new Set()
    }
  }
}

function readingOf({ id, text }: KnownDocument): Reading {
  const passages = cutIntoPassages(text).map(({ offset, length }) => text.slice(offset, offset + length))
  return { id, passages, names: new Set(), unread: passages.length }
}

/** Byte-level tokenisers give at most a token for each byte. */
function mostTokens(messages: ReturnType<typeof extractionPrompt>): number {
  const prompt = messages.reduce((sum, { content = '' }) => sum + Buffer.byteLength(content), 0)
  return maxAnswers * (prompt + answerSchema.length + overheadTokens + maxOutputTokens) + maxOutputTokens
}
