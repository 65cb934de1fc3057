import type { Clock } from '../platform/clock.ts'
import { openSqliteStore } from './graph.sqlite.ts'
import { type DocumentStore, DocumentStoreError } from './store.ts'

export interface OpenStoreOptions {
  readonly clock: Clock
  /** The password where the URL has none; a database that is a file has none. */
  readonly password?: string
}

/**
 * Opens a store by URL: `sqlite:<path>`, or `neo4j://user:password@host:7687/database` (also `bolt:`, and `neo4j+s:` or
 * `bolt+s:` for TLS). Errors: DocumentStoreError, which names the place and holds no password.
 */
export async function openDocumentStore(url: string, options: OpenStoreOptions): Promise<DocumentStore> {
  if (/^sqlite:./.test(url)) return openSqliteStore(url.slice('sqlite:'.length))
  if (/^(neo4j|bolt)(\+s|\+ssc)?:\/\//.test(url)) {
    // Its driver takes a while to load, which only those who use it should wait for.
    const { openNeo4jStore } = await import('./graph.neo4j.ts')
    return openNeo4jStore(url, options)
  }
  throw new DocumentStoreError(
    'the URL of a graph begins with sqlite:<path>, neo4j:// or bolt:// (neo4j+s:// or bolt+s:// with TLS)',
  )
}
