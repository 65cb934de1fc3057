import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KnownDocument } from './prepare.ts'

/** A document with the hash of all that it says. */
export interface StoredDocument extends KnownDocument {
  readonly hash: string
}

/** The store cannot be used; the message names the file and the remedy. */
export class DocumentStoreError extends Error {
  override readonly name = 'DocumentStoreError'
}

/** The documents on disk: the truth from which the graph in memory is rebuilt at each start. */
export interface DocumentStore {
  /** Counts the changes; equal revisions of one store mean equal documents. */
  revision(): number
  /** Gives the hash of a stored document. */
  hashOf(id: string): string | undefined
  /** All documents in the order of their ids. */
  all(): Iterable<KnownDocument>
  /** Deletes and stores as one durable step: after it returns, not even a power cut takes it back. */
  change(change: { deleted: readonly string[]; stored: readonly StoredDocument[] }): void
  close(): void
}

const schemaVersion = 1

const schema = `
  CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (only INTEGER PRIMARY KEY CHECK (only = 1), schema INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
`

// A random beginning: a cache that outlives this file must not take the revisions of another one for its own.
const firstRevision = () => randomInt(2 ** 40)

/** Opens `sqlite:<path>`. One process has it at a time. Errors: DocumentStoreError. */
export function openDocumentStore(url: string): DocumentStore {
  const file = url.slice('sqlite:'.length)
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    return new SqliteDocumentStore(openDatabase(file))
  } catch (error) {
    throw new DocumentStoreError(
      `the knowledge in ${file} cannot be opened (${(error as Error).message}): stop the other process that has it, or point NEXUS_GRAPH_URL at a file that can be written`,
      { cause: error },
    )
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // Exclusive: the graph in memory is only right while nobody else writes.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    database.exec(`BEGIN IMMEDIATE; ${schema}`)
    database.prepare('INSERT OR IGNORE INTO meta VALUES (1, ?, ?)').run(schemaVersion, firstRevision())
    database.exec('COMMIT')
    const found = database.prepare('SELECT schema FROM meta').get()?.schema
    if (found !== schemaVersion) throw new Error(`it has schema ${found}, this NEXUS reads ${schemaVersion}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

class SqliteDocumentStore implements DocumentStore {
  readonly #database: DatabaseSync
  readonly #statements

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#statements = {
      revision: database.prepare('SELECT revision FROM meta'),
      advance: database.prepare('UPDATE meta SET revision = revision + 1'),
      hash: database.prepare('SELECT hash FROM documents WHERE id = ?'),
      all: database.prepare('SELECT id, title, text, source FROM documents ORDER BY id'),
      store: database.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)'),
      delete: database.prepare('DELETE FROM documents WHERE id = ?'),
    }
  }

  revision(): number {
    return Number(this.#statements.revision.get()?.revision)
  }

  hashOf(id: string): string | undefined {
    return this.#statements.hash.get(id)?.hash as string | undefined
  }

  *all(): Iterable<KnownDocument> {
    for (const row of this.#statements.all.iterate()) yield row as unknown as KnownDocument
  }

  change(change: { deleted: readonly string[]; stored: readonly StoredDocument[] }): void {
    if (change.deleted.length === 0 && change.stored.length === 0) return
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const id of change.deleted) this.#statements.delete.run(id)
      for (const { id, title, text, source, hash } of change.stored) {
        this.#statements.store.run(id, title, text, source, hash)
      }
      this.#statements.advance.run()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }
}
