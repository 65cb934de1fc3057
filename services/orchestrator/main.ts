import { createClient } from '@connectrpc/connect'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { openCache } from '../platform/cache/open.ts'
import type { StartService } from '../platform/service.ts'
import { createOrchestratorEvents } from './events.ts'
import { createFinder } from './find.ts'
import { createOrchestrator } from './service.ts'
import { readOrchestratorSettings } from './settings.ts'

/** Starts the voice over the memory and the door to the models. */
export const start: StartService = async ({ env, log, registry, clock, transport }) => {
  const settings = readOrchestratorSettings(env)
  const cache = openCache(settings.cacheUrl, { clock, log })
  const knowledge = createClient(KnowledgeRetrieverService, transport('knowledge-retriever'))
  const models = createClient(LlmAdapterService, transport('llm-adapter'))
  const events = createOrchestratorEvents(log, registry)
  const ttlMs = settings.retrievalTtlSeconds * 1000
  const finder = createFinder(knowledge, { cache, ttlMs, clock, random: Math.random, registry })
  return {
    name: 'orchestrator',
    mounted: [createOrchestrator({ knowledge, models, finder, events })],
    close: () => cache.close(),
  }
}
