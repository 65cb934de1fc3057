import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { type Client, createClient } from '@connectrpc/connect'
import type { Registry } from 'prom-client'
import { KnowledgeRetrieverService } from './gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { Closers } from './platform/closers.ts'
import type { FakeProvider } from './platform/openai.testing.ts'
import { silentLog } from './platform/testing.ts'
import { openProcess, serve } from './serve.ts'

/** Test support: a memory whose models are asked. */
export interface Memory {
  readonly retriever: Client<typeof KnowledgeRetrieverService>
  readonly registry: Registry
  stop(): Promise<void>
}

/** Test support: a folder that is removed when the test has ended. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-extraction-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Test support: the settings of the llm-adapter for a provider. */
export function settingsFor({ url }: FakeProvider): Record<string, string> {
  return {
    NEXUS_LLM_URL: `openai:${url}`,
    NEXUS_LLM_MODEL: 'the-model',
    NEXUS_LLM_EMBEDDING_MODEL: 'the-embedder',
  }
}

/** Test support: the retriever and the llm-adapter in one process; with a provider, names are asked for. */
export async function startMemory(
  t: TestContext,
  options: { folder?: string; provider?: FakeProvider; env?: Record<string, string> } = {},
): Promise<Memory> {
  const { folder = temporaryFolder(t), provider, env: more } = options
  const closers = new Closers()
  const ending = new AbortController()
  const env = {
    NEXUS_HOST: '127.0.0.1',
    NEXUS_GRPC_PORT: '0',
    NEXUS_METRICS_PORT: '0',
    NEXUS_GRAPH_URL: `sqlite:${path.join(folder, 'knowledge.sqlite')}`,
    NEXUS_GRAPH_SNAPSHOT: 'none',
    NEXUS_JOURNAL_URL: `sqlite:${path.join(folder, 'journal.sqlite')}`,
    ...(provider && { ...settingsFor(provider), NEXUS_EXTRACTION: 'names' }),
    ...more,
  }
  const { settings } = openProcess(env)
  const life = { signal: ending.signal, closers, end: () => {} }
  const names = ['llm-adapter', 'knowledge-retriever'] as const
  const { transport, registry } = await serve(names, { env, settings, log: silentLog, life })
  const stop = async () => {
    ending.abort()
    await closers.close()
  }
  t.after(stop)
  return { retriever: createClient(KnowledgeRetrieverService, transport), registry, stop }
}
