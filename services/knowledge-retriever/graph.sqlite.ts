import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EntityKey } from './entities.ts'
import {
  type DocumentStore,
  DocumentStoreError,
  StaleRevisionError,
  type StoreChange,
  type StoredDocument,
  type StoredVectors,
  StoreUnavailableError,
} from './store.ts'

const schemaVersion = 4
const readBatch = 200
/** Ids and hashes are listed this many at a time, some milliseconds. */
const listBatch = 5_000
/** Columns that a version brought; version 2 brought the table of merged names. All else was the same. */
const columnsSince: readonly (readonly [version: number, column: string])[] = [
  [3, 'names TEXT'],
  [4, 'vectors BLOB'],
]

const schema = `
  CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL,
    names TEXT, vectors BLOB
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS merged_names (alias TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (only INTEGER PRIMARY KEY CHECK (only = 1), schema INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
`

// A random beginning: a cache that outlives this file must not take the revisions of another one for its own.
const firstRevision = () => randomInt(2 ** 40)

/** Opens a file. One process has it at a time. Errors: DocumentStoreError. */
export function openSqliteStore(file: string): DocumentStore {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    return new SqliteStore(file, openDatabase(file))
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
    // What is deleted is overwritten: no text stays in the file.
    database.exec('PRAGMA secure_delete = ON')
    database.exec(`BEGIN IMMEDIATE; ${schema}`)
    database.prepare('INSERT OR IGNORE INTO meta VALUES (1, ?, ?)').run(schemaVersion, firstRevision())
    const found = database.prepare('SELECT schema FROM meta').get()?.schema
    if (typeof found !== 'number' || found < 1 || found > schemaVersion) {
      throw new Error(`it has schema ${found}, this NEXUS reads ${schemaVersion}`)
    }
    for (const [version, column] of columnsSince) {
      if (found < version) database.exec(`ALTER TABLE documents ADD COLUMN ${column}`)
    }
    database.prepare('UPDATE meta SET schema = ?').run(schemaVersion)
    database.exec('COMMIT')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

class SqliteStore implements DocumentStore {
  readonly address: string
  readonly exclusive = true
  readonly #database: DatabaseSync
  readonly #statements

  constructor(file: string, database: DatabaseSync) {
    this.address = `sqlite:${file}`
    this.#database = database
    this.#statements = {
      revision: database.prepare('SELECT revision FROM meta'),
      advance: database.prepare('UPDATE meta SET revision = revision + 1'),
      hashes: database.prepare('SELECT id, hash FROM documents WHERE id > ? ORDER BY id LIMIT ?'),
      read: database.prepare(
        'SELECT id, title, text, source, hash, names, vectors FROM documents WHERE id = ?',
      ),
      store: database.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)'),
      vectors: database.prepare(
        'SELECT id, vectors FROM documents WHERE id > ? AND vectors IS NOT NULL ORDER BY id LIMIT ?',
      ),
      delete: database.prepare('DELETE FROM documents WHERE id = ?'),
      names: database.prepare('SELECT alias, name FROM merged_names'),
      merge: database.prepare('INSERT OR REPLACE INTO merged_names VALUES (?, ?)'),
      split: database.prepare('DELETE FROM merged_names WHERE alias = ?'),
    }
  }

  async revision(): Promise<number> {
    return this.#working(() => this.#revision())
  }

  async hashes(): Promise<Map<string, string>> {
    const hashes = new Map<string, string>()
    for (let after = ''; ; ) {
      const rows = this.#working(() => this.#statements.hashes.all(after, listBatch))
      for (const row of rows) hashes.set(String(row.id), String(row.hash))
      if (rows.length < listBatch) return hashes
      after = String(rows.at(-1)?.id)
      // Others shall get a word in.
      await nextTurn()
    }
  }

  async *read(ids: readonly string[]): AsyncIterable<readonly StoredDocument[]> {
    for (let from = 0; from < ids.length; from += readBatch) {
      const batch = ids.slice(from, from + readBatch)
      yield this.#working(() =>
        batch.flatMap((id) => {
          const row = this.#statements.read.get(id)
          return row === undefined ? [] : documentOf(row as unknown as DocumentRow)
        }),
      )
    }
  }

  async mergedNames(): Promise<Map<EntityKey, EntityKey>> {
    return this.#working(() => {
      const rows = this.#statements.names.all()
      return new Map(rows.map(({ alias, name }) => [String(alias), String(name)]))
    })
  }

  async *vectors(): AsyncIterable<readonly StoredVectors[]> {
    for (let after = ''; ; ) {
      const rows = this.#working(() => this.#statements.vectors.all(after, readBatch))
      const last = rows.at(-1)
      if (last === undefined) return
      after = String(last.id)
      yield rows as unknown as StoredVectors[]
    }
  }

  async change(change: StoreChange, expectedRevision: number): Promise<number> {
    return this.#working(() => this.#change(change, expectedRevision))
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close()
  }

  #change({ deleted, stored, merged, split }: StoreChange, expectedRevision: number): number {
    const found = this.#revision()
    if (found !== expectedRevision) {
      throw new StaleRevisionError(`${this.address} is at revision ${found}, not ${expectedRevision}`)
    }
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const id of deleted) this.#statements.delete.run(id)
      for (const { id, title, text, source, hash, names, vectors } of stored) {
        const told = names ? JSON.stringify(names) : null
        this.#statements.store.run(id, title, text, source, hash, told, vectors ?? null)
      }
      for (const alias of split) this.#statements.split.run(alias)
      for (const { alias, name } of merged) this.#statements.merge.run(alias, name)
      this.#statements.advance.run()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
    return expectedRevision + 1
  }

  #revision(): number {
    return Number(this.#statements.revision.get()?.revision)
  }

  /** What SQLite refuses, as when the disk is full or the file is closed, may work later. */
  #working<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof StaleRevisionError) throw error
      throw new StoreUnavailableError(this.address, (error as Error).message, { cause: error })
    }
  }
}

/** A document as its row has it; the names as JSON. */
interface DocumentRow extends Omit<StoredDocument, 'names' | 'vectors'> {
  readonly names: string | null
  readonly vectors: Uint8Array | null
}

function documentOf({ names, vectors, ...document }: DocumentRow): StoredDocument {
  return {
    ...document,
    ...(names !== null && { names: JSON.parse(names) }),
    ...(vectors !== null && { vectors }),
  }
}
