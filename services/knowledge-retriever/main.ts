import type { StartService } from '../platform/service.ts'
import { createKnowledgeEvents } from './events.ts'
import { openDocumentStore } from './graph.sqlite.ts'
import { Knowledge } from './knowledge.ts'
import { createKnowledgeRetriever } from './service.ts'
import { readKnowledgeRetrieverSettings } from './settings.ts'

/** Starts the memory: opens the documents and rebuilds the graph over them. */
export const start: StartService = async ({ env, log, registry, clock }) => {
  const settings = readKnowledgeRetrieverSettings(env)
  const events = createKnowledgeEvents(log, registry)
  const startedMs = clock.monotonicMs()
  const knowledge = new Knowledge(openDocumentStore(settings.graphUrl))
  events.opened(knowledge, clock.monotonicMs() - startedMs)
  return {
    name: 'knowledge-retriever',
    mounted: [createKnowledgeRetriever(knowledge, events)],
    close: async () => knowledge.close(),
  }
}
