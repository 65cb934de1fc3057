import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'
import { IngestOutcome, type Passage } from '../gen/nexus/knowledge_retriever/v1/knowledge_pb.ts'
import type { KnowledgeRetrieverService } from '../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import {
  AnswerOrigin,
  type CitationSchema,
  OrchestratorService,
} from '../gen/nexus/orchestrator/v1/orchestrator_service_pb.ts'
import { type MountedService, mount } from '../platform/service.ts'
import { type AnswerParts, answer, type Origin } from './answer.ts'
import type { Finder } from './find.ts'

export interface OrchestratorParts extends AnswerParts {
  readonly knowledge: Client<typeof KnowledgeRetrieverService>
  readonly finder: Finder
}

const defaultLimit = 5

const origins: Record<Origin, AnswerOrigin> = {
  not_found: AnswerOrigin.NOT_FOUND,
  extracted: AnswerOrigin.EXTRACTED,
  model: AnswerOrigin.MODEL,
}

/** The RPCs that people bring knowledge in with, and ask for it. */
export function createOrchestrator(parts: OrchestratorParts): MountedService {
  const { knowledge, finder, events } = parts
  return mount(OrchestratorService, {
    populate: async ({ documents, source }) => {
      const reply = await knowledge.putDocuments({ documents: documents.map((text) => ({ text, source })) })
      await finder.forget()
      const unchanged = reply.documents.filter(({ outcome }) => outcome === IngestOutcome.UNCHANGED).length
      const stored = reply.documents.length - unchanged
      events.populated({ stored, unchanged })
      return { documentIds: reply.documents.map(({ id }) => id), stored, unchanged }
    },
    query: async ({ question, limit }, { signal }) => {
      const passages = await finder.find(question, limit || defaultLimit)
      const { origin, text, cited } = await answer(parts, question, passages, signal)
      events.answered(origin, cited.length)
      return { answer: text, origin: origins[origin], citations: cited.map(packCitation) }
    },
  })
}

function packCitation(passage: Passage, index: number): MessageInitShape<typeof CitationSchema> {
  const { documentId, passageId, title, text, source, offset, contentHash, score } = passage
  return { number: index + 1, documentId, passageId, title, text, source, offset, contentHash, score }
}
