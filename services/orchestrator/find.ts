import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'
import type { Passage } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import {
  type KnowledgeRetrieverService,
  type RetrieveResponse,
  RetrieveResponseSchema,
} from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { type CachedOptions, cached } from '../platform/cache/cached.ts'
import { detached } from '../platform/grpc/call-context.ts'

/** Finds passages; each result is shared, so nobody may change it. */
export interface Finder {
  find(question: string, limit: number): Promise<readonly Passage[]>
  /** To be called when documents have changed. */
  forget(): Promise<void>
}

type Shared = 'cache' | 'ttlMs' | 'clock' | 'random' | 'registry'

const retrieveTimeoutMs = 10_000
/** All callers know the same documents. */
const everyone = 'all'

/**
 * Retrieval behind a cache whose key holds the revision of what is known. Documents that came by another door than this
 * service change the revision too, so no answer is older than the question.
 */
export function createFinder(
  knowledge: Client<typeof KnowledgeRetrieverService>,
  options: Pick<CachedOptions<[string, number, bigint], RetrieveResponse>, Shared>,
): Finder {
  const retrieve = cached(
    // Others may wait for the same passages: the work does not end with the call that began it.
    (question: string, limit: number, _revision: bigint) =>
      detached(() => knowledge.retrieve({ question, limit }, { timeoutMs: retrieveTimeoutMs })),
    {
      ...options,
      name: 'retrieval',
      key: (question, limit, revision) => [question, limit, String(revision)],
      tenant: () => everyone,
      codec: {
        encode: (reply) => toBinary(RetrieveResponseSchema, reply),
        decode: (bytes) => fromBinary(RetrieveResponseSchema, bytes),
      },
    },
  )
  return {
    find: async (question, limit) => {
      const { revision } = await knowledge.getStatistics({})
      return (await retrieve(question, limit, revision)).passages
    },
    forget: async () => {
      await retrieve.invalidate(everyone)
    },
  }
}
