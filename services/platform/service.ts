import type { DescService } from '@bufbuild/protobuf'
import type { ServiceImpl, Transport } from '@connectrpc/connect'
import type { Tracer } from '@opentelemetry/api'
import type { Registry } from 'prom-client'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'

/** A service descriptor with its handlers: what every server of the chassis (grpc-js, Connect, in-process) takes. */
export interface MountedService {
  readonly descriptor: DescService
  readonly implementation: Partial<ServiceImpl<DescService>>
}

/** Pairs a descriptor with its handlers, type-checked against it. */
export function mount<S extends DescService>(descriptor: S, implementation: ServiceImpl<S>): MountedService {
  return { descriptor, implementation: implementation as Partial<ServiceImpl<DescService>> }
}

/** The services by their DNS names, which are also their folders. */
export type ServiceName =
  | 'knowledge-retriever'
  | 'llm-adapter'
  | 'orchestrator'
  | 'execution-sandbox'
  | 'code-modifier'
  | 'governor'
  | 'deployer'
  | 'meta-controller'

/** What a service's `main.ts` is given. Everything else it constructs itself from `env`. */
export interface ServiceContext {
  /** The process environment, or in `all` the environment over the embedded defaults. Read once, in the service's settings.ts. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** The process's Prometheus registry; a service registers its `nexus_<thing>_total` here. */
  readonly registry: Registry
  readonly tracer: Tracer
  readonly clock: Clock
  /** A Connect transport to a peer, over a grpc-js channel. */
  readonly transport: (peer: ServiceName) => Transport
  /** Aborts when the process drains; long work ends on it. */
  readonly signal: AbortSignal
}

/** What a service's `main.ts` returns: its handlers, and the end of everything that it started. */
export interface RunningService {
  readonly name: ServiceName
  readonly mounted: readonly MountedService[]
  /** Called once, after the servers have stopped taking calls; idempotent; at most a second. */
  close(): Promise<void>
}

/** The shape of every service's `main.ts`: `export const start: StartService`. */
export type StartService = (context: ServiceContext) => Promise<RunningService>
