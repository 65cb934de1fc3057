import { createClient } from '@connectrpc/connect'
import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { StartService } from '../platform/service.ts'
import { createKnowledgeEvents } from './events.ts'
import { Extraction } from './extraction.ts'
import { keepSnapshot, openFromSnapshot } from './keep-snapshot.ts'
import { openDocumentStore } from './open.ts'
import { createKnowledgeRetriever } from './service.ts'
import { readKnowledgeRetrieverSettings, snapshotPath } from './settings.ts'
import { SnapshotFile } from './snapshot-file.ts'
import { TokenAllowance } from './token-allowance.ts'

/** Starts the memory: opens the documents and builds the graph over them. */
export const start: StartService = async ({ env, log, registry, clock, transport }) => {
  const settings = readKnowledgeRetrieverSettings(env)
  const events = createKnowledgeEvents(log, registry)
  const startedMs = clock.monotonicMs()
  const store = await openDocumentStore(settings.graphUrl, { clock, password: settings.graphPassword })
  const file = snapshotPath(settings)
  const snapshot = file === undefined ? undefined : new SnapshotFile(file)
  const extraction =
    settings.extraction === 'off'
      ? undefined
      : new Extraction({
          models: createClient(LlmAdapterService, transport('llm-adapter')),
          allowance: new TokenAllowance({ tokensPerDay: settings.extractionTokensPerDay, clock }),
          events,
          clock,
        })
  const knowledge = await openFromSnapshot(store, snapshot, events, extraction).catch(async (error) => {
    await store.close()
    throw error
  })
  events.opened(knowledge, clock.monotonicMs() - startedMs)
  const keeper = snapshot && keepSnapshot(knowledge, snapshot, { clock, events })
  // After a start that had to read much, the next one shall not have to.
  await keeper?.save()
  return {
    name: 'knowledge-retriever',
    mounted: [createKnowledgeRetriever(knowledge, events)],
    close: async () => {
      await keeper?.close()
      await knowledge.close()
    },
  }
}
