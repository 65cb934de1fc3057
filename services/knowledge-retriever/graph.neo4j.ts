import { randomInt, randomUUID } from 'node:crypto'
import neo4j, { type Integer, type ManagedTransaction, type Record as Row } from 'neo4j-driver'
import type { Clock } from '../platform/clock.ts'
import type { EntityKey } from './entities.ts'
import { type Neo4jAddress, Neo4jConnection, neo4jAddress } from './neo4j-connection.ts'
import {
  type DocumentStore,
  DocumentStoreError,
  StaleRevisionError,
  type StoreChange,
  type StoredDocument,
  type StoredVectors,
  StoreUnavailableError,
  type WrittenDocument,
} from './store.ts'

const schemaVersion = 1
/** Ids and hashes are listed this many at a time, so that each query ends in bounded time. */
const listBatch = 20_000
/** So few that the largest documents come within the time of one query. */
const readBatch = 50
/** Neo4j cannot index longer texts (8 kB); what is longer is hardly a name. */
const maxNameChars = 256

// Uniqueness makes MERGE free of races, and is the index by which nodes are found.
const constraints = [
  ['nexus_knowledge', 'NexusKnowledge', 'only'],
  ['nexus_document', 'NexusDocument', 'id'],
  ['nexus_passage', 'NexusPassage', 'id'],
  ['nexus_name', 'NexusName', 'key'],
  ['nexus_merged_name', 'NexusMergedName', 'alias'],
].map(
  ([name, label, property]) =>
    `CREATE CONSTRAINT ${name} IF NOT EXISTS FOR (n:${label}) REQUIRE n.${property} IS UNIQUE`,
)

const cypher = {
  begin: `MERGE (k:NexusKnowledge {only: 1})
    ON CREATE SET k.schema = $schema, k.revision = $revision, k.write = ''
    RETURN k.schema AS schema`,
  revision: 'MATCH (k:NexusKnowledge {only: 1}) RETURN k.revision AS revision',
  // Setting a property first takes the lock, so that writers come one after another and each sees what the last did.
  lock: `MATCH (k:NexusKnowledge {only: 1}) SET k.lock = true
    RETURN k.revision AS revision, k.write AS write`,
  advance: `MATCH (k:NexusKnowledge {only: 1}) SET k.revision = $revision, k.write = $write REMOVE k.lock`,
  hashes: `MATCH (d:NexusDocument) WHERE d.id > $after
    RETURN d.id AS id, d.hash AS hash ORDER BY d.id LIMIT $count`,
  read: `MATCH (d:NexusDocument) WHERE d.id IN $ids
    RETURN d.id AS id, d.title AS title, d.text AS text, d.source AS source, d.hash AS hash,
      d.names AS names, d.vectors AS vectors`,
  vectors: `MATCH (d:NexusDocument) WHERE d.id > $after AND d.vectors IS NOT NULL
    RETURN d.id AS id, d.vectors AS vectors ORDER BY d.id LIMIT $count`,
  delete: `MATCH (d:NexusDocument) WHERE d.id IN $ids
    OPTIONAL MATCH (d)-[:HAS_PASSAGE]->(p:NexusPassage)
    OPTIONAL MATCH (p)-[:NAMES]->(n:NexusName)
    WITH collect(DISTINCT d) AS documents, collect(DISTINCT p) AS passages, collect(DISTINCT n) AS names
    FOREACH (p IN passages | DETACH DELETE p)
    FOREACH (d IN documents | DETACH DELETE d)
    WITH names UNWIND names AS n
    WITH n WHERE NOT EXISTS { (n)<-[:NAMES]-() }
    DELETE n`,
  // Each name is looked up once, however many passages say it: the looking up is the larger part of the work.
  store: `UNWIND range(0, size($names) - 1) AS number
    MERGE (n:NexusName {key: $names[number]})
    WITH number, n ORDER BY number
    WITH collect(n) AS names
    UNWIND $rows AS row
    CREATE (d:NexusDocument {id: row.id, title: row.title, text: row.text, source: row.source, hash: row.hash,
      names: row.names, vectors: row.vectors})
    WITH names, d, row UNWIND row.passages AS passage
    CREATE (d)-[:HAS_PASSAGE]->(p:NexusPassage {id: passage.id, text: passage.text, offset: passage.offset})
    WITH names, p, passage UNWIND passage.names AS number
    WITH p, names[number] AS n
    CREATE (p)-[:NAMES]->(n)`,
  mergedNames: 'MATCH (m:NexusMergedName) RETURN m.alias AS alias, m.name AS name',
  merge: `UNWIND $rows AS row MERGE (m:NexusMergedName {alias: row.alias}) SET m.name = row.name`,
  split: 'MATCH (m:NexusMergedName) WHERE m.alias IN $aliases DELETE m',
} as const

/**
 * Opens a Neo4j (5 or newer) as the truth. Documents, their passages and the names in them are nodes, so that the
 * knowledge can be looked at with Cypher; the ranking stays in process. Several processes may share it.
 * Errors: DocumentStoreError when it is not there, refuses the password, or holds another schema.
 */
export async function openNeo4jStore(
  url: string,
  options: { clock: Clock; password?: string },
): Promise<DocumentStore> {
  const address = neo4jAddress(url, options.password)
  const connection = new Neo4jConnection(address, options.clock)
  try {
    await connection.verify()
    for (const constraint of constraints) {
      await connection.write(async (transaction) => void (await transaction.run(constraint)))
    }
    await connection.write(begin)
    return new Neo4jStore(address, connection)
  } catch (error) {
    await connection.close()
    const reason = error instanceof StoreUnavailableError ? error.reason : (error as Error).message
    throw new DocumentStoreError(
      `the knowledge in ${address.shown} cannot be opened: ${reason}; correct NEXUS_GRAPH_URL (and NEXUS_GRAPH_PASSWORD), or start that server`,
      { cause: error },
    )
  }
}

async function begin(transaction: ManagedTransaction): Promise<void> {
  // A random beginning: a cache that outlives this database must not take the revisions of another one for its own.
  const first = { schema: neo4j.int(schemaVersion), revision: neo4j.int(randomInt(2 ** 40)) }
  const { records } = await transaction.run(cypher.begin, first)
  const found = records[0]?.get('schema')
  if (found !== schemaVersion)
    throw new DocumentStoreError(`it has schema ${found}, this NEXUS reads ${schemaVersion}`)
}

class Neo4jStore implements DocumentStore {
  readonly address: string
  readonly exclusive = false
  readonly #connection: Neo4jConnection

  constructor(address: Neo4jAddress, connection: Neo4jConnection) {
    this.address = address.shown
    this.#connection = connection
  }

  async revision(): Promise<number> {
    const [row] = await this.#read(cypher.revision, {})
    return numberIn(row, 'revision', this.address)
  }

  async hashes(): Promise<Map<string, string>> {
    const hashes = new Map<string, string>()
    for (let after = ''; ; ) {
      const rows = await this.#read(cypher.hashes, { after, count: neo4j.int(listBatch) })
      for (const row of rows) {
        after = row.get('id')
        hashes.set(after, row.get('hash'))
      }
      if (rows.length < listBatch) return hashes
    }
  }

  async *read(ids: readonly string[]): AsyncIterable<readonly StoredDocument[]> {
    for (let from = 0; from < ids.length; from += readBatch) {
      const rows = await this.#read(cypher.read, { ids: ids.slice(from, from + readBatch) })
      yield rows.map((row) => documentOf(row.toObject() as DocumentRow))
    }
  }

  async mergedNames(): Promise<Map<EntityKey, EntityKey>> {
    const rows = await this.#read(cypher.mergedNames, {})
    return new Map(rows.map((row) => [row.get('alias'), row.get('name')]))
  }

  async *vectors(): AsyncIterable<readonly StoredVectors[]> {
    for (let after = ''; ; ) {
      const rows = await this.#read(cypher.vectors, { after, count: neo4j.int(readBatch) })
      const last = rows.at(-1)
      if (last === undefined) return
      after = last.get('id')
      yield rows.map((row) => ({ id: row.get('id'), vectors: unsigned(row.get('vectors')) }))
    }
  }

  async change(change: StoreChange, expectedRevision: number): Promise<number> {
    // The driver tries again when the connection breaks at the commit: by its id a write knows itself.
    const write = randomUUID()
    await this.#connection.write(async (transaction) => {
      const { records } = await transaction.run(cypher.lock)
      const found = numberIn(records[0], 'revision', this.address)
      if (records[0]?.get('write') === write) return
      if (found !== expectedRevision) {
        throw new StaleRevisionError(`${this.address} is at revision ${found}, not ${expectedRevision}`)
      }
      await apply(transaction, change)
      await transaction.run(cypher.advance, { revision: neo4j.int(expectedRevision + 1), write })
    })
    return expectedRevision + 1
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  #read(query: string, parameters: Record<string, unknown>): Promise<Row[]> {
    return this.#connection.read(async (transaction) => (await transaction.run(query, parameters)).records)
  }
}

async function apply(transaction: ManagedTransaction, change: StoreChange): Promise<void> {
  const { deleted, stored, merged, split } = change
  const ids = [...deleted, ...stored.map(({ id }) => id)]
  if (ids.length > 0) await transaction.run(cypher.delete, { ids })
  if (stored.length > 0) await transaction.run(cypher.store, rowsOf(stored))
  if (split.length > 0) await transaction.run(cypher.split, { aliases: [...split] })
  if (merged.length > 0) await transaction.run(cypher.merge, { rows: [...merged] })
}

/** The parameters of `store`: names by their places in one list. */
function rowsOf(stored: readonly WrittenDocument[]): Record<string, unknown> {
  const places = new Map<EntityKey, number>()
  const placeOf = (name: EntityKey) => {
    if (!places.has(name)) places.set(name, places.size)
    return neo4j.int(places.get(name) as number)
  }
  const rows = stored.map((document) => rowOf(document, placeOf))
  return { rows, names: [...places.keys()] }
}

function rowOf(
  { names, vectors, passages, ...document }: WrittenDocument,
  placeOf: (name: EntityKey) => Integer,
): Record<string, unknown> {
  const rows = passages.map((passage) => ({
    id: passage.id,
    text: passage.text,
    offset: neo4j.int(passage.offset),
    names: passage.names.filter((name) => name.length <= maxNameChars).map(placeOf),
  }))
  const { id, title, text, source, hash } = document
  const read = { names: names ?? null, vectors: vectors === undefined ? null : signed(vectors) }
  return { id, title, text, source, hash, ...read, passages: rows }
}

interface DocumentRow extends Omit<StoredDocument, 'names' | 'vectors'> {
  readonly names: readonly EntityKey[] | null
  readonly vectors: Int8Array | null
}

function documentOf({ names, vectors, ...document }: DocumentRow): StoredDocument {
  return {
    ...document,
    ...(names !== null && { names }),
    ...(vectors !== null && { vectors: unsigned(vectors) }),
  }
}

/** Neo4j's byte arrays are signed. */
function signed({ buffer, byteOffset, byteLength }: Uint8Array): Int8Array {
  return new Int8Array(buffer, byteOffset, byteLength)
}

function unsigned({ buffer, byteOffset, byteLength }: Int8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function numberIn(row: Row | undefined, key: string, address: string): number {
  const value = row?.get(key)
  // As when someone has emptied the database under us.
  if (typeof value !== 'number') {
    throw new StoreUnavailableError(address, 'it holds no knowledge any more: restore it, or start anew')
  }
  return value
}
