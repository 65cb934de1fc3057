import { trace } from '@opentelemetry/api'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Log } from '../platform/log.ts'
import type { Knowledge, PutResult } from './knowledge.ts'
import type { Usage } from './model-gate.ts'
import type { MergedName } from './store.ts'

/** What a model is asked for. */
export type ModelUse = 'names' | 'vectors'

/** What the service tells about itself: each function is one thing that happened. */
export interface KnowledgeEvents {
  /** The documents were read, and the graph built over them. */
  opened(knowledge: Knowledge, durationMs: number): void
  /** A batch was stored. */
  stored(results: readonly PutResult[]): void
  /** Documents were forgotten. */
  deleted(count: number): void
  /** Two names mean the same from now on. */
  merged(names: MergedName): void
  /** A merged name stands for itself again. */
  split(alias: string): void
  /** The snapshot was written, or could not be; the store has everything, so a start without it is only slower. */
  snapshotWritten(bytes: number, durationMs: number): void
  snapshotFailed(error: unknown): void
  /** The snapshot could not be used: the graph is built from the documents. */
  snapshotNotUsed(reason: string): void
  /** A model has looked for the names in a passage, and so many stand there. */
  namesExtracted(count: number, usage: Usage | undefined): void
  /** A model gave nothing that can be used for a passage: it is taken for one without names. */
  passageNotRead(reason: string): void
  /** A model has embedded so many texts. */
  embedded(count: number, usage: Usage | undefined): void
  /** A model gave no vectors that can be used. */
  notEmbedded(reason: string): void
  /** A model is not asked for so long: documents are stored, and questions answered, without. */
  modelStopped(use: ModelUse, reason: string, forMs: number): void
  /** A question was looked up. */
  retrieved(passages: number): void
  /** A call ended because the store does not answer, or refuses to. */
  storeUnavailable(error: Error): void
}

/** Registers the service's metrics. */
export function createKnowledgeEvents(log: Log, registry: Registry): KnowledgeEvents {
  const { documents, retrievals, failures } = countersIn(registry)
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
    ...modelEvents(log, registry),
    opened: (knowledge, durationMs) => {
      const { documents: count, passages, entities } = knowledge.inMemory
      opened = knowledge
      log.info('knowledge_opened', {
        documents: count,
        passages,
        entities,
        read: knowledge.changes,
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
    merged: (names) => {
      log.info('names_merged', { ...names })
      trace.getActiveSpan()?.addEvent('names_merged', { ...names })
    },
    split: (alias) => {
      log.info('name_split', { alias })
      trace.getActiveSpan()?.addEvent('name_split', { alias })
    },
    snapshotWritten: (bytes, durationMs) =>
      log.info('knowledge_snapshot_written', { bytes, duration_ms: Math.round(durationMs) }),
    snapshotFailed: (error) => log.warn('knowledge_snapshot_failed', { error }),
    snapshotNotUsed: (reason) => log.info('knowledge_snapshot_not_used', { reason }),
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

function countersIn(registry: Registry) {
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
  return { documents, retrievals, failures }
}

type ModelEvents = Pick<
  KnowledgeEvents,
  'namesExtracted' | 'passageNotRead' | 'embedded' | 'notEmbedded' | 'modelStopped'
>

function modelEvents(log: Log, registry: Registry): ModelEvents {
  const { passages, tokens, stops } = modelCountersIn(registry)
  const used = (use: ModelUse, count: number, usage: Usage | undefined) => {
    passages.inc({ use, outcome: 'read' }, count)
    tokens.inc({ use, direction: 'input' }, Number(usage?.inputTokens ?? 0n))
    tokens.inc({ use, direction: 'output' }, Number(usage?.outputTokens ?? 0n))
  }
  return {
    namesExtracted: (count, usage) => {
      used('names', 1, usage)
      log.debug('names_extracted', { count })
    },
    passageNotRead: (reason) => {
      passages.inc({ use: 'names', outcome: 'not_read' })
      log.warn('passage_not_read', { reason })
    },
    embedded: (count, usage) => {
      used('vectors', count, usage)
      log.debug('texts_embedded', { count })
    },
    notEmbedded: (reason) => {
      passages.inc({ use: 'vectors', outcome: 'not_read' })
      log.warn('texts_not_embedded', { reason })
    },
    modelStopped: (use, reason, forMs) => {
      stops.inc({ use })
      log.warn('model_stopped', { use, reason, for_ms: Math.round(forMs) })
      trace.getActiveSpan()?.addEvent('model_stopped', { use, reason })
    },
  }
}

function modelCountersIn(registry: Registry) {
  const passages = new Counter({
    name: 'nexus_knowledge_model_texts_total',
    help: 'Texts shown to a model, for the names in them or for vectors, by whether its answer could be used.',
    labelNames: ['use', 'outcome'],
    registers: [registry],
  })
  const tokens = new Counter({
    name: 'nexus_knowledge_model_tokens_total',
    help: 'Tokens that looking for names, and embedding, have cost.',
    labelNames: ['use', 'direction'],
    registers: [registry],
  })
  const stops = new Counter({
    name: 'nexus_knowledge_model_stops_total',
    help: 'How often a model was not asked any more for a while: the tokens were used up, or it failed.',
    labelNames: ['use'],
    registers: [registry],
  })
  return { passages, tokens, stops }
}
