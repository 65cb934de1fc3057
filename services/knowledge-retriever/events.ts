import { trace } from '@opentelemetry/api'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { Knowledge, PutResult } from './knowledge.ts'

/** What the service tells about itself: each function is one thing that happened. */
export interface KnowledgeEvents {
  /** The documents were read, and the graph built over them. */
  opened(knowledge: Knowledge, durationMs: number): void
  /** A batch was stored. */
  stored(results: readonly PutResult[]): void
  /** Documents were forgotten. */
  deleted(count: number): void
  /** A question was looked up. */
  retrieved(passages: number): void
  /** A call ended because the store does not answer, or refuses to. */
  storeUnavailable(error: Error): void
}

/** Registers the service's metrics. */
export function createKnowledgeEvents(log: Log, registry: Registry): KnowledgeEvents {
  const documents = new Counter({
    name: 'nexus_documents_total',
    help: 'Documents offered or deleted, by what became of them.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const retrievals = new Counter({
    name: 'nexus_retrievals_total',
    help: 'Questions looked up, by whether any passage was found.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'nexus_knowledge_store_failures_total',
    help: 'Calls that ended because the store of the knowledge was not available.',
    registers: [registry],
  })
  let opened: Knowledge | undefined
  new Gauge({
    name: 'nexus_known_documents',
    help: 'Documents that are known.',
    registers: [registry],
    collect() {
      this.set(opened?.inMemory.documents ?? 0)
    },
  })
  return {
    opened: (knowledge, durationMs) => {
      const { documents: count, passages, entities } = knowledge.inMemory
      opened = knowledge
      log.info('knowledge_opened', {
        documents: count,
        passages,
        entities,
        duration_ms: Math.round(durationMs),
      })
    },
    stored: (results) => {
      const counts = { added: 0, replaced: 0, unchanged: 0 }
      for (const { outcome } of results) counts[outcome] += 1
      for (const [outcome, count] of Object.entries(counts)) documents.inc({ outcome }, count)
      log.info('documents_stored', counts)
      trace.getActiveSpan()?.addEvent('documents_stored', counts)
    },
    deleted: (count) => {
      documents.inc({ outcome: 'deleted' }, count)
      log.info('documents_deleted', { count })
      trace.getActiveSpan()?.addEvent('documents_deleted', { count })
    },
    retrieved: (passages) => {
      retrievals.inc({ outcome: passages > 0 ? 'found' : 'not_found' })
      log.debug('passages_retrieved', { passages })
      trace.getActiveSpan()?.addEvent('passages_retrieved', { passages })
    },
    storeUnavailable: (error) => {
      failures.inc()
      log.warn('knowledge_store_unavailable', { error })
      trace.getActiveSpan()?.addEvent('knowledge_store_unavailable')
    },
  }
}
