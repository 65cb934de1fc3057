import type { Embedding, QuestionVector } from './embedding.ts'
import type { EntityKey } from './entities.ts'
import type { Extraction } from './extraction.ts'
import type { Patience } from './model-gate.ts'
import type { StoredDocument } from './store.ts'

/** What models have made of a document. */
export interface Reading {
  /** The names in it, as keys. */
  readonly names?: readonly EntityKey[]
  /** The vectors of its passages; see vectors.ts. */
  readonly vectors?: Uint8Array
}

/** What models are asked to make of documents, by the settings: all of it is extra, and may be missing. */
export class Readings {
  readonly #extraction: Extraction | undefined
  readonly #embedding: Embedding | undefined

  constructor(parts: { readonly extraction?: Extraction; readonly embedding?: Embedding }) {
    this.#extraction = parts.extraction
    this.#embedding = parts.embedding
  }

  get embeds(): boolean {
    return this.#embedding !== undefined
  }

  /** Why models are not asked at the moment; empty while they are, and when none is to be. */
  get stopped(): string {
    const reasons = [this.#extraction?.stopped, this.#embedding?.stopped].filter((reason) => reason)
    return [...new Set(reasons)].join('; ')
  }

  /** Whether vectors of that model cannot be compared with those of the model that answers now. */
  isOutdated(model: string | undefined): boolean {
    const answering = this.#embedding?.model
    return model !== undefined && answering !== undefined && model !== answering
  }

  /** Whether a document has all that the models are to make of it. */
  isWhole(reading: { readonly names: boolean; readonly vectors: boolean }): boolean {
    return (
      (this.#extraction === undefined || reading.names) && (this.#embedding === undefined || reading.vectors)
    )
  }

  /**
   * What the models make of documents, beside what is known of them already, by id.
   * Errors: the reason of `patience.signal` when it aborts.
   */
  async of(
    documents: readonly StoredDocument[],
    known: ReadonlyMap<string, Reading>,
    patience: Patience,
  ): Promise<Map<string, Reading>> {
    const without = (part: keyof Reading) => documents.filter(({ id }) => known.get(id)?.[part] === undefined)
    const [names, vectors] = await Promise.all([
      this.#extraction?.namesIn(without('names'), patience),
      this.#embedding?.vectorsOf(without('vectors'), patience),
    ])
    return new Map(
      documents.map(({ id }) => {
        const before = known.get(id)
        return [id, { names: before?.names ?? names?.get(id), vectors: before?.vectors ?? vectors?.get(id) }]
      }),
    )
  }

  /** Undefined where nothing is embedded, or the model does not answer in time. */
  async ofQuestion(question: string, signal: AbortSignal | undefined): Promise<QuestionVector | undefined> {
    return await this.#embedding?.ofQuestion(question, signal)
  }
}
