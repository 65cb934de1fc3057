import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { stringify } from 'yaml'
import { GovernorService } from '../gen/nexus/governor/v1/governor_service_pb.ts'
import { Author, type ChangeEvidence, ChangeEvidenceSchema } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import { silentLog, startTestServer } from '../platform/testing.ts'
import { verifyWarrant } from '../platform/warrant/verify.ts'
import { start } from './main.ts'

/** Test support: a clock that stands still until it is set. */
export class OwnedClock implements Clock {
  ms: number

  constructor(ms = Date.UTC(2026, 10, 22, 12)) {
    this.ms = ms
  }

  nowMs(): number {
    return this.ms
  }

  monotonicMs(): number {
    return this.ms
  }

  /** Waits in real time: whoever waits in a loop, as a scraper does, would otherwise never let go. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(durationMs, signal)
  }

  advance(seconds: number): void {
    this.ms += seconds * 1000
  }
}

/** Test support: the risk of a small change to the only service. */
export const lowRisk = {
  blastRadius: 1,
  harmProbability: 0.03,
  worstBurn: 0.01,
  rollbackS: 2,
  novelty: 1,
  files: 1,
  lines: 20,
  score: 30,
}

/** Test support: evidence of a small change by a recipe that has passed everything. */
export function evidenceOf(
  changes: Omit<MessageInitShape<typeof ChangeEvidenceSchema>, '$typeName'> = {},
): ChangeEvidence {
  return create(ChangeEvidenceSchema, {
    changeId: 'chg-1',
    objectiveId: 'obj-1',
    target: 'storefront',
    intervention: 'enable_caching',
    baseCommit: '1'.repeat(40),
    tree: '2'.repeat(40),
    digest: '3'.repeat(64),
    author: Author.RECIPE,
    authorDetail: 'enable_caching@1',
    checksPassed: true,
    blockingFindings: 0,
    paths: ['src/recommendations.ts'],
    risk: lowRisk,
    effectLow: -0.6,
    effectHigh: -0.4,
    sandboxTier: 'bubblewrap',
    ...changes,
  })
}

/** Test support: a governor over a real socket, on its own data folder. */
export interface TestGovernor {
  readonly client: Client<typeof GovernorService>
  readonly transport: Transport
  readonly folder: string
  readonly registry: Registry
  /** Ends it and leaves the folder; idempotent. */
  stop(): Promise<void>
}

/** Starts one by its own `main.ts`. */
export async function startGovernor(options: {
  folder: string
  clock: Clock
  env?: Readonly<Record<string, string>>
}): Promise<TestGovernor> {
  const registry = new Registry()
  const { folder, clock } = options
  const running = await start({
    env: {
      NEXUS_DATA: folder,
      NEXUS_JOURNAL_URL: `sqlite:${path.join(folder, 'journal.sqlite')}`,
      NEXUS_METRICS_URL: 'embedded:',
      ...options.env,
    },
    log: silentLog,
    registry,
    tracer: trace.getTracer('test'),
    clock,
    transport: () => {
      throw new Error('the governor calls nobody')
    },
    signal: new AbortController().signal,
  })
  const server = await startTestServer(running.mounted)
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    await server.close()
    await running.close()
  }
  return {
    client: createClient(GovernorService, server.transport),
    transport: server.transport,
    folder,
    registry,
    stop,
  }
}

/** Test support: a folder that is removed when the test has ended. */
export function temporaryFolder(t: { after(hook: () => void): void }): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-governor-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Test support: an OpenSLO document as YAML, by default an availability of 99 % over an hour. */
export function sloDocument(
  options: {
    name?: string
    good?: string
    total?: string
    objective?: { target?: number; targetPercent?: number }
    duration?: string
  } = {},
): string {
  const service = 'destination_service_name="storefront"'
  const source = (query: string) => ({ metricSource: { type: 'Prometheus', spec: { query } } })
  return stringify(
    {
      apiVersion: 'openslo/v1',
      kind: 'SLO',
      metadata: { name: options.name ?? 'storefront-availability' },
      spec: {
        service: 'storefront',
        indicator: {
          metadata: { name: 'good-share' },
          spec: {
            ratioMetric: {
              counter: true,
              good: source(options.good ?? `sum(istio_requests_total{${service},grpc_response_status="0"})`),
              total: source(options.total ?? `sum(istio_requests_total{${service}})`),
            },
          },
        },
        timeWindow: [{ duration: options.duration ?? '1h', isRolling: true }],
        budgetingMethod: 'Occurrences',
        objectives: [options.objective ?? { target: 0.99 }],
      },
    },
    { aliasDuplicateObjects: false },
  )
}

/** Test support: a governor that ends with the test. */
export async function governorFor(
  t: { after(hook: () => void | Promise<void>): void },
  options: { clock?: OwnedClock; env?: Record<string, string>; folder?: string } = {},
) {
  const { clock = new OwnedClock(), folder = temporaryFolder(t), env } = options
  const governor = await startGovernor({ folder, clock, env })
  t.after(() => governor.stop())
  return { ...governor, clock }
}

/** Test support: what a holder of the governor's public key says to a warrant. */
export function verdictOn(
  governor: TestGovernor,
  envelope: string,
  evidence: ChangeEvidence,
  nowMs: number,
  action?: 'commit' | 'deploy',
) {
  const publicKey = readFileSync(path.join(governor.folder, 'keys', 'warrant.pub'), 'utf8')
  const { changeId, target, tree, baseCommit, digest } = evidence
  return verifyWarrant(envelope, {
    publicKeys: [publicKey],
    nowMs,
    expected: { changeId, target, tree, baseCommit, digest, action },
  })
}

/** Test support: for `assert.rejects`. */
export const refusedWith = (code: Code, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConnectError)
  assert.equal(Code[error.code], Code[code])
  assert.match(error.rawMessage, words)
  return true
}
