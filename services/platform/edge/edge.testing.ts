import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { DeployerService } from '../../gen/nexus/deployer/v1/deployer_service_pb.ts'
import { GovernorService } from '../../gen/nexus/governor/v1/governor_service_pb.ts'
import { KnowledgeRetrieverService } from '../../gen/nexus/knowledge_retriever/v1/knowledge_retriever_service_pb.ts'
import { MetaControllerService } from '../../gen/nexus/meta_controller/v1/meta_controller_service_pb.ts'
import { OrchestratorService } from '../../gen/nexus/orchestrator/v1/orchestrator_service_pb.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { MountedService } from '../service.ts'
import { keepingLog, startTestServer } from '../testing.ts'
import { type Consumers, openConsumers } from './consumers.ts'
import { createEdge, type Edge } from './edge.ts'
import type { EdgeLimits } from './limits.ts'

/** The services of the contracts that the tests go through. */
export const testedServices: readonly DescService[] = [
  OrchestratorService,
  MetaControllerService,
  GovernorService,
  DeployerService,
  KnowledgeRetrieverService,
]

/** What stands for every unary RPC behind the edge. */
export type Upstream = (method: DescMethod, request: Message, context: HandlerContext) => unknown

/** An edge over real sockets with one consumer, `alice`, whose key is `sesame`. */
export interface TestEdge {
  readonly edge: Edge
  readonly consumers: Consumers
  readonly registry: Registry
  readonly lines: Record<string, unknown>[]
  readonly folder: string
  readonly port: number
  readonly adminPort: number
  /** A request to the REST API. */
  ask(path: string, init?: RequestInit): Promise<Response>
  /** A request to the admin port. */
  admin(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** Starts everything in a folder of its own. */
export async function startTestEdge(
  upstream: Upstream,
  options: { limits?: Partial<EdgeLimits>; clock?: Clock } = {},
): Promise<TestEdge> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-edge-'))
  const clock = options.clock ?? systemClock
  const consumers = openConsumers(folder, clock)
  consumers.addKey(consumers.create('alice'), 'sesame')
  const server = await startTestServer(testedServices.map((service) => standIn(service, upstream)))
  const registry = new Registry()
  const { log, lines } = keepingLog()
  const { limits } = options
  const edge = createEdge({
    services: testedServices,
    transport: server.transport,
    consumers,
    limits,
    log,
    registry,
    clock,
  })
  const port = await edge.listen('127.0.0.1:0')
  const adminPort = await edge.listenAdmin('127.0.0.1:0')
  const close = async () => {
    await edge.close()
    await server.close()
    consumers.close()
    rmSync(folder, { recursive: true })
  }
  return {
    edge,
    consumers,
    registry,
    lines,
    folder,
    port,
    adminPort,
    ask: (target, init) => fetch(`http://127.0.0.1:${port}${target}`, init),
    admin: (target, init) => fetch(`http://127.0.0.1:${adminPort}${target}`, init),
    close,
  }
}

function standIn(descriptor: DescService, upstream: Upstream): MountedService {
  const unary = descriptor.methods.filter(({ methodKind }) => methodKind === 'unary')
  const handlers = unary.map((method) => [
    method.localName,
    (request: Message, context: HandlerContext) => upstream(method, request, context),
  ])
  return { descriptor, implementation: Object.fromEntries(handlers) }
}
