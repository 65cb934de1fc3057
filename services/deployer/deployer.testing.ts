import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { create } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import { trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { DeployerService } from '../gen/nexus/deployer/v1/deployer_service_pb.ts'
import type { Deployment } from '../gen/nexus/deployer/v1/deployment_pb.ts'
import { Author, type ChangeEvidence, ChangeEvidenceSchema } from '../gen/nexus/governor/v1/warrant_pb.ts'
import { systemClock } from '../platform/clock.ts'
import { eventually } from '../platform/eventually.testing.ts'
import { invariant } from '../platform/invariant.ts'
import { makeOrigin } from '../platform/target/origin.testing.ts'
import { freePorts, silentLog, startTestServer } from '../platform/testing.ts'
import { validWarrant } from '../platform/warrant/forgeries.testing.ts'
import { start } from './main.ts'
import { commitChange, type ShopChange, shopFiles } from './shop.testing.ts'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** For tests: a data folder, a shop to deploy, and the governor's key. */
export interface Bench {
  readonly folder: string
  readonly dataFolder: string
  readonly originPath: string
  readonly mirrorPath: string
  readonly baseCommit: string
  readonly port: number
  readonly key: KeyObject
  readonly env: Readonly<Record<string, string>>
  remove(): Promise<void>
}

export async function makeBench(files = shopFiles()): Promise<Bench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'nexus-deployer-'))
  const dataFolder = path.join(folder, 'data')
  const originPath = path.join(folder, 'shop')
  const baseCommit = await makeOrigin(originPath, files)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await mkdir(dataFolder)
  // The versions' folders are below it, so this is where they find grpc-js.
  await symlink(modules, path.join(dataFolder, 'node_modules'))
  const keyFile = path.join(folder, 'warrant.pub')
  await writeFile(keyFile, publicKey.export({ type: 'spki', format: 'pem' }))
  const [port, metricsPort] = (await freePorts(2)) as [number, number]
  return {
    folder,
    dataFolder,
    originPath,
    mirrorPath: path.join(dataFolder, 'repositories', 'shop.git'),
    baseCommit,
    port,
    key: privateKey,
    env: {
      PATH: process.env.PATH ?? '',
      NEXUS_DATA: dataFolder,
      NEXUS_TARGETS: `shop=${originPath}`,
      NEXUS_JOURNAL_URL: `sqlite:${path.join(dataFolder, 'journal.sqlite')}`,
      NEXUS_WARRANT_PUBLIC_KEY_FILE: keyFile,
      NEXUS_LOCAL_PORT: String(port),
      NEXUS_LOCAL_METRICS_PORT: String(metricsPort),
    },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

export interface RunningDeployer {
  readonly client: Client<typeof DeployerService>
  readonly registry: Registry
  readonly port: number
  close(): Promise<void>
}

/** The service as `serve` would start it, in this process, behind a real socket. */
export async function startDeployer(env: Bench['env'], port = 0): Promise<RunningDeployer> {
  const registry = new Registry()
  const ending = new AbortController()
  const running = await start({
    env,
    log: silentLog,
    registry,
    tracer: trace.getTracer('test'),
    clock: systemClock,
    transport: () => {
      throw new Error('the deployer calls nobody')
    },
    signal: ending.signal,
  })
  const server = await startTestServer(running.mounted, { port })
  return {
    client: createClient(DeployerService, server.transport),
    registry,
    port: server.port,
    close: async () => {
      ending.abort()
      await server.close()
      await running.close()
    },
  }
}

/** Waits until the shop is ready. */
export async function untilReady(client: RunningDeployer['client']): Promise<void> {
  await eventually(
    'the shop being ready',
    async () => (await client.listTargets({})).targets[0]?.ready,
    30_000,
  )
}

/** What the governor would have seen of a change of the shop. */
export function evidenceOf(change: ShopChange): ChangeEvidence {
  const { changeId, tree, baseCommit, digest } = change
  return create(ChangeEvidenceSchema, {
    changeId,
    objectiveId: 'objective-1',
    target: 'shop',
    intervention: 'enable_caching',
    baseCommit,
    tree,
    digest,
    author: Author.RECIPE,
    authorDetail: 'enable_caching@1',
    checksPassed: true,
    paths: ['main.js'],
    risk: { score: 1 },
    sandboxTier: 'host',
  })
}

/** Commits a change in the mirror and gives the request that deploys it. */
export async function proposeChange(
  bench: Bench,
  change: { changeId: string; files: Readonly<Record<string, string>>; baseCommit?: string },
) {
  const committed = await commitChange(bench.mirrorPath, { baseCommit: bench.baseCommit, ...change })
  const { key } = bench
  const envelope = validWarrant({
    key,
    otherKey: key,
    evidence: evidenceOf(committed),
    nowMs: Date.now(),
  })
  const { changeId, commit } = committed
  return {
    ...committed,
    request: { changeId, objectiveId: 'objective-1', target: 'shop', commit, warrant: { envelope } },
  }
}

/** Watches a deployment to its end. */
export async function untilEnded(
  client: RunningDeployer['client'],
  deploymentId: string,
  onChange: (deployment: Deployment) => void = () => undefined,
): Promise<Deployment> {
  let last: Deployment | undefined
  for await (const { deployment } of client.watchDeployment({ deploymentId })) {
    if (deployment) onChange(deployment)
    last = deployment
  }
  invariant(last, 'a watched deployment is sent at least once')
  return last
}
