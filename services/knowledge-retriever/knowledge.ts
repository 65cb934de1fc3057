import { createHash } from 'node:crypto'
import type { DocumentStore, StoredDocument } from './graph.sqlite.ts'
import { KnowledgeGraph } from './graph.ts'
import { type KnownDocument, prepareDocument } from './prepare.ts'
import { type Found, retrieve } from './retrieve.ts'

/** A document as it is offered; an empty id stands for the hash of its text. */
export type OfferedDocument = KnownDocument

export type PutOutcome = 'added' | 'replaced' | 'unchanged'

/** What became of an offered document. */
export interface PutResult {
  readonly id: string
  readonly outcome: PutOutcome
  readonly passages: number
}

/** A batch has two documents under one id; the message names both places. */
export class RepeatedIdError extends Error {
  override readonly name = 'RepeatedIdError'
}

/** What is known: the documents on disk and the graph over them in memory, changed together. */
export class Knowledge {
  readonly #store: DocumentStore
  readonly #graph = new KnowledgeGraph()
  #revision: number

  /** Reads all documents of the store into the graph: a few thousand a second. */
  constructor(store: DocumentStore) {
    this.#store = store
    this.#graph.apply({ removed: [], added: Array.from(store.all(), prepareDocument) })
    this.#revision = store.revision()
  }

  /** Stores a batch: all of it, on disk and in the graph, or nothing. Errors: RepeatedIdError; whatever SQLite throws. */
  put(offered: readonly OfferedDocument[]): PutResult[] {
    const documents = offered.map(identify)
    const fresh = new Map<string, StoredDocument>()
    const outcomes = documents.map((document, index): PutOutcome => {
      const { id, hash } = document
      const earlier = fresh.get(id)
      if (earlier !== undefined && (earlier.hash !== hash || offered[index]?.id !== '')) {
        throw new RepeatedIdError(`documents[${index}].id: ${JSON.stringify(id)} stands in the batch before`)
      }
      const known = earlier?.hash ?? this.#store.hashOf(id)
      if (known === hash) return 'unchanged'
      fresh.set(id, document)
      return known === undefined ? 'added' : 'replaced'
    })
    this.#change([], [...fresh.values()])
    return documents.map(({ id }, index) => ({
      id,
      outcome: outcomes[index] as PutOutcome,
      passages: this.#graph.passagesOf(id),
    }))
  }

  /** Forgets documents; gives how many of the ids were known. */
  delete(ids: readonly string[]): number {
    const known = [...new Set(ids)].filter((id) => this.#store.hashOf(id) !== undefined)
    this.#change(known, [])
    return known.length
  }

  /** The passages that answer a question best, and the revision that they are of. */
  retrieve(question: string, limit: number): { found: Found[]; revision: number } {
    return { found: retrieve(this.#graph, question, limit), revision: this.#revision }
  }

  get statistics(): KnowledgeGraph['counts'] & { revision: number } {
    return { ...this.#graph.counts, revision: this.#revision }
  }

  close(): void {
    this.#store.close()
  }

  #change(deleted: readonly string[], stored: readonly StoredDocument[]): void {
    if (deleted.length === 0 && stored.length === 0) return
    // Prepared first: what cannot be read into the graph must not be on disk either.
    const added = stored.map(prepareDocument)
    this.#store.change({ deleted, stored })
    this.#graph.apply({ removed: [...deleted, ...stored.map(({ id }) => id)], added })
    this.#revision = this.#store.revision()
  }
}

/** Makes the text well-formed (a lone surrogate becomes U+FFFD), so that what is hashed, stored and answered is one text. */
function identify(offered: OfferedDocument): StoredDocument {
  const title = offered.title.toWellFormed()
  const text = offered.text.toWellFormed()
  const source = offered.source.toWellFormed()
  const id = offered.id === '' ? sha256(text) : offered.id.toWellFormed()
  return { id, title, text, source, hash: sha256(JSON.stringify([title, text, source])) }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
