import type { Client } from '@connectrpc/connect'
import { LRUCache } from 'lru-cache'
import type { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { KnowledgeEvents } from './events.ts'
import { endOf, type ModelGate, type Patience, UnusableReplyError } from './model-gate.ts'
import { cutIntoPassages } from './passages.ts'
import type { KnownDocument } from './prepare.ts'
import { packVectors, unitVector } from './vectors.ts'

export interface EmbeddingParts {
  readonly models: Client<typeof LlmAdapterService>
  readonly gate: ModelGate
  readonly events: KnowledgeEvents
}

/** What a model makes of a question. */
export interface QuestionVector {
  readonly model: string
  readonly vector: Float32Array
}

const textsAtOnce = 64
const callTimeoutMs = 60_000
/** Who asks does not wait longer for it: the words and the names find most without. */
const questionTimeoutMs = 2_000
const maxQuestionsKept = 1_000
/** What the protocol adds to each text, at most. */
const overheadTokens = 16

/** A model's vectors of passages and questions; what it cannot embed is stored, and answered, without. */
export class Embedding {
  readonly #parts: EmbeddingParts
  readonly #questions = new LRUCache<string, QuestionVector>({ max: maxQuestionsKept })
  #model: string | undefined

  constructor(parts: EmbeddingParts) {
    this.#parts = parts
  }

  /** Why it does not embed at the moment; empty while it does. */
  get stopped(): string {
    return this.#parts.gate.stopped
  }

  /** The model that answered last; undefined until one has. */
  get model(): string | undefined {
    return this.#model
  }

  /**
   * The packed vectors of each of these documents that was embedded whole, by id; the others are to be stored without.
   * Errors: the reason of `patience.signal` when it aborts.
   */
  async vectorsOf(documents: readonly KnownDocument[], patience: Patience): Promise<Map<string, Uint8Array>> {
    const end = endOf(patience)
    const found = new Map<string, Uint8Array>()
    const offered = documents.map(textsOf)
    for (const { id, texts } of offered) {
      if (texts.length === 0) found.set(id, packVectors({ model: '', vectors: [] }))
    }
    for (const group of groupsOf(offered.filter(({ texts }) => texts.length > 0))) {
      const texts = group.flatMap(({ texts }) => texts)
      const reply = await this.#embedAll(texts, end)
      if (reply === undefined) continue
      let at = 0
      for (const { id, texts: own } of group) {
        const vectors = reply.vectors.slice(at, at + own.length)
        at += own.length
        found.set(id, packVectors({ model: reply.model, vectors }))
      }
    }
    patience.signal?.throwIfAborted()
    return found
  }

  /** Undefined when the model does not answer in time. Errors: the reason of `signal` when it aborts. */
  async ofQuestion(question: string, signal: AbortSignal | undefined): Promise<QuestionVector | undefined> {
    const known = this.#questions.get(question)
    if (known !== undefined) return known
    const reply = await this.#embedAll([question], endOf({ signal, withinMs: questionTimeoutMs }))
    signal?.throwIfAborted()
    const vector = reply?.vectors[0]
    if (reply === undefined || vector === undefined) return undefined
    const embedded = { model: reply.model, vector }
    this.#questions.set(question, embedded)
    return embedded
  }

  async #embedAll(
    texts: readonly string[],
    end: AbortSignal,
  ): Promise<{ model: string; vectors: Float32Array[] } | undefined> {
    const vectors: Float32Array[] = []
    let model = ''
    for (let from = 0; from < texts.length; from += textsAtOnce) {
      const some = texts.slice(from, from + textsAtOnce)
      const reply = await this.#embed(some, end)
      // Vectors of two models cannot be compared.
      if (reply?.embeddings.length !== some.length || (model !== '' && reply.model !== model))
        return undefined
      model = reply.model
      for (const { values } of reply.embeddings) vectors.push(unitVector(values))
    }
    return { model, vectors }
  }

  async #embed(texts: readonly string[], end: AbortSignal) {
    const { models, gate, events } = this.#parts
    const most = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + overheadTokens, 0)
    try {
      const reply = await gate.ask(most, end, () =>
        models.embed({ texts: [...texts] }, { signal: end, timeoutMs: callTimeoutMs }),
      )
      if (reply === undefined) return undefined
      if (reply.model !== this.#model) this.#questions.clear()
      this.#model = reply.model
      events.embedded(texts.length, reply.usage)
      return reply
    } catch (error) {
      if (!(error instanceof UnusableReplyError)) throw error
      events.notEmbedded(error.message)
      return undefined
    }
  }
}

interface Texts {
  readonly id: string
  readonly texts: readonly string[]
}

function textsOf({ id, title, text }: KnownDocument): Texts {
  const pieces = cutIntoPassages(text)
  return {
    id,
    texts: pieces.map(({ offset, length }) => `${title}\n${text.slice(offset, offset + length)}`.trim()),
  }
}

/** Small documents together, so that a call has as many texts as it may. */
function groupsOf(documents: readonly Texts[]): Texts[][] {
  const groups: Texts[][] = []
  let room = 0
  for (const document of documents) {
    if (document.texts.length > room) {
      groups.push([])
      room = textsAtOnce
    }
    groups.at(-1)?.push(document)
    room -= document.texts.length
  }
  return groups
}
