import { createServiceImplSpec } from '@connectrpc/connect'
import { type ConnectionInjector, Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js'
import type { Tracer } from '@opentelemetry/api'
import type { Registry } from 'prom-client'
import type { Log } from '../log.ts'
import type { MountedService } from '../service.ts'
import { createCallMetrics } from './call-metrics.ts'
import { asIs } from './codec.ts'
import * as events from './events.ts'
import { Gate } from './gate.ts'
import { grpcHandler } from './handlers.ts'
import { createHealth, type HealthState } from './health.ts'
import { defaultLimits, type GrpcLimits } from './limits.ts'
import { Listener } from './listener.ts'
import { quietGrpc } from './quiet.ts'
import { createReflection } from './reflection.ts'
import type { Serving } from './server-call.ts'

export interface GrpcServerOptions {
  readonly mounted: readonly MountedService[]
  readonly log: Log
  readonly registry: Registry
  /** Absent: no spans and no cost. */
  readonly tracer?: Tracer
  readonly limits?: Partial<GrpcLimits>
}

/** A gRPC server with health, reflection and metrics. States: made, listening, draining, closed. */
export interface GrpcServer {
  /** Opens `host:port` (port 0 takes a free one) and gives the port. Errors: the address cannot be had. */
  listen(address: string): Promise<number>
  /** Sets the health of one service, by its proto name; '' is the process. All are serving from the start. */
  setServing(serviceName: string, serving: boolean): void
  /** Health says NOT_SERVING, new calls go elsewhere, calls in flight finish within the grace; then closes. */
  drain(graceMs: number): Promise<void>
  /** Cuts what is left and closes the port; idempotent. */
  close(): Promise<void>
}

/** Mounts Connect handlers on a grpc-js server. Plain text: the mesh does mutual TLS around it. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  quietGrpc()
  const { log } = options
  const limits: GrpcLimits = { ...defaultLimits, ...options.limits }
  const server = new Server(serverOptions(limits))
  const names = options.mounted.map((service) => service.descriptor.typeName)
  const health = createHealth(names)
  const gate = new Gate(limits.maxCallsInFlight)
  const serving: Serving = {
    log,
    metrics: createCallMetrics(options.registry),
    gate,
    limits,
    tracer: options.tracer,
  }
  for (const service of options.mounted) register(server, serving, service)
  // Probes and reflection have to be answered when the server is full or draining, and are not worth a span.
  const aside: Serving = { ...serving, gate: new Gate(maxCallsAside), tracer: undefined }
  for (const service of [health.mounted, ...createReflection(options.mounted)])
    register(server, aside, service)
  return new RunningServer(server, gate, health, log)
}

const maxCallsAside = 1000
/** How long the last answers may take to leave when all calls are done. */
const maxFlushMs = 500

function register(server: Server, serving: Serving, service: MountedService): void {
  const { methods } = createServiceImplSpec(service.descriptor, service.implementation)
  for (const spec of Object.values(methods)) {
    const { type, handle } = grpcHandler(serving, spec)
    const path = `/${service.descriptor.typeName}/${spec.method.name}`
    if (!server.register(path, handle, asIs, asIs, type)) throw new Error(`${path} is mounted twice`)
  }
}

function serverOptions(limits: GrpcLimits): ServerOptions {
  return {
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_send_message_length': limits.maxMessageBytes,
    // Above the limit of calls, so that the caller is told why; bounded, so that a flood of streams is not.
    'grpc.max_concurrent_streams': limits.maxCallsInFlight * 2 + maxCallsAside,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.enable_channelz': 0,
  }
}

class RunningServer implements GrpcServer {
  readonly #server: Server
  readonly #gate: Gate
  readonly #health: HealthState
  readonly #log: Log
  readonly #listener: Listener
  readonly #connections: ConnectionInjector
  #closing: Promise<void> | undefined

  constructor(server: Server, gate: Gate, health: HealthState, log: Log) {
    this.#server = server
    this.#gate = gate
    this.#health = health
    this.#log = log
    // The port is ours and not grpc-js's, whose forceShutdown forgets connections when channelz is off.
    const connections = server.createConnectionInjector(ServerCredentials.createInsecure())
    this.#connections = connections
    this.#listener = new Listener((socket) => connections.injectConnection(socket))
  }

  async listen(address: string): Promise<number> {
    const port = await this.#listener.listen(address)
    events.serverListening(this.#log, address.replace(/:\d+$/, `:${port}`))
    return port
  }

  setServing(serviceName: string, serving: boolean): void {
    this.#health.set(serviceName, serving)
  }

  async drain(graceMs: number): Promise<void> {
    const endMs = performance.now() + graceMs
    this.#health.stopServing()
    const empty = this.#gate.close()
    // GOAWAY on the open connections; the port stays open, so that a probe on a new one is told NOT_SERVING.
    this.#goAway(graceMs)
    if (!(await within(empty, graceMs))) events.drainCut(this.#log, graceMs)
    // The last answers are still on their way out: the connections end by themselves once they are sent.
    this.#health.close()
    this.#goAway(graceMs)
    await within(this.#listener.stop(), Math.max(0, Math.min(endMs - performance.now(), maxFlushMs)))
    await this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#health.close()
    const stopped = this.#listener.stop()
    this.#listener.cut()
    await stopped
    this.#server.forceShutdown()
  }

  #goAway(graceMs: number): void {
    this.#connections.drain(graceMs + maxFlushMs)
  }
}

/** Tells whether `work` is done within `durationMs`. */
async function within(work: Promise<void>, durationMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, durationMs, false)
  })
  const inTime = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return inTime
}
