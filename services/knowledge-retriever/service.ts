import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  type Document,
  DocumentSchema,
  IngestOutcome,
  type PassageSchema,
} from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { type MountedService, mount } from '../platform/service.ts'
import type { KnowledgeEvents } from './events.ts'
import { ingest } from './ingest.ts'
import { type Knowledge, type OfferedDocument, type PutOutcome, RepeatedIdError } from './knowledge.ts'
import type { Found } from './retrieve.ts'

const defaultLimit = 5

const outcomes: Record<PutOutcome, IngestOutcome> = {
  added: IngestOutcome.ADDED,
  replaced: IngestOutcome.REPLACED,
  unchanged: IngestOutcome.UNCHANGED,
}

/** The RPCs over what is known. */
export function createKnowledgeRetriever(knowledge: Knowledge, events: KnowledgeEvents): MountedService {
  return mount(KnowledgeRetrieverService, {
    putDocuments: ({ documents }) => {
      const results = refusingRepeatedIds(() => knowledge.put(documents))
      events.stored(results)
      return { documents: results.map((result) => ({ ...result, outcome: outcomes[result.outcome] })) }
    },
    ingestDocuments: async (requests) => {
      const totals = await ingest(knowledge, documentsOf(requests), events.stored)
      return {
        added: BigInt(totals.added),
        replaced: BigInt(totals.replaced),
        unchanged: BigInt(totals.unchanged),
      }
    },
    deleteDocuments: ({ ids }) => {
      const deleted = knowledge.delete(ids)
      events.deleted(deleted)
      return { deleted }
    },
    retrieve: ({ question, limit }) => {
      const { found, revision } = knowledge.retrieve(question, limit || defaultLimit)
      events.retrieved(found.length)
      return { passages: found.map(packPassage), revision: BigInt(revision) }
    },
    getStatistics: () => {
      const { documents, passages, entities, mentions, revision } = knowledge.statistics
      return {
        documents: BigInt(documents),
        passages: BigInt(passages),
        entities: BigInt(entities),
        mentions: BigInt(mentions),
        revision: BigInt(revision),
      }
    },
  })
}

async function* documentsOf(
  requests: AsyncIterable<{ document?: Document }>,
): AsyncIterable<OfferedDocument> {
  for await (const { document } of requests) yield document ?? create(DocumentSchema)
}

function refusingRepeatedIds<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof RepeatedIdError) throw new ConnectError(error.message, Code.InvalidArgument)
    throw error
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
    score,
    entities: [...entities],
  }
}
