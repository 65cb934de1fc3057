import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Client, createClient } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { LlmAdapterService } from '../gen/nexus/llm_adapter/v1/llm_adapter_service_pb.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import type { Log } from '../platform/log.ts'
import type { FakeProvider } from '../platform/openai.testing.ts'
import { silentLog, startTestServer } from '../platform/testing.ts'
import { start } from './main.ts'

interface Hooks {
  after(hook: () => void | Promise<void>): void
}

/** Test support: an adapter over a real socket, started by its own `main.ts`. */
export interface TestAdapter {
  readonly client: Client<typeof LlmAdapterService>
  readonly registry: Registry
  /** Idempotent. */
  stop(): Promise<void>
}

export interface AdapterOptions {
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly log?: Log
}

export async function startAdapter(t: Hooks, options: AdapterOptions): Promise<TestAdapter> {
  const { folder, env, clock = systemClock, log = silentLog } = options
  const registry = new Registry()
  const running = await start({
    env: { NEXUS_JOURNAL_URL: `sqlite:${path.join(folder, 'journal.sqlite')}`, ...env },
    log,
    registry,
    tracer: trace.getTracer('test'),
    clock,
    transport: () => {
      throw new Error('the llm-adapter calls nobody')
    },
    signal: new AbortController().signal,
  })
  const server = await startTestServer(running.mounted, { log })
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    await server.close()
    await running.close()
  }
  t.after(stop)
  return { client: createClient(LlmAdapterService, server.transport), registry, stop }
}

/** Test support: the settings for a provider, with waits that suit a test. */
export function settingsFor(
  provider: FakeProvider,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    NEXUS_LLM_URL: `openai:${provider.url}`,
    NEXUS_LLM_API_KEY: 'sk-secret-key',
    NEXUS_LLM_MODEL: 'the-model',
    NEXUS_LLM_EMBEDDING_MODEL: 'the-embedder',
    ...more,
  }
}

/** Test support: a folder that is removed when the test has ended. */
export function temporaryFolder(t: Hooks): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-llm-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
