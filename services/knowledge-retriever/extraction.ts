import { randomUUID } from 'node:crypto'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { Clock } from '../platform/clock.ts'
import type { EntityKey } from './entities.ts'
import type { KnowledgeEvents } from './events.ts'
import { answerSchema, type ExtractedNames, extractionPrompt, namesOfAnswer } from './extraction-prompt.ts'
import { cutIntoPassages } from './passages.ts'
import type { KnownDocument } from './prepare.ts'
import type { TokenAllowance } from './token-allowance.ts'

/** How long the one who stores documents can wait for the names in them. */
export interface Patience {
  /** What is not read by then is stored without. Absent: hours. */
  readonly withinMs?: number
  /** Nobody waits any more. */
  readonly signal?: AbortSignal
}

export interface ExtractionParts {
  readonly models: Client<typeof LlmAdapterService>
  readonly allowance: TokenAllowance
  readonly events: KnowledgeEvents
  readonly clock: Clock
}

const passagesAtOnce = 4
const callTimeoutMs = 60_000
const maxOutputTokens = 1024
/** Nothing waits longer for a batch. */
const longestMs = 6 * 60 * 60 * 1000
/** A model that failed is let alone for so long. */
const pauseMs = 30_000
/** The adapter asks a second time when an answer does not satisfy the schema, and then repeats all. */
const maxAnswers = 2
/** What a chat template and the adapter's words add to a prompt, at most. */
const overheadTokens = 256
/** A failed call does not say what it cost. With these codes mostly nothing; with others all that was set aside counts. */
const freeCodes: ReadonlySet<Code> = new Set([
  Code.FailedPrecondition,
  Code.ResourceExhausted,
  Code.Unavailable,
  Code.InvalidArgument,
])
/** With these codes the next passage may well be read. */
const codesOfOnePassage: ReadonlySet<Code> = new Set([Code.Aborted, Code.InvalidArgument])

/** A document while it is being read. */
interface Reading {
  readonly id: string
  readonly passages: readonly string[]
  readonly names: Set<EntityKey>
  unread: number
}

/**
 * A model's look for the names in documents, before they are stored. It is extra evidence and never in the way: when the
 * day's tokens are used up or the model fails, it stops for a while, and documents are stored without. States:
 *
 *   reading → stopped (until a time) → reading
 */
export class Extraction {
  readonly #parts: ExtractionParts
  readonly #places = new Places(passagesAtOnce)
  #reason = ''
  #stoppedUntilMs = Number.NEGATIVE_INFINITY

  constructor(parts: ExtractionParts) {
    this.#parts = parts
  }

  /** Why it does not read at the moment; empty while it does. */
  get stopped(): string {
    return this.#parts.clock.monotonicMs() < this.#stoppedUntilMs ? this.#reason : ''
  }

  /**
   * The names in each of these documents that was read whole, by id; the others are to be stored without.
   * Errors: the reason of `patience.signal` when it aborts.
   */
  async namesIn(documents: readonly KnownDocument[], patience: Patience): Promise<Map<string, EntityKey[]>> {
    const { withinMs = longestMs, signal } = patience
    const time = AbortSignal.timeout(Math.floor(Math.min(longestMs, Math.max(0, withinMs))))
    const end = signal === undefined ? time : AbortSignal.any([signal, time])
    const readings = documents.map(readingOf)
    const tasks = readings.flatMap((reading) => reading.passages.map((passage) => ({ reading, passage })))
    await Promise.all(
      Array.from({ length: passagesAtOnce }, async () => {
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
          const { reading, passage } = task
          const names = await this.#places.run(() => this.#namesOf(passage, end))
          if (names === undefined) continue
          reading.unread -= 1
          for (const name of names) reading.names.add(name)
        }
      }),
    )
    signal?.throwIfAborted()
    return new Map(
      readings.filter(({ unread }) => unread === 0).map(({ id, names }) => [id, [...names].sort()]),
    )
  }

  /** Undefined when the passage was not read. */
  async #namesOf(passage: string, end: AbortSignal): Promise<ReadonlySet<EntityKey> | undefined> {
    if (this.stopped !== '' || end.aborted) return undefined
    const { allowance, events } = this.#parts
    const messages = extractionPrompt(passage, randomUUID())
    const most = mostTokens(messages)
    if (!(await allowance.reserve(most))) {
      this.#stop(
        `the ${allowance.tokensPerDay} tokens of NEXUS_EXTRACTION_DAILY_TOKEN_BUDGET are used up for today (UTC)`,
        allowance.msLeftOfDay,
      )
      return undefined
    }
    let cost = 0
    try {
      const reply = await this.#parts.models.completeStructured(
        { prompt: { messages, maxOutputTokens }, jsonSchema: answerSchema, schemaName: 'names' },
        { signal: end, timeoutMs: callTimeoutMs },
      )
      const usage = {
        input: Number(reply.usage?.inputTokens ?? 0),
        output: Number(reply.usage?.outputTokens ?? 0),
      }
      cost = usage.input + usage.output
      const names = namesOfAnswer(JSON.parse(reply.json) as ExtractedNames, passage)
      events.namesExtracted(names.size, usage)
      return names
    } catch (error) {
      const { code } = ConnectError.from(error)
      cost = freeCodes.has(code) ? 0 : most
      return this.#refused(error, end)
    } finally {
      allowance.settle(most, cost)
    }
  }

  /** What a failed call means: nothing when nobody waits for it, no names when it is this passage, else a pause. */
  #refused(error: unknown, end: AbortSignal): ReadonlySet<EntityKey> | undefined {
    if (end.aborted) return undefined
    const { code, rawMessage } = ConnectError.from(error)
    if (codesOfOnePassage.has(code)) {
      this.#parts.events.passageNotRead(rawMessage)
      return new Set()
    }
    this.#stop(`the model cannot be asked: ${rawMessage}`, pauseMs)
    return undefined
  }

  #stop(reason: string, forMs: number): void {
    if (this.stopped !== '') return
    this.#reason = reason
    this.#stoppedUntilMs = this.#parts.clock.monotonicMs() + forMs
    this.#parts.events.extractionStopped(reason, forMs)
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

/** So many at once, whoever asks; the others wait for a place. */
class Places {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
