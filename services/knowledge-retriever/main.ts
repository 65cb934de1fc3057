import type { StartService } from '../platform/service.ts'
import { createKnowledgeEvents } from './events.ts'
import { Knowledge } from './knowledge.ts'
import { openDocumentStore } from './open.ts'
import { createKnowledgeRetriever } from './service.ts'
import { readKnowledgeRetrieverSettings } from './settings.ts'

/** Starts the memory: opens the documents and rebuilds the graph over them. */
export const start: StartService = async ({ env, log, registry, clock }) => {
  const settings = readKnowledgeRetrieverSettings(env)
  const events = createKnowledgeEvents(log, registry)
  const startedMs = clock.monotonicMs()
  const store = await openDocumentStore(settings.graphUrl, { clock, password: settings.graphPassword })
  const knowledge = await Knowledge.open(store)
  events.opened(knowledge, clock.monotonicMs() - startedMs)
  return {
    name: 'knowledge-retriever',
    mounted: [createKnowledgeRetriever(knowledge, events)],
    close: () => knowledge.close(),
  }
}
