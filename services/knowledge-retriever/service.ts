import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import {
  type Document,
  DocumentSchema,
  IngestOutcome,
  type PassageSchema,
} from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import {
  type GetStatisticsResponseSchema,
  KnowledgeRetrieverService,
  type StreamDocumentsResponseSchema,
} from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { type MountedService, mount } from '../platform/service.ts'
import { type OfferedDocument, RepeatedIdError, sha256 } from './documents.ts'
import type { KnowledgeEvents } from './events.ts'
import { ingest, type Progress } from './ingest.ts'
import type { Knowledge, PutOutcome, Statistics } from './knowledge.ts'
import { keyOfName, MergeRefusedError, NotANameError } from './merging.ts'
import type { Patience } from './model-gate.ts'
import type { Found } from './retrieve.ts'
import { StoreUnavailableError } from './store.ts'
import { TooManyWaitingError } from './turns.ts'

const defaultLimit = 5

const outcomes: Record<PutOutcome, IngestOutcome> = {
  added: IngestOutcome.ADDED,
  replaced: IngestOutcome.REPLACED,
  unchanged: IngestOutcome.UNCHANGED,
}

/** The RPCs over what is known. */
export function createKnowledgeRetriever(knowledge: Knowledge, events: KnowledgeEvents): MountedService {
  const told = <T>(work: () => Promise<T>) => tellingRefusals(events, work)
  const stream = (requests: AsyncIterable<{ document?: Document }>, context: HandlerContext) =>
    ingest(knowledge, documentsOf(requests), { onStored: events.stored, patience: () => patienceOf(context) })
  return mount(KnowledgeRetrieverService, {
    putDocuments: ({ documents }, context) =>
      told(async () => {
        const results = await knowledge.put(documents, patienceOf(context))
        events.stored(results)
        return {
          documents: results.map((result) => ({ ...result, outcome: outcomes[result.outcome] })),
          modelsStopped: knowledge.modelsStopped,
        }
      }),
    ingestDocuments: (requests, context) =>
      told(async () => {
        let reply: ReturnType<typeof packTotals> | undefined
        for await (const progress of stream(requests, context)) reply = packTotals(progress, knowledge)
        return reply ?? {}
      }),
    streamDocuments: async function* (requests, context) {
      const progress = stream(requests, context)
      try {
        for (;;) {
          const next = await told(() => progress.next())
          if (next.done) return
          yield packProgress(next.value, knowledge)
        }
      } finally {
        await progress.return(undefined)
      }
    },
    deleteDocuments: ({ ids }) =>
      told(async () => {
        const deleted = await knowledge.delete(ids)
        events.deleted(deleted)
        return { deleted }
      }),
    mergeNames: ({ alias, name }) =>
      told(async () => {
        const merged = { alias: keyOfName(alias, 'alias'), name: keyOfName(name, 'name') }
        const isNew = await knowledge.merge(merged.alias, merged.name)
        if (isNew) events.merged(merged)
        return { merged }
      }),
    splitName: ({ alias }) =>
      told(async () => {
        const key = keyOfName(alias, 'alias')
        const wasMerged = await knowledge.split(key)
        if (wasMerged) events.split(key)
        return { wasMerged }
      }),
    listMergedNames: () =>
      told(async () => {
        const names = [...(await knowledge.mergedNames())].map(([alias, name]) => ({ alias, name }))
        return { names: names.sort((left, right) => (left.alias < right.alias ? -1 : 1)) }
      }),
    retrieve: ({ question, limit }, { signal }) =>
      told(async () => {
        const { found, revision } = await knowledge.retrieve(question, limit || defaultLimit, signal)
        events.retrieved(found.length)
        return { passages: found.map(packPassage), revision: BigInt(revision) }
      }),
    getStatistics: () => told(async () => packStatistics(await knowledge.statistics())),
  })
}

async function* documentsOf(
  requests: AsyncIterable<{ document?: Document }>,
): AsyncIterable<OfferedDocument> {
  for await (const { document } of requests) yield document ?? create(DocumentSchema)
}

/** What was to be expected has a code of its own; anything else is a fault of ours. */
async function tellingRefusals<T>(events: KnowledgeEvents, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof RepeatedIdError || error instanceof NotANameError) {
      throw new ConnectError(error.message, Code.InvalidArgument)
    }
    if (error instanceof MergeRefusedError) throw new ConnectError(error.message, Code.FailedPrecondition)
    if (error instanceof TooManyWaitingError) throw new ConnectError(error.message, Code.ResourceExhausted)
    if (!(error instanceof StoreUnavailableError)) throw error
    events.storeUnavailable(error)
    throw new ConnectError(error.message, Code.Unavailable, undefined, undefined, error)
  }
}

/** Whoever has set a deadline waits for names until half of what is left of it; the rest is for storing. */
function patienceOf({ signal, timeoutMs }: HandlerContext): Patience {
  const leftMs = timeoutMs()
  return leftMs === undefined ? { signal } : { signal, withinMs: leftMs / 2 }
}

function packTotals(
  { added, replaced, unchanged, namesExtracted, embedded }: Progress,
  knowledge: Knowledge,
) {
  return {
    added: BigInt(added),
    replaced: BigInt(replaced),
    unchanged: BigInt(unchanged),
    namesExtracted: BigInt(namesExtracted),
    embedded: BigInt(embedded),
    modelsStopped: knowledge.modelsStopped,
  }
}

function packProgress(
  progress: Progress,
  knowledge: Knowledge,
): MessageInitShape<typeof StreamDocumentsResponseSchema> {
  const { added, replaced, unchanged, passages } = progress
  return {
    ...packTotals(progress, knowledge),
    stored: BigInt(added + replaced + unchanged),
    passages: BigInt(passages),
  }
}

function packStatistics(statistics: Statistics): MessageInitShape<typeof GetStatisticsResponseSchema> {
  const { documents, passages, entities, mentions, revision } = statistics
  return {
    documents: BigInt(documents),
    passages: BigInt(passages),
    entities: BigInt(entities),
    mentions: BigInt(mentions),
    revision: BigInt(revision),
  }
}

function packPassage({ passage, score, entities }: Found): MessageInitShape<typeof PassageSchema> {
  return {
    documentId: passage.document.id,
    passageId: passage.id,
    title: passage.document.title,
    text: passage.text,
    source: passage.document.source,
    offset: passage.offset,
    contentHash: sha256(passage.text),
    score,
    entities: [...entities],
  }
}
