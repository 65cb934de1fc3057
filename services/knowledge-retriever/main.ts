import { createClient } from '@connectrpc/connect'
import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import type { ServiceContext, StartService } from '../platform/service.ts'
import { Embedding } from './embedding.ts'
import { createKnowledgeEvents, type KnowledgeEvents, type ModelUse } from './events.ts'
import { Extraction } from './extraction.ts'
import { keepSnapshot, openFromSnapshot } from './keep-snapshot.ts'
import { ModelGate } from './model-gate.ts'
import { openDocumentStore } from './open.ts'
import { Readings } from './readings.ts'
import { createKnowledgeRetriever } from './service.ts'
import { type KnowledgeRetrieverSettings, readKnowledgeRetrieverSettings, snapshotPath } from './settings.ts'
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
  const readings = openReadings(settings, { events, clock, transport })
  const knowledge = await openFromSnapshot(store, snapshot, events, readings).catch(async (error) => {
    await store.close()
    throw error
  })
  events.opened(knowledge, clock.monotonicMs() - startedMs)
  const keeper = snapshot && keepSnapshot(knowledge, snapshot, { clock, events })
  // After a start that had to read much, the next one shall not have to. Nobody needs to wait for it.
  void keeper?.save()
  return {
    name: 'knowledge-retriever',
    mounted: [createKnowledgeRetriever(knowledge, events)],
    close: async () => {
      await keeper?.close()
      await knowledge.close()
    },
  }
}

/** The llm-adapter is looked for only where a setting asks for a model. */
function openReadings(
  { extraction, embeddings, modelTokensPerDay: tokensPerDay }: KnowledgeRetrieverSettings,
  options: { events: KnowledgeEvents } & Pick<ServiceContext, 'clock' | 'transport'>,
): Readings {
  if (extraction === 'off' && embeddings === 'off') return new Readings({})
  const { events, clock, transport } = options
  const models = createClient(LlmAdapterService, transport('llm-adapter'))
  const allowance = new TokenAllowance({ tokensPerDay, clock })
  const partsFor = (use: ModelUse) => {
    const onStopped = (reason: string, forMs: number) => events.modelStopped(use, reason, forMs)
    return { models, events, gate: new ModelGate({ allowance, clock, onStopped }) }
  }
  return new Readings({
    ...(extraction === 'names' && { extraction: new Extraction(partsFor('names')) }),
    ...(embeddings === 'passages' && { embedding: new Embedding(partsFor('vectors')) }),
  })
}
