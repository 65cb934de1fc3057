import type { EntityKey } from './entities.ts'
import type { KnownDocument } from './prepare.ts'

/** A document with the hash of all that it says. */
export interface StoredDocument extends KnownDocument {
  readonly hash: string
  /** The vectors that a model has made of its passages; see vectors.ts. Absent when none has. */
  readonly vectors?: Uint8Array
}

/** The vectors of a document. */
export interface StoredVectors {
  readonly id: string
  readonly vectors: Uint8Array
}

/** A passage as a store that is a graph shows it. Worked out from the document alone. */
export interface WrittenPassage {
  readonly id: string
  readonly text: string
  /** In UTF-16 code units from the beginning of the document. */
  readonly offset: number
  /** The names that stand in it, and those that its title gives. */
  readonly names: readonly EntityKey[]
}

/** A document as it is written. */
export interface WrittenDocument extends StoredDocument {
  readonly passages: readonly WrittenPassage[]
}

/** A name that means the same as another: `alias` → `name`. */
export interface MergedName {
  readonly alias: EntityKey
  readonly name: EntityKey
}

/** One durable step. A document that is stored replaces the one under its id; what is not there is deleted already. */
export interface StoreChange {
  readonly deleted: readonly string[]
  readonly stored: readonly WrittenDocument[]
  readonly merged: readonly MergedName[]
  readonly split: readonly EntityKey[]
}

/**
 * The documents and the merged names: the truth over which the graph in memory is built.
 * Implementations: `graph.sqlite.ts`, `graph.neo4j.ts`; opened by URL in `open.ts`; held to one suite in `store.contract.ts`.
 * Errors of all operations, within a bounded time: StoreUnavailableError.
 */
export interface DocumentStore {
  /** Where it is, without user and password: fit for messages and logs. */
  readonly address: string
  /** Nobody else can write while it is open, so what was read once stays true. */
  readonly exclusive: boolean
  /** Advances by one with each change, whoever makes it; equal revisions of one store mean equal contents. */
  revision(): Promise<number>
  /** The id and the hash of every document. */
  hashes(): Promise<Map<string, string>>
  /** The documents of these ids that are there, some at a time. */
  read(ids: readonly string[]): AsyncIterable<readonly StoredDocument[]>
  mergedNames(): Promise<Map<EntityKey, EntityKey>>
  /** The vectors of all documents that have some, some at a time. */
  vectors(): AsyncIterable<readonly StoredVectors[]>
  /**
   * Makes a change whole or not at all and gives the new revision; when it resolves, not even a power cut takes it back.
   * After StoreUnavailableError it may have been made: the revision tells. Errors: StaleRevisionError.
   */
  change(change: StoreChange, expectedRevision: number): Promise<number>
  /** Idempotent. Later operations are refused as unavailable. */
  close(): Promise<void>
}

/** The store cannot be opened as it is set up; the message names the place and the remedy. */
export class DocumentStoreError extends Error {
  override readonly name = 'DocumentStoreError'
}

/** The store does not answer, or refuses to, for now. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
  readonly reason: string
  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`the knowledge in ${address} is not available: ${reason}`, options)
    this.reason = reason
  }
}

/** Someone else has changed the store since the revision that the writer had seen: read, and decide anew. */
export class StaleRevisionError extends Error {
  override readonly name = 'StaleRevisionError'
}
